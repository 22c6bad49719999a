// The pieces of a training text as one row of symbols.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/definition.h"

namespace glassgpt::tokenizer {

using Position = std::uint32_t;

// All words lie one behind the other, each followed by one gap. A symbol of n bytes takes n slots:
// its id stands in the first and, marked, in the last, so both neighbours of a symbol are found
// without links. Finding, merging and stepping take constant time.
class SymbolRow {
 public:
  static constexpr TokenId kGap = 0xFFFFFFFF;

  void reserve(std::size_t slots) { slots_.reserve(slots); }
  void append(TokenId id, std::uint32_t word) { slots_.push_back({id, word}); }
  void append_gap() { slots_.push_back({kGap, 0}); }
  Position size() const noexcept { return static_cast<Position>(slots_.size()); }

  // The slots that symbol `id` takes.
  void set_length(TokenId id, std::uint32_t length) {
    if (id >= lengths_.size()) lengths_.resize(std::size_t{id} + 1);
    lengths_[id] = length;
  }

  std::uint32_t length(TokenId id) const noexcept { return lengths_[id]; }

  std::uint32_t word_at(Position at) const noexcept { return slots_[at].word; }
  // The symbol that begins at `at`, or something that is no id.
  TokenId symbol_at(Position at) const noexcept { return slots_[at].id; }
  Position after(Position at) const noexcept { return at + lengths_[slots_[at].id]; }
  // Where the symbol before the one at `at` begins; kGap stands at at - 1 if there is none.
  Position before(Position at) const noexcept { return at - lengths_[slots_[at - 1].id & ~kLast]; }
  bool is_first(Position at) const noexcept { return at == 0 || slots_[at - 1].id == kGap; }

  // Whether the symbols `left`, `right` stand at `at`.
  bool holds(Position at, TokenId left, TokenId right) const noexcept {
    return slots_[at].id == left && slots_[at + lengths_[left]].id == right;
  }

  // Joins the two symbols at `at` to `merged`, whose length is theirs together.
  void join(Position at, TokenId merged) {
    const Position second = after(at);
    const Position last = after(second) - 1;
    slots_[second - 1].id = slots_[second].id = kInside;
    slots_[at].id = merged;
    slots_[last].id = merged | kLast;
  }

 private:
  static constexpr TokenId kLast = 0x80000000;    // ids stay below kMaxTokens
  static constexpr TokenId kInside = 0x7FFFFFFF;  // no symbol begins or ends here
  struct Slot {
    TokenId id;
    std::uint32_t word;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> lengths_;
};

}  // namespace glassgpt::tokenizer
