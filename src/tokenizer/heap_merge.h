// Merging by the book's rule in n log n: the pairs wait in a heap.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.h"

namespace glassgpt::tokenizer {

// The tokens of `bytes`, equal to merge_by_the_book(). The encoder asks it about tokens whose
// merges do not come in the order of their ranks; text itself takes a faster way (bpe.h). `bytes`
// is shorter than 2^32 - 1.
std::vector<TokenId> merge_with_heap(std::string_view bytes,
                                     const std::array<TokenId, 256>& byte_ids,
                                     const MergeTable& merges);

}  // namespace glassgpt::tokenizer
