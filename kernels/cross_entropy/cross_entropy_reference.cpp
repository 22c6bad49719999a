#include <cassert>
#include <cmath>
#include <limits>

#include "kernels/cross_entropy/cross_entropy.h"

namespace glassgpt::kernels {

// loss = max + log(sum(exp(logits - max))) - logits[target] d_logits = d_loss * (exp(logits - max)
// / sum - [c == target])
void cross_entropy_reference(std::size_t rows, std::size_t vocab, const float* logits,
                             std::size_t logits_stride, const TokenId* targets, float d_loss,
                             float* loss, float* d_logits, std::size_t d_logits_stride) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = logits + r * logits_stride;
    float* d_row = d_logits == nullptr ? nullptr : d_logits + r * d_logits_stride;
    const TokenId target = targets[r];
    if (target == kIgnoreTarget) {
      loss[r] = 0.0f;
      for (std::size_t c = 0; d_row != nullptr && c < vocab; ++c) d_row[c] = 0.0f;
      continue;
    }
    assert(target < vocab);

    double max = -std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < vocab; ++c)
      if (row[c] > max) max = row[c];
    double sum = 0.0;
    for (std::size_t c = 0; c < vocab; ++c) sum += std::exp(row[c] - max);
    loss[r] = static_cast<float>(max - row[target] + std::log(sum));

    for (std::size_t c = 0; d_row != nullptr && c < vocab; ++c) {
      const double probability = std::exp(row[c] - max) / sum;
      d_row[c] = static_cast<float>(d_loss * (probability - (c == target ? 1.0 : 0.0)));
    }
  }
}

}  // namespace glassgpt::kernels
