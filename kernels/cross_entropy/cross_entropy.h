#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
inline constexpr TokenId kIgnoreTarget = 0xFFFFFFFFu;
// loss[r] = log(sum exp(logits[r])) - logits[r][targets[r]] in nats; 0 where the target is kIgnoreTarget.
// d_logits (may be null, may be logits) = d_loss * (softmax(logits) - one_hot(target)); zeros where ignored.
using CrossEntropyFn = void(std::size_t rows, std::size_t vocab, const float* logits,
                            std::size_t logits_stride, const TokenId* targets, float d_loss,
                            float* loss, float* d_logits, std::size_t d_logits_stride) noexcept;
CrossEntropyFn cross_entropy_reference;
}  // namespace glassgpt::kernels
