// Causal attention in tiles with an online softmax, forward. The contract is in attention.h, the
// backward pass in attention_backward_simd.h.
//
// Keys are taken in blocks of kKeyBlock that start at key 0, and a block's keys and values are
// packed once for all queries. A tile of query rows then does, block by block (Milakov and
// Gimelshein 2018, algorithm 3; Dao et al. 2022, algorithm 1):
//
//   s = q k^T             registers hold rows x two vectors of keys; d runs 0 .. D-1
//   m' = max(m, max(s))   p = exp(s - m')   c = exp(m - m')
//   l = c l + sum(p)      one sum per lane, added up at the very end
//   o = c o + p v         registers hold rows x two vectors of d; keys run upwards
//
// Scores are kept in units of log2, so that exp is 2^x: q is multiplied by scale * log2(e) on the
// way into the tile. Every element goes through the same operations in the same order whatever the
// tile's height and place, so a row's bytes depend neither on the range of queries nor on the other
// rows. A row's masked keys are not computed with at all: what is stored in a key or value that the
// row cannot see does not reach it, not even a NaN.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_backward_simd.h"
#include "kernels/attention/attention_tiles.h"

namespace glassgpt::kernels {
namespace {
namespace attention {

// For T <= 256 nothing is ever rescaled; 256 keys and values of D = 64 fill an eighth of a 1 MB
// second-level cache, and the tile's scores a quarter of a 32 KB first-level one.
constexpr std::size_t kKeyBlock = 256;

// The running state of a tile's rows.
template <class Arch, std::size_t Rows>
struct OnlineSoftmax {
  using S = Simd<Arch>;
  using F32 = typename S::F32;
  static constexpr std::size_t kLanes = S::kLanes;
  static constexpr std::size_t kPadded = (Rows + kLanes - 1) / kLanes * kLanes;

  float subtrahend[kPadded] = {};  // what each row's scores are reduced by: its new maximum
  float correction[kPadded] = {};  // 2^(old maximum - new maximum)

  // Row r's scores are scores[r][0 .. seen_by(r)). Three loops over rows rather than one, so that
  // the rows' latencies overlap.
  template <class F>
  void find_maxima(const float* scores, F&& seen_by, float* maxima) noexcept {
    constexpr float kInfinity = __builtin_inff();
    for (std::size_t r = 0; r < Rows; ++r, scores += kKeyBlock) {
      const std::size_t keys = seen_by(r);
      const std::size_t whole = keys / kLanes * kLanes;
      F32 largest = S::set(maxima[r]);
      for (std::size_t j = 0; j < whole; j += kLanes)
        largest = S::max(S::load(scores + j), largest);
      if (whole < keys)
        largest = S::max(
            S::select(first_lanes<Arch>(keys - whole), S::load(scores + whole), S::set(-kInfinity)),
            largest);
      const float maximum = largest_lane<Arch>(largest);
      // While all scores are -infinity, subtracting the maximum would give NaN.
      subtrahend[r] = maximum == -kInfinity ? 0.0f : maximum;
      correction[r] = maxima[r];
      maxima[r] = maximum;
    }
    for (std::size_t r = 0; r < kPadded; r += kLanes)
      S::store(correction + r,
               exp2_below_127<Arch>(S::load(correction + r) - S::load(subtrahend + r)));
  }

  // Scores become weights 2^(score - maximum), and are added to the row's sums [lanes].
  template <class F>
  void take_weights(float* scores, F&& seen_by, float* sums) const noexcept {
    for (std::size_t r = 0; r < Rows; ++r, scores += kKeyBlock, sums += kLanes) {
      const std::size_t keys = seen_by(r);
      const std::size_t whole = keys / kLanes * kLanes;
      const F32 maximum = S::set(subtrahend[r]);
      F32 sum = S::load(sums) * S::set(correction[r]);
      for (std::size_t j = 0; j < whole; j += kLanes) {
        const F32 weight = exp2_below_127<Arch>(S::load(scores + j) - maximum);
        S::store(scores + j, weight);
        sum = sum + weight;
      }
      if (whole < keys) {
        const F32 weight = exp2_below_127<Arch>(S::load(scores + whole) - maximum);
        S::store(scores + whole, weight);
        sum = sum + S::select(first_lanes<Arch>(keys - whole), weight, S::set(0.0f));
      }
      S::store(sums, sum);
    }
  }
};

// out = correction * out + weights * v. Row 0 sees `keys` keys of the block, every further row one
// more until `end`.
template <class Arch, std::size_t Rows, std::size_t Vectors>
[[gnu::noinline]] void value_tile(const float* __restrict weights,
                                  const float* __restrict corrections, const float* __restrict v,
                                  std::size_t v_stride, std::size_t keys, std::size_t end,
                                  bool first_block, float* __restrict out,
                                  std::size_t out_stride) noexcept {
  using S = Simd<Arch>;
  Tile<Arch, Rows, Vectors> tile;
  if (first_block) {
    tile.set_zero();
  } else {
    tile.load(out, out_stride);
    unroll<Rows>([&](auto r) __attribute__((always_inline)) {
      const auto correction = S::set(corrections[r]);
      unroll<Vectors>([&](auto i) __attribute__((always_inline)) {
        tile.sum[r][i] = tile.sum[r][i] * correction;
      });
    });
  }
  for (std::size_t j = 0; j < keys; ++j) tile.step(weights + j, kKeyBlock, v + j * v_stride);
  unroll<Rows - 1>([&](auto i) __attribute__((always_inline)) {
    const std::size_t j = keys + i;
    if (j < end) tile.template step<i + 1>(weights + j, kKeyBlock, v + j * v_stride);
  });
  tile.store(out, out_stride);
}

template <class Arch, std::size_t Rows>
void value_rows(const float* weights, const float* corrections, const float* v,
                std::size_t v_stride, std::size_t keys, std::size_t end, bool first_block,
                float* out, std::size_t width) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  constexpr std::size_t kVectors = Rows == 1 ? 4 : 2;
  std::size_t d = 0;
  for (; d + kVectors * kLanes <= width; d += kVectors * kLanes)
    value_tile<Arch, Rows, kVectors>(weights, corrections, v + d, v_stride, keys, end, first_block,
                                     out + d, width);
  if constexpr (kVectors > 2) {
    for (; d + 2 * kLanes <= width; d += 2 * kLanes)
      value_tile<Arch, Rows, 2>(weights, corrections, v + d, v_stride, keys, end, first_block,
                                out + d, width);
  }
  for (; d < width; d += kLanes)
    value_tile<Arch, Rows, 1>(weights, corrections, v + d, v_stride, keys, end, first_block,
                              out + d, width);
}

// Where a pass keeps what it packs and what it has so far; carved out of the caller's scratch.
template <class Arch>
struct ForwardBuffers {
  std::size_t width;  // padded head_dim
  float* k;           // panels of one block: [panels, head_dim, kPanel]
  float* v;           // [kKeyBlock, width]
  float* q;           // [kRows, width] times scale * log2(e)
  float* scores;      // [kRows, kKeyBlock], then the weights
  float* out;         // [queries, width], not yet divided by the sum
  float* sums;        // [queries, lanes]
  float* maxima;      // [queries]
  std::size_t size;   // floats in all

  ForwardBuffers(const AttentionShape& shape, float* scratch) noexcept {
    constexpr std::size_t kRows = TileSizes<Arch>::kRows;
    constexpr std::size_t kPanel = TileSizes<Arch>::kPanel;
    width = padded<Arch>(shape.head_dim);
    Carver carve(scratch);
    k = carve((kKeyBlock + kPanel - 1) / kPanel * kPanel * shape.head_dim);
    v = carve(kKeyBlock * width);
    q = carve(kRows * width);
    scores = carve(kRows * kKeyBlock);
    out = carve(shape.queries * width);
    sums = carve(shape.queries * Simd<Arch>::kLanes);
    maxima = carve(shape.queries);
    size = carve.size();
  }
};

// One head, as pointers to its first vector, and the range of queries asked for.
template <class Arch>
struct HeadForward {
  const AttentionShape& shape;
  const ForwardBuffers<Arch>& buffers;
  std::size_t query_begin, query_end;
  const float *q, *k, *v;

  // Query i's position, counted in keys: it sees position + 1 of them.
  std::size_t position(std::size_t i) const noexcept { return shape.keys - shape.queries + i; }

  void run() const noexcept {
    using S = Simd<Arch>;
    constexpr std::size_t kLanes = S::kLanes;
    for (std::size_t i = query_begin; i < query_end; ++i) {
      buffers.maxima[i] = -__builtin_inff();
      S::store(buffers.sums + i * kLanes, S::set(0.0f));
    }
    const std::size_t keys = position(query_end - 1) + 1;
    for (std::size_t block = 0; block < keys; block += kKeyBlock)
      run_block(block, keys - block < kKeyBlock ? keys - block : kKeyBlock);
  }

  void run_block(std::size_t block, std::size_t keys) const noexcept {
    pack_transposed<Arch>(k + block * shape.k_stride, shape.k_stride, keys, shape.head_dim,
                          buffers.k);
    const float* values = v + block * shape.v_stride;
    std::size_t v_stride = shape.v_stride;
    // One tile reads the values once: packing them would only be more to do.
    const bool one_tile = query_end - query_begin <= TileSizes<Arch>::kRows;
    if (!one_tile || shape.head_dim != buffers.width) {
      copy_rows<Arch>(values, v_stride, keys, shape.head_dim, 1.0f, buffers.v);
      values = buffers.v;
      v_stride = buffers.width;
    }
    const std::size_t before = shape.keys - shape.queries;
    const std::size_t first_to_see = block > before ? block - before : 0;
    const std::size_t begin = first_to_see > query_begin ? first_to_see : query_begin;
    for_each_row_tile<Arch>(begin, query_end, [&](std::size_t row, auto rows) {
      run_tile<decltype(rows)::value>(row, block, keys, values, v_stride);
    });
  }

  template <std::size_t Rows>
  void run_tile(std::size_t row, std::size_t block, std::size_t keys, const float* values,
                std::size_t v_stride) const noexcept {
    constexpr std::size_t kLanes = Simd<Arch>::kLanes;
    const std::size_t width = buffers.width;
    const auto seen_by = [&](std::size_t r) {
      const std::size_t seen = position(row + r) + 1 - block;
      return seen < keys ? seen : keys;
    };
    copy_rows<Arch>(q + row * shape.q_stride, shape.q_stride, Rows, shape.head_dim,
                    shape.scale * kLog2E, buffers.q);
    score_rows<Arch, Rows>(buffers.q, width, buffers.k, shape.head_dim, seen_by(Rows - 1),
                           buffers.scores, kKeyBlock);
    OnlineSoftmax<Arch, Rows> softmax;
    softmax.find_maxima(buffers.scores, seen_by, buffers.maxima + row);
    softmax.take_weights(buffers.scores, seen_by, buffers.sums + row * kLanes);
    value_rows<Arch, Rows>(buffers.scores, softmax.correction, values, v_stride, seen_by(0),
                           seen_by(Rows - 1), block == 0, buffers.out + row * width, width);
  }

  // out = o / l and log(sum(exp(s))) = (m + log2(l)) ln 2.
  void finish(float* out, float* log_sum_exp) const noexcept {
    using S = Simd<Arch>;
    for (std::size_t i = query_begin; i < query_end; ++i) {
      const float sum = S::reduce_sum(S::load(buffers.sums + i * S::kLanes));
      const auto inverse = S::set(1.0f / sum);
      const float* from = buffers.out + i * buffers.width;
      float* to = out + i * shape.out_stride;
      for (std::size_t d = 0; d < shape.head_dim; d += S::kLanes)
        store_first<Arch>(to + d, S::load(from + d) * inverse, shape.head_dim - d);
      if (log_sum_exp != nullptr)
        log_sum_exp[i] = (buffers.maxima[i] + __builtin_log2f(sum)) * kLn2;
    }
  }
};

template <class Arch>
inline float dot(const float* a, const float* b, std::size_t n) noexcept {
  using S = Simd<Arch>;
  auto sum = S::set(0.0f);
  for (std::size_t d = 0; d < n; d += S::kLanes)
    sum = S::fma(load_first<Arch>(a + d, n - d), load_first<Arch>(b + d, n - d), sum);
  return S::reduce_sum(sum);
}

// weights = softmax(scores) of one row; weights may be scores.
template <class Arch>
inline void softmax_row(const float* scores, std::size_t n, float* weights) noexcept {
  using S = Simd<Arch>;
  float maximum = scores[0];
  for (std::size_t j = 1; j < n; ++j) maximum = scores[j] > maximum ? scores[j] : maximum;
  auto sum = S::set(0.0f);
  const auto in_nats = S::set(kLog2E);
  for (std::size_t j = 0; j < n; j += S::kLanes) {
    const auto distance = load_first<Arch>(scores + j, n - j) - S::set(maximum);
    const auto weight = exp2_below_127<Arch>(distance * in_nats);
    store_first<Arch>(weights + j, weight, n - j);
    sum = sum +
          (n - j >= S::kLanes ? weight : S::select(first_lanes<Arch>(n - j), weight, S::set(0.0f)));
  }
  const auto total = S::set(S::reduce_sum(sum));
  for (std::size_t j = 0; j < n; j += S::kLanes)
    store_first<Arch>(weights + j, load_first<Arch>(weights + j, n - j) / total, n - j);
}

}  // namespace attention

template <class Arch>
std::size_t attention_scratch(const AttentionShape& shape) noexcept {
  const std::size_t forward = attention::ForwardBuffers<Arch>(shape, nullptr).size;
  const std::size_t backward = attention::BackwardBuffers<Arch>(shape, nullptr).size;
  return forward > backward ? forward : backward;
}

template <class Arch>
void attention_forward(const AttentionShape& shape, std::size_t head_begin, std::size_t head_end,
                       std::size_t query_begin, std::size_t query_end, const float* q,
                       const float* k, const float* v, float* out, float* log_sum_exp,
                       float* scratch) noexcept {
  if (query_begin >= query_end) return;
  const attention::ForwardBuffers<Arch> buffers(shape, scratch);
  for (std::size_t head = head_begin; head < head_end; ++head) {
    const std::size_t offset = head * shape.head_dim;
    const attention::HeadForward<Arch> pass{shape,      buffers,    query_begin, query_end,
                                            q + offset, k + offset, v + offset};
    pass.run();
    pass.finish(out + offset,
                log_sum_exp == nullptr ? nullptr : log_sum_exp + head * shape.queries);
  }
}

template <class Arch>
void attention_weights(const AttentionShape& shape, std::size_t head, const float* q,
                       const float* k, float* scores, float* weights) noexcept {
  const std::size_t offset = head * shape.head_dim;
  for (std::size_t i = 0; i < shape.queries; ++i) {
    const std::size_t seen = shape.keys - shape.queries + i + 1;
    float* const row = (scores != nullptr ? scores : weights) + i * shape.keys;
    for (std::size_t j = 0; j < seen; ++j)
      row[j] = shape.scale * attention::dot<Arch>(q + i * shape.q_stride + offset,
                                                  k + j * shape.k_stride + offset, shape.head_dim);
    if (weights != nullptr) {
      float* const to = weights + i * shape.keys;
      attention::softmax_row<Arch>(row, seen, to);
      for (std::size_t j = seen; j < shape.keys; ++j) to[j] = 0.0f;
    }
    if (scores != nullptr)
      for (std::size_t j = seen; j < shape.keys; ++j) row[j] = -__builtin_inff();
  }
}

}  // namespace
}  // namespace glassgpt::kernels
