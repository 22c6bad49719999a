// Byte-pair encoding as a textbook has it, to be read and to test the fast way against. Source:
// Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2,
// algorithm 1; on bytes since Radford et al. 2019, section 2.2.
#pragma once

#include <functional>
#include <vector>

#include "tokenizer/merge_table.h"

namespace glassgpt::tokenizer {

// Starts from one token per byte and, as long as some neighbours may merge, merges the pair of the
// lowest rank, the leftmost of equal ones. `on_step`, if given, hears of every step before it is
// done. Quadratic in tokens.size().
std::vector<TokenId> merge_by_the_book(std::vector<TokenId> tokens, const MergeTable& merges,
                                       const std::function<void(const MergeStep&)>& on_step = {});

}  // namespace glassgpt::tokenizer
