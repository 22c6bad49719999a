// Cross-entropy of logits against target tokens, with its gradient.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// A target that takes no part: no loss, no gradient.
inline constexpr TokenId kIgnoreTarget = 0xFFFFFFFFu;

// Purpose: loss[r] = log(sum_c exp(logits[r, c])) - logits[r, targets[r]] in nats, and d_logits[r,
//   c] = d_loss * (softmax(logits[r])[c] - [c == targets[r]]), overwriting.
// Pointers: logits, d_logits: [rows, vocab] with their strides in floats, d_logits may be null;
//   targets: [rows], each less than vocab or kIgnoreTarget (the caller checks); loss: [rows].
//   d_loss is the gradient of each row's loss.
// Aliasing: d_logits may be logits with the same stride; no other overlap.
// Alignment: none required.
// Special values: rows == 0 touches nothing. An ignored row gives loss 0 and zeros whatever its
//   logits. -inf is a token that cannot come: as target its loss is inf. A NaN, a +inf or a row of
//   only -inf gives NaN in loss and gradient.
// Error: the sum of exponentials as in softmax (float over 32 vectors, then double), the rest of a
//   row's scalars in double. loss within 1e-6 + 2e-7 loss; d_logits within 2^-24 d_loss (p (12 + 2
//   (max - logit)) + [c == target]). Bytes of a row depend on its values, vocab and the ISA alone.
// Cost: about 25 FLOPs per element; 4 bytes per element without and 8 with the gradient when the
//   row stays in the cache. No memory beside the outputs: d_logits holds the exponentials until
//   their sum is known.
// Source: Goodfellow, Bengio and Courville 2016, sections 3.13 and 4.1 (the maximum is taken away
//   first).
// Test: tests/kernels/cross_entropy_test.cpp. Benchmark: cross_entropy/ in
//   bench/elementwise_bench.cpp.
using CrossEntropyFn = void(std::size_t rows, std::size_t vocab, const float* logits,
                            std::size_t logits_stride, const TokenId* targets, float d_loss,
                            float* loss, float* d_logits, std::size_t d_logits_stride) noexcept;

CrossEntropyFn cross_entropy_reference;

}  // namespace glassgpt::kernels
