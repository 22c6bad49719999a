// Counts of pairs during training, and the places where each pair was seen.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/hash.h"
#include "tokenizer/symbol_row.h"

namespace glassgpt::tokenizer {

struct PairState {
  static constexpr std::uint32_t kNothing = 0xFFFFFFFF;
  std::uint64_t key;                      // pair_key(left, right)
  std::int64_t count = 0;                 // pieces' counts, summed over the places
  std::uint32_t newest_entry = kNothing;  // the last of the pair's waiting queue entries
  std::uint32_t fresh = kNothing;         // the list of places that the present merge has made
};

// An open-addressing hash table from pair to state. References stay valid until the next
// find_or_add().
class PairTable {
 public:
  PairTable() : slots_(1 << 16, kFree) {}

  PairState& find_or_add(std::uint64_t key) { return states_[index_of(key)]; }

  // The position of the pair's state in states(); it never changes.
  std::uint32_t index_of(std::uint64_t key) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash_pair(key) & mask;
    while (slots_[slot] != kFree) {
      if (states_[slots_[slot]].key == key) return slots_[slot];
      slot = (slot + 1) & mask;
    }
    const auto index = static_cast<std::uint32_t>(states_.size());
    states_.push_back({key});
    slots_[slot] = index;
    if (2 * states_.size() > slots_.size()) grow();
    return index;
  }

  std::vector<PairState>& states() noexcept { return states_; }

 private:
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;

  void grow() {
    slots_.assign(slots_.size() * 2, kFree);
    const std::size_t mask = slots_.size() - 1;
    for (std::uint32_t index = 0; index < states_.size(); ++index) {
      std::size_t slot = hash_pair(states_[index].key) & mask;
      while (slots_[slot] != kFree) slot = (slot + 1) & mask;
      slots_[slot] = index;
    }
  }

  std::vector<PairState> states_;
  std::vector<std::uint32_t> slots_;
};

}  // namespace glassgpt::tokenizer
