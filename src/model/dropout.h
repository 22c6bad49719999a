// Dropout (Srivastava et al. 2014), for training alone: values are left out at random, so that no
// unit can rely on another being there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "glassgpt/model.h"

namespace glassgpt {

// Where values are left out, as in GPT-2: the embedding's sum and what each branch of a block adds
// to the residual stream. (GPT-2's third place, the attention weights, does not exist here as a
// matrix.)
inline constexpr std::size_t kEmbeddingDropout = 0;
inline constexpr std::size_t attention_dropout(std::size_t block) noexcept { return 1 + 2 * block; }
inline constexpr std::size_t mlp_dropout(std::size_t block) noexcept { return 2 + 2 * block; }

// Whether a value is left out is a function of its sequence's key, the place, its row in the
// sequence and its column: the backward pass asks again instead of keeping masks, and neither
// threads nor the batch that a sequence comes in change anything.
class Dropout {
 public:
  // Rates are multiples of 2^-16, rounded. A key for each of the batch's sequences.
  Dropout(float rate, std::vector<std::uint64_t> keys);

  // y = x / (1 - rate), or 0 where x is left out, for rows [begin, end) of the batch; x and y are
  // [rows, width] and may be the same.
  void apply(std::size_t place, const Batch& batch, std::size_t width, std::size_t begin,
             std::size_t end, const float* x, float* y) const noexcept;

 private:
  std::uint64_t threshold_;  // of 16 random bits: below it a value is left out
  float scale_;
  std::vector<std::uint64_t> keys_;
};

}  // namespace glassgpt
