// Attention's backward pass in tiles: no T x T matrix either. The contract is in attention.h.
//
// The forward pass of one head is s = scale q k^T, w = softmax(s), out = w v, and log_sum_exp =
// log(sum(exp(s))) is what it leaves behind. So (Dao et al. 2022, algorithm 4), with delta =
// rowsum(d_out * out):
//
//   w = exp(s - log_sum_exp)      d_w = d_out v^T      d_s = w (d_w - delta)
//   d_v = w^T d_out               d_q = scale d_s k    d_k = scale d_s^T q
//
// Five products per pair of a block of keys and a block of queries; blocks are taken in ascending
// order, keys outside, queries inside, so every gradient is one sum of fixed order. Pairs above the
// diagonal are skipped, and on it each tile does only the triangle that the mask leaves.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"

namespace glassgpt::kernels {
namespace {
namespace attention {

// Queries and keys in a block. The weights and their gradients, two squares of this side, should
// stay in the first- or second-level cache, and loops of this length must amortise loading and
// storing a tile of sums.
constexpr std::size_t kGradientBlock = 64;

// Inverts s_ij = scale q_i . k_j with respect to q_i, for a tile of queries: d_q += d_scores k. Row
// 0 sees `keys` keys, every further row one more until `end`.
template <class Arch, std::size_t Rows, std::size_t Vectors>
[[gnu::noinline]] void add_query_gradient(const float* __restrict d_scores,
                                          const float* __restrict k, std::size_t width,
                                          std::size_t keys, std::size_t end,
                                          float* __restrict d_q) noexcept {
  Tile<Arch, Rows, Vectors> tile;
  tile.load(d_q, width);
  for (std::size_t j = 0; j < keys; ++j) tile.step(d_scores + j, kGradientBlock, k + j * width);
  unroll<Rows - 1>([&](auto i) __attribute__((always_inline)) {
    const std::size_t j = keys + i;
    if (j < end) tile.template step<i + 1>(d_scores + j, kGradientBlock, k + j * width);
  });
  tile.store(d_q, width);
}

// Inverts out_i = sum_j w_ij v_j with respect to v_j, for a tile of keys: gradient +=
// coefficients^T rows, where rows is d_out; and s_ij with respect to k_j, where coefficients are
// d_scores and rows is q. Queries run from `begin`; on the diagonal query begin + i sees the keys 0
// .. i of the tile.
template <class Arch, std::size_t Rows, std::size_t Vectors>
[[gnu::noinline]] void add_key_gradient(const float* __restrict coefficients,
                                        const float* __restrict rows, std::size_t width,
                                        std::size_t begin, std::size_t end, bool diagonal,
                                        float* __restrict gradient) noexcept {
  Tile<Arch, Rows, Vectors> tile;
  tile.load(gradient, width);
  std::size_t first = begin;
  if (diagonal) {
    unroll<Rows - 1>([&](auto i) __attribute__((always_inline)) {
      const std::size_t query = begin + i;
      tile.template step<0, i + 1>(coefficients + query * kGradientBlock, 1, rows + query * width);
    });
    first += Rows - 1;
  }
  for (std::size_t query = first; query < end; ++query)
    tile.step(coefficients + query * kGradientBlock, 1, rows + query * width);
  tile.store(gradient, width);
}

// Scores and d_weights of one query become its weights and d_scores. Inverts w = softmax(s).
template <class Arch>
[[gnu::always_inline]] inline void score_gradient_row(float* __restrict scores,
                                                      float* __restrict d_weights, std::size_t keys,
                                                      float log2_sum, float delta) noexcept {
  using S = Simd<Arch>;
  for (std::size_t j = 0; j < keys; j += S::kLanes) {
    const auto weight = exp2_below_127<Arch>(S::load(scores + j) - S::set(log2_sum));
    S::store(scores + j, weight);
    S::store(d_weights + j, weight * (S::load(d_weights + j) - S::set(delta)));
  }
}

template <class Arch>
struct BackwardBuffers {
  std::size_t width;           // padded head_dim
  float *q, *d_out, *d_q;      // [queries, width]; q times scale * log2(e)
  float *log2_sum, *delta;     // [queries]
  float *k_panels, *v_panels;  // one block of keys: [panels, head_dim, kPanel]
  float *k, *d_k, *d_v;        // [kGradientBlock, width]
  float *scores, *d_scores;    // [kGradientBlock, kGradientBlock]; scores become weights
  std::size_t size;            // floats in all

  BackwardBuffers(const AttentionShape& shape, float* scratch) noexcept {
    constexpr std::size_t kBlock = kGradientBlock;
    width = padded<Arch>(shape.head_dim);
    Carver carve(scratch);
    q = carve(shape.queries * width);
    d_out = carve(shape.queries * width);
    d_q = carve(shape.queries * width);
    log2_sum = carve(shape.queries);
    delta = carve(shape.queries);
    k_panels = carve(kBlock * shape.head_dim);
    v_panels = carve(kBlock * shape.head_dim);
    k = carve(kBlock * width);
    d_k = carve(kBlock * width);
    d_v = carve(kBlock * width);
    scores = carve(kBlock * kBlock);
    d_scores = carve(kBlock * kBlock);
    size = carve.size();
  }
};

// One head, as pointers to its first vectors.
template <class Arch>
struct HeadBackward {
  static constexpr std::size_t kBlock = kGradientBlock;
  static_assert(kBlock % TileSizes<Arch>::kPanel == 0);

  const AttentionShape& shape;
  const BackwardBuffers<Arch>& buffers;
  const float *q, *k, *v, *out, *d_out, *log_sum_exp;
  float *d_q, *d_k, *d_v;

  void run() const noexcept {
    const std::size_t tokens = shape.queries;
    pack_queries();
    for (std::size_t block = 0; block < tokens; block += kBlock) {
      const std::size_t keys = tokens - block < kBlock ? tokens - block : kBlock;
      pack_keys(block, keys);
      for (std::size_t begin = block; begin < tokens; begin += kBlock) {
        const std::size_t end = tokens - begin < kBlock ? tokens : begin + kBlock;
        add_block(begin, end, keys, begin == block);
      }
      store_rows<Arch>(buffers.d_k, keys, shape.head_dim, kLn2, d_k + block * shape.k_stride,
                       shape.k_stride);
      store_rows<Arch>(buffers.d_v, keys, shape.head_dim, 1.0f, d_v + block * shape.v_stride,
                       shape.v_stride);
    }
    store_rows<Arch>(buffers.d_q, tokens, shape.head_dim, shape.scale, d_q, shape.q_stride);
  }

  void pack_queries() const noexcept {
    using S = Simd<Arch>;
    const std::size_t width = buffers.width;
    copy_rows<Arch>(q, shape.q_stride, shape.queries, shape.head_dim, shape.scale * kLog2E,
                    buffers.q);
    copy_rows<Arch>(d_out, shape.out_stride, shape.queries, shape.head_dim, 1.0f, buffers.d_out);
    set_zero(buffers.d_q, shape.queries * width);
    for (std::size_t i = 0; i < shape.queries; ++i) {
      auto sum = S::set(0.0f);
      for (std::size_t d = 0; d < shape.head_dim; d += S::kLanes)
        sum = S::fma(S::load(buffers.d_out + i * width + d),
                     load_first<Arch>(out + i * shape.out_stride + d, shape.head_dim - d), sum);
      buffers.delta[i] = S::reduce_sum(sum);
      buffers.log2_sum[i] = log_sum_exp[i] * kLog2E;
    }
  }

  void pack_keys(std::size_t block, std::size_t keys) const noexcept {
    const float* block_k = k + block * shape.k_stride;
    pack_transposed<Arch>(block_k, shape.k_stride, keys, shape.head_dim, buffers.k_panels);
    pack_transposed<Arch>(v + block * shape.v_stride, shape.v_stride, keys, shape.head_dim,
                          buffers.v_panels);
    copy_rows<Arch>(block_k, shape.k_stride, keys, shape.head_dim, 1.0f, buffers.k);
    set_zero(buffers.d_k, keys * buffers.width);
    set_zero(buffers.d_v, keys * buffers.width);
  }

  static void set_zero(float* to, std::size_t n) noexcept {
    using S = Simd<Arch>;
    for (std::size_t i = 0; i < n; i += S::kLanes) S::store(to + i, S::set(0.0f));
  }

  // What the queries [begin, end) and a block of keys give each other.
  void add_block(std::size_t begin, std::size_t end, std::size_t keys,
                 bool diagonal) const noexcept {
    for_each_row_tile<Arch>(0, end - begin, [&](std::size_t row, auto rows) {
      add_query_tile<decltype(rows)::value>(begin, row, keys, diagonal);
    });
    for_each_row_tile<Arch>(0, keys, [&](std::size_t key, auto rows) {
      add_key_tile<decltype(rows)::value>(begin, end, key, diagonal);
    });
  }

  template <std::size_t Rows>
  void add_query_tile(std::size_t begin, std::size_t row, std::size_t keys,
                      bool diagonal) const noexcept {
    const std::size_t width = buffers.width;
    const std::size_t query = begin + row;
    float* const scores = buffers.scores + row * kBlock;
    float* const d_scores = buffers.d_scores + row * kBlock;
    const auto seen_by = [&](std::size_t r) { return diagonal ? row + r + 1 : keys; };
    const std::size_t seen = seen_by(Rows - 1);
    score_rows<Arch, Rows>(buffers.q + query * width, width, buffers.k_panels, shape.head_dim, seen,
                           scores, kBlock);
    score_rows<Arch, Rows>(buffers.d_out + query * width, width, buffers.v_panels, shape.head_dim,
                           seen, d_scores, kBlock);
    for (std::size_t r = 0; r < Rows; ++r)
      score_gradient_row<Arch>(scores + r * kBlock, d_scores + r * kBlock, seen_by(r),
                               buffers.log2_sum[query + r], buffers.delta[query + r]);
    for_each_vector_pair<Arch>(width, [&](std::size_t d, auto vectors) {
      add_query_gradient<Arch, Rows, decltype(vectors)::value>(
          d_scores, buffers.k + d, width, seen_by(0), seen, buffers.d_q + query * width + d);
    });
  }

  template <std::size_t Rows>
  void add_key_tile(std::size_t begin, std::size_t end, std::size_t key,
                    bool diagonal) const noexcept {
    const std::size_t width = buffers.width;
    const std::size_t first = diagonal ? key : 0;
    for_each_vector_pair<Arch>(width, [&](std::size_t d, auto vectors) {
      constexpr std::size_t kVectors = decltype(vectors)::value;
      add_key_gradient<Arch, Rows, kVectors>(buffers.scores + key,
                                             buffers.d_out + begin * width + d, width, first,
                                             end - begin, diagonal, buffers.d_v + key * width + d);
      add_key_gradient<Arch, Rows, kVectors>(buffers.d_scores + key, buffers.q + begin * width + d,
                                             width, first, end - begin, diagonal,
                                             buffers.d_k + key * width + d);
    });
  }
};

}  // namespace attention

template <class Arch>
void attention_backward(const AttentionShape& shape, std::size_t head_begin, std::size_t head_end,
                        const float* q, const float* k, const float* v, const float* out,
                        const float* d_out, const float* log_sum_exp, float* d_q, float* d_k,
                        float* d_v, float* scratch) noexcept {
  const attention::BackwardBuffers<Arch> buffers(shape, scratch);
  for (std::size_t head = head_begin; head < head_end; ++head) {
    const std::size_t offset = head * shape.head_dim;
    const attention::HeadBackward<Arch> pass{
        shape,        buffers,      q + offset,     k + offset,
        v + offset,   out + offset, d_out + offset, log_sum_exp + head * shape.queries,
        d_q + offset, d_k + offset, d_v + offset};
    pass.run();
  }
}

}  // namespace
}  // namespace glassgpt::kernels
