// Which pairs of tokens may merge, into what, and how early.
#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/definition.h"
#include "tokenizer/hash.h"

namespace glassgpt::tokenizer {

constexpr std::uint32_t kNoRank = 0xFFFFFFFF;

struct MergeResult {
  std::uint32_t rank;  // kNoRank: the pair does not merge
  TokenId merged;
};

// An open-addressing hash table; immutable once filled.
class MergeTable {
 public:
  // A pair that stands in the list twice takes its last rank, as in GPT-2's own reader and in
  // Hugging Face's.
  explicit MergeTable(const std::vector<Merge>& merges) {
    std::size_t slots = 16;
    while (slots < 2 * merges.size()) slots *= 2;
    slots_.assign(slots, {kEmpty, {kNoRank, kNoToken}});
    for (const Merge& merge : merges) {
      const std::uint64_t key = pair_key(merge.left, merge.right);
      std::size_t slot = hash_pair(key) & (slots - 1);
      while (slots_[slot].key != kEmpty && slots_[slot].key != key) slot = (slot + 1) & (slots - 1);
      slots_[slot] = {key, {merge.rank, merge.merged}};
    }
  }

  MergeResult find(TokenId left, TokenId right) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    const std::uint64_t key = pair_key(left, right);
    std::size_t slot = hash_pair(key) & mask;
    while (slots_[slot].key != key) {
      if (slots_[slot].key == kEmpty) return {kNoRank, kNoToken};
      slot = (slot + 1) & mask;
    }
    return slots_[slot].result;
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};  // no pair: ids stay below kMaxTokens
  struct Slot {
    std::uint64_t key;
    MergeResult result;
  };
  std::vector<Slot> slots_;
};

}  // namespace glassgpt::tokenizer
