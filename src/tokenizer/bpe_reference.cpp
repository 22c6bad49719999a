#include "tokenizer/bpe_reference.h"

namespace glassgpt::tokenizer {

std::vector<TokenId> merge_by_the_book(std::vector<TokenId> tokens, const MergeTable& merges,
                                       const std::function<void(const MergeStep&)>& on_step) {
  for (;;) {
    MergeResult best{kNoRank, kNoToken};
    std::size_t best_position = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const MergeResult candidate = merges.find(tokens[i], tokens[i + 1]);
      if (candidate.rank < best.rank) {
        best = candidate;
        best_position = i;
      }
    }
    if (best.rank == kNoRank) return tokens;
    if (on_step) {
      on_step({best_position, tokens[best_position], tokens[best_position + 1], best.merged,
               best.rank});
    }
    tokens[best_position] = best.merged;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best_position) + 1);
  }
}

}  // namespace glassgpt::tokenizer
