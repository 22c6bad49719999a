#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {

// One sequence. Token t's vector of head h starts at t * stride + h * head_dim.
// Query i stands at position keys - queries + i and attends to keys 0 .. that position (causal).
struct AttentionShape {
  std::size_t queries;  // Tq <= keys
  std::size_t keys;     // Tk
  std::size_t heads;
  std::size_t head_dim;
  std::size_t q_stride, k_stride, v_stride, out_stride;
  float scale;  // 1 / sqrt(head_dim)
};

// Floats of scratch that forward and backward need for one call (any range of heads and queries).
using AttentionScratchFn = std::size_t(const AttentionShape& shape) noexcept;

// out = softmax(scale * q k^T + mask) v for heads [head_begin, head_end) and queries [query_begin,
// query_end). A row's bytes do not depend on the ranges. log_sum_exp: [heads, queries] or null.
using AttentionForwardFn = void(const AttentionShape& shape, std::size_t head_begin,
                                std::size_t head_end, std::size_t query_begin,
                                std::size_t query_end, const float* q, const float* k,
                                const float* v, float* out, float* log_sum_exp,
                                float* scratch) noexcept;

// d_q, d_k, d_v (strides of q, k, v; overwritten) for heads [head_begin, head_end) of a whole
// sequence (queries == keys). d_out has out_stride. Recomputes the weights from log_sum_exp.
using AttentionBackwardFn = void(const AttentionShape& shape, std::size_t head_begin,
                                 std::size_t head_end, const float* q, const float* k,
                                 const float* v, const float* out, const float* d_out,
                                 const float* log_sum_exp, float* d_q, float* d_k, float* d_v,
                                 float* scratch) noexcept;

// The materialized twin, for watching: scores [queries, keys] = scale * q k^T (masked: -inf) and
// weights = softmax(scores) of one head; either output may be null (weights without scores is
// computed in place).
using AttentionWeightsFn = void(const AttentionShape& shape, std::size_t head, const float* q,
                                const float* k, float* scores, float* weights) noexcept;

AttentionScratchFn attention_scratch_reference;
AttentionForwardFn attention_forward_reference;
AttentionBackwardFn attention_backward_reference;
AttentionWeightsFn attention_weights_reference;
}  // namespace glassgpt::kernels
