// Causal multi-head attention, forward and backward, without a T x T matrix; and its materialized
// twin, for watching.
#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {

// One sequence of `keys` tokens, of which the last `queries` ask: query i stands at position keys -
// queries + i and sees the keys 0 .. that position. A whole sequence has queries == keys; a token
// against a key-value cache has queries == 1.
//
// Token t's vector of head h starts at t * stride + h * head_dim, in q for the queries alone. So q,
// k and v may be columns of one buffer [T, 3C], and need not be.
struct AttentionShape {
  std::size_t queries;  // Tq <= keys
  std::size_t keys;     // Tk
  std::size_t heads;
  std::size_t head_dim;                                  // D >= 1
  std::size_t q_stride, k_stride, v_stride, out_stride;  // floats, >= heads * head_dim
  float scale;                                           // of the scores: 1 / sqrt(head_dim)
};

// What all of them share
//
// Aliasing: inputs may overlap each other; no output and no scratch may overlap anything else that
// the call reads or writes. Alignment: none required.
//
// Empty input: no queries, no heads or an empty range write nothing. A fully masked row cannot
// occur: every query sees itself at least.
//
// NaN and infinities follow the formula: a NaN in a row's query or in a key that it sees makes the
// row NaN, one in a value that it sees makes that element NaN; a score of +infinity makes the row
// NaN, one of -infinity weighs exactly 0, and a row of only such scores is NaN. What a row does not
// see cannot reach it: masked keys and values are not multiplied by 0 but left out, so that even a
// NaN there leaves the row's bytes as they are. In gradients a NaN may spread over its head.
//
// Bytes: a row depends on its own query and on the keys and values that it sees, and on the ISA,
// and on nothing else: not on the ranges that a call is cut into, nor on how many queries it has.
// One query against a cache gives the bytes that the whole pass gives that row. The gradients of a
// head are sums of fixed order over its whole sequence.
//
// Memory: linear in T. Inner products run over d, then over keys, in ascending order; keys are
// taken in blocks of 256 from key 0 (64 in the backward pass).
//
// Accumulators are float32 (double in the reference). With u = 2^-24, S = max over the keys that
// the row sees of scale * sum|q k|, and n of them, the tests hold, per element,
//   |out - exact|         <= ((2 D + 16) S + 2 n + 16) u * sum_j w_j |v_j|
//   |log_sum_exp - exact| <= ((2 D + 16) S + 2 n + 16 + 4 |log_sum_exp|) u
// and for gradients the first-order bound that tests/kernels/attention_oracle.h derives from the
// operations. A weight below 2^-126 may be off by 2^-126.
//
// Cost per head, with P = sum over queries of the keys seen (T (T + 1) / 2 for a whole sequence):
// forward 4 D P FLOP (two products), backward 10 D P (five), plus one exp per pair in each. Reads
// q, k, v once and writes out once: 4 D (2 Tq + 2 Tk) bytes; the backward pass reads 5 and writes 3
// such arrays. A whole sequence is bound by the FMA units from T of about 200 on, one query by the
// memory that the cache lies in.
//
// Sources: Vaswani et al. 2017, section 3.2; Milakov and Gimelshein 2018, "Online normalizer
// calculation for softmax", algorithm 3; Dao et al. 2022, "FlashAttention", algorithms 1 and 4.
// Tests: tests/kernels/attention_test.cpp, attention_backward_test.cpp. Benchmarks:
// attention_forward/*, attention_backward/*.

// Floats of scratch that forward and backward need for one call (any range of heads and queries).
// Its contents need not be set, and mean nothing afterwards.
using AttentionScratchFn = std::size_t(const AttentionShape& shape) noexcept;

// out = softmax(scale * q k^T + mask) v for heads [head_begin, head_end) and queries [query_begin,
// query_end). q [queries, heads, D], k and v [keys, heads, D], out [queries, heads, D].
// log_sum_exp: [heads, queries], log(sum_j exp(score_ij)) per row; or null.
using AttentionForwardFn = void(const AttentionShape& shape, std::size_t head_begin,
                                std::size_t head_end, std::size_t query_begin,
                                std::size_t query_end, const float* q, const float* k,
                                const float* v, float* out, float* log_sum_exp,
                                float* scratch) noexcept;

// The gradients of a whole sequence (queries == keys) for heads [head_begin, head_end): d_q, d_k,
// d_v, laid out as q, k, v and overwritten, from d_out, laid out as out. out and log_sum_exp are
// what the forward pass wrote; the weights w are recomputed from log_sum_exp:
//   d_v = w^T d_out    d_s = w (d_out v^T - rowsum(d_out out))
//   d_q = scale d_s k  d_k = scale d_s^T q
using AttentionBackwardFn = void(const AttentionShape& shape, std::size_t head_begin,
                                 std::size_t head_end, const float* q, const float* k,
                                 const float* v, const float* out, const float* d_out,
                                 const float* log_sum_exp, float* d_q, float* d_k, float* d_v,
                                 float* scratch) noexcept;

// The materialized twin, for watching: scores [queries, keys] = scale * q k^T (masked: -inf) and
// weights = softmax(scores) (masked: exactly 0) of one head; either output may be null, and they
// must not overlap. Within the bound above of what the forward pass uses, not its bytes. Quadratic
// in T by its nature, and meant to be looked at, not to be fast.
using AttentionWeightsFn = void(const AttentionShape& shape, std::size_t head, const float* q,
                                const float* k, float* scores, float* weights) noexcept;

AttentionScratchFn attention_scratch_reference;
AttentionForwardFn attention_forward_reference;
AttentionBackwardFn attention_backward_reference;
AttentionWeightsFn attention_weights_reference;
}  // namespace glassgpt::kernels
