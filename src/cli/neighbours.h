// The tokens of the embedding table that are nearest to a few of them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "glassgpt/model.h"
#include "glassgpt/nearest.h"
#include "glassgpt/tokenizer.h"

namespace glassgpt::cli {

// By falling cosine with the mean of these tokens' rows; a neighbour's row is its id. The tokens
// themselves are left out. `ids` is not empty.
std::vector<Neighbour> nearest_tokens(const Model& model, const Tokenizer& tokenizer,
                                      std::span<const TokenId> ids, std::size_t count, int threads);

}  // namespace glassgpt::cli
