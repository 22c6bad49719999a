#pragma once

#include <cassert>

#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/softmax/softmax_simd.h"

namespace glassgpt::kernels {
namespace {

// d_row[i] = exponentials[i] factor, but at_target at the target. A streamed row gets it aside,
// before it is written: a store of its own would fetch a line that has just been streamed, and a
// branch at the target's vector would be foreseen for no row.
template <class Arch>
inline void write_gradient(std::size_t vocab, float* exponentials, float factor, TokenId target,
                           float at_target, float* d_row) noexcept {
  const F32Of<Arch> scale = Simd<Arch>::set(factor);
  for_each_vector<Arch>(vocab, [=](std::size_t i, auto span) noexcept {
    span.store(exponentials + i, span.load(exponentials + i) * scale);
  });
  exponentials[target] = at_target;
  if (exponentials == d_row) return;
  stream_each_vector<Arch>(vocab, d_row, [=](std::size_t i, auto span) noexcept {
    span.store(d_row + i, span.load(exponentials + i));
  });
}

// Loss and gradient of one row. `exponentials` holds what its name says until their sum is known:
// it is d_row, so that nothing of the row's size is needed beside the output, or where that
// streams, memory aside. `next` is what to ask for meanwhile.
template <class Arch>
float cross_entropy_row(std::size_t vocab, const float* row, const float* next, TokenId target,
                        float d_loss, float* exponentials, float* d_row) noexcept {
  const float max = row_max<Arch>(vocab, row);
  const float target_logit = row[target];  // d_row may be row
  double sum = 0.0;
  if (d_row == nullptr) {
    sum = exp_sum<Arch>(vocab, row, max, [next](std::size_t i, auto, F32Of<Arch>) noexcept {
      ask_for<Arch>(next + i);
    });
  } else {
    sum = exp_sum<Arch>(vocab, row, max, [=](std::size_t i, auto span, F32Of<Arch> e) noexcept {
      ask_for<Arch>(next + i);
      span.store(exponentials + i, e);
    });
    const double scale = static_cast<double>(d_loss) / sum;
    const double at_target =
        static_cast<double>(exponentials[target]) * scale - static_cast<double>(d_loss);
    write_gradient<Arch>(vocab, exponentials, static_cast<float>(scale), target,
                         static_cast<float>(at_target), d_row);
  }
  return static_cast<float>(static_cast<double>(max) - static_cast<double>(target_logit) +
                            __builtin_log(sum));
}

template <class Arch>
void cross_entropy_simd(std::size_t rows, std::size_t vocab, const float* logits,
                        std::size_t logits_stride, const TokenId* targets, float d_loss,
                        float* loss, float* d_logits, std::size_t d_logits_stride) noexcept {
  const bool stream =
      vocab <= kStreamedRow && d_logits != nullptr && d_logits != logits && streams(rows * vocab);
  alignas(64) float aside[kStreamedRow];
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = logits + r * logits_stride;
    float* d_row = d_logits == nullptr ? nullptr : d_logits + r * d_logits_stride;
    if (targets[r] != kIgnoreTarget) {
      assert(targets[r] < vocab);
      loss[r] =
          cross_entropy_row<Arch>(vocab, row, row_ahead(logits, logits_stride, r, rows, vocab),
                                  targets[r], d_loss, stream ? aside : d_row, d_row);
      continue;
    }
    loss[r] = 0.0f;
    if (d_row != nullptr)
      for_each_vector<Arch>(vocab, [d_row](std::size_t i, auto span) noexcept {
        span.store(d_row + i, Simd<Arch>::set(0.0f));
      });
  }
  if (stream) Simd<Arch>::fence();
}

}  // namespace
}  // namespace glassgpt::kernels
