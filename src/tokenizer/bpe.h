// The fast way from the bytes of a piece to its tokens; equal to merge_by_the_book() on every
// input.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.h"

namespace glassgpt::tokenizer {

// Memory that merging a piece needs, kept between pieces.
struct MergeScratch {
  struct Node {
    TokenId id;
    std::uint32_t rank;  // of the pair (this, next); kNoRank also where this node is gone
    TokenId merged;      // what that pair becomes
    std::uint32_t previous, next;
  };
  std::vector<Node> nodes;
  std::vector<std::uint64_t> heap;  // rank << 32 | position, the lowest first
  std::vector<TokenId> window, next_window;
  std::uint64_t steps = 0;  // pairs looked up so far: what the tests of "never quadratic" count
};

// Appends the tokens of `piece` to `out`. byte_ids holds the token of each byte. Short pieces are
// searched for their lowest pair in every step; longer ones keep their pairs in a heap (n log n);
// very long ones are merged in windows that are put together where the joint is certain, so that
// memory does not grow with the piece.
void merge_piece(std::string_view piece, const std::array<TokenId, 256>& byte_ids,
                 const MergeTable& merges, MergeScratch& scratch, std::vector<TokenId>& out);

}  // namespace glassgpt::tokenizer
