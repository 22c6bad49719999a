#pragma once

#include <cassert>

#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/softmax/softmax_simd.h"

namespace glassgpt::kernels {
namespace {

// Loss and gradient of one row. d_row holds the exponentials until their sum is known, so nothing
// of the row's size is needed beside the output.
template <class Arch>
float cross_entropy_row(std::size_t vocab, const float* row, TokenId target, float d_loss,
                        float* d_row) noexcept {
  const float max = row_max<Arch>(vocab, row);
  const float target_logit = row[target];  // d_row may be row
  double sum = 0.0;
  if (d_row == nullptr) {
    sum = exp_sum<Arch>(vocab, row, max, [](std::size_t, auto, F32Of<Arch>) noexcept {});
  } else {
    sum = exp_sum<Arch>(vocab, row, max, [d_row](std::size_t i, auto span, F32Of<Arch> e) noexcept {
      span.store(d_row + i, e);
    });
    const double scale = static_cast<double>(d_loss) / sum;
    const double at_target =
        static_cast<double>(d_row[target]) * scale - static_cast<double>(d_loss);
    const F32Of<Arch> factor = Simd<Arch>::set(static_cast<float>(scale));
    map_vector<Arch>(vocab, d_row, d_row, [factor](F32Of<Arch> e) noexcept { return e * factor; });
    d_row[target] = static_cast<float>(at_target);
  }
  return static_cast<float>(static_cast<double>(max) - static_cast<double>(target_logit) +
                            __builtin_log(sum));
}

template <class Arch>
void cross_entropy_simd(std::size_t rows, std::size_t vocab, const float* logits,
                        std::size_t logits_stride, const TokenId* targets, float d_loss,
                        float* loss, float* d_logits, std::size_t d_logits_stride) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = logits + r * logits_stride;
    float* d_row = d_logits == nullptr ? nullptr : d_logits + r * d_logits_stride;
    if (targets[r] != kIgnoreTarget) {
      assert(targets[r] < vocab);
      loss[r] = cross_entropy_row<Arch>(vocab, row, targets[r], d_loss, d_row);
      continue;
    }
    loss[r] = 0.0f;
    if (d_row != nullptr)
      for_each_vector<Arch>(vocab, [d_row](std::size_t i, auto span) noexcept {
        span.store(d_row + i, Simd<Arch>::set(0.0f));
      });
  }
}

}  // namespace
}  // namespace glassgpt::kernels
