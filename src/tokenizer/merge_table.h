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

// An open-addressing hash table; immutable once filled. Most questions are about pairs that do not
// merge, so a small set of bits, one or a few per slot, answers those first.
class MergeTable {
 public:
  // A pair that stands in the list twice takes its last rank, as in GPT-2's own reader and in
  // Hugging Face's.
  explicit MergeTable(const std::vector<Merge>& merges) {
    while (std::size_t{1} << bits_ < 2 * merges.size()) ++bits_;
    slots_.assign(std::size_t{1} << bits_, {kEmpty, {kNoRank, kNoToken}});
    filter_.assign((std::size_t{1} << (bits_ + kFilterBits)) / 64, 0);
    for (const Merge& merge : merges) {
      const std::uint64_t key = pair_key(merge.left, merge.right);
      const std::uint64_t hash = hash_pair(key);
      filter_[filter_bit(hash) / 64] |= std::uint64_t{1} << (filter_bit(hash) % 64);
      slots_[slot_of(key, hash)] = {key, {merge.rank, merge.merged}};
    }
  }

  MergeResult find(TokenId left, TokenId right) const noexcept {
    const std::uint64_t key = pair_key(left, right);
    const std::uint64_t hash = hash_pair(key);
    if ((filter_[filter_bit(hash) / 64] >> (filter_bit(hash) % 64) & 1) == 0) {
      return {kNoRank, kNoToken};
    }
    return slots_[slot_of(key, hash)].result;
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};  // no pair: ids stay below kMaxTokens
  static constexpr int kFilterBits = 2;  // 4 bits per slot: 8 or more per merge
  struct Slot {
    std::uint64_t key;
    MergeResult result;
  };

  std::size_t filter_bit(std::uint64_t hash) const noexcept {
    return hash >> (64 - bits_ - kFilterBits);
  }

  // The slot of the pair, or the free one that it would take.
  std::size_t slot_of(std::uint64_t key, std::uint64_t hash) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    while (slots_[slot].key != key && slots_[slot].key != kEmpty) slot = (slot + 1) & mask;
    return slot;
  }

  int bits_ = 4;
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> filter_;
};

}  // namespace glassgpt::tokenizer
