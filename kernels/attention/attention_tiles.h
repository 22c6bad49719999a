// The pieces that attention's forward and backward passes share: register tiles, packing, 2^x.
//
// In an anonymous namespace, compiled once per ISA: see kernels/simd.h for why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/simd.h"

namespace glassgpt::kernels {
namespace {
namespace attention {

// A tile of `kRows` rows by two vectors stays in registers while a product runs over its inner
// dimension: with 32 vector registers 16 accumulators, two vectors of B and a broadcast of A, with
// 16 registers 12 accumulators. Both are more than the four (512 bits) or eight (256 bits, two
// units) sums that must be in flight to hide the FMA's latency of four cycles.
template <class Arch>
struct TileSizes {
  static constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  static constexpr bool kManyRegisters = kLanes == 16 || std::is_same_v<Arch, xsimd::neon64>;
  static constexpr std::size_t kRows = kManyRegisters ? 8 : 6;
  static constexpr std::size_t kPanel = 2 * kLanes;  // keys side by side in a packed panel
};

// Calls f with 0 .. N-1 as compile-time constants: unrolls, so that accumulators become registers.
template <std::size_t N, class F>
[[gnu::always_inline]] inline void unroll(F&& f) {
  [&]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    (f(std::integral_constant<std::size_t, i>{}), ...);
  }
  (std::make_index_sequence<N>{});
}

// Cuts [begin, end) into tiles of kRows rows, then 4, 2 and 1, and calls f(first row, rows as a
// constant).
template <class Arch, class F>
inline void for_each_row_tile(std::size_t begin, std::size_t end, F&& f) {
  constexpr std::size_t kRows = TileSizes<Arch>::kRows;
  std::size_t row = begin;
  for (; row + kRows <= end; row += kRows) f(row, std::integral_constant<std::size_t, kRows>{});
  if (row + 4 <= end) f(row, std::integral_constant<std::size_t, 4>{}), row += 4;
  if (row + 2 <= end) f(row, std::integral_constant<std::size_t, 2>{}), row += 2;
  if (row < end) f(row, std::integral_constant<std::size_t, 1>{});
}

// Calls f(offset, vectors as a constant) for every two vectors of a padded row, and one that may be
// left.
template <class Arch, class F>
inline void for_each_vector_pair(std::size_t width, F&& f) {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  std::size_t d = 0;
  for (; d + 2 * kLanes <= width; d += 2 * kLanes) f(d, std::integral_constant<std::size_t, 2>{});
  if (d < width) f(d, std::integral_constant<std::size_t, 1>{});
}

// Rows x Vectors accumulators.
template <class Arch, std::size_t Rows, std::size_t Vectors>
struct Tile {
  using S = Simd<Arch>;
  using F32 = typename S::F32;
  F32 sum[Rows][Vectors];

  [[gnu::always_inline]] void set_zero() noexcept {
    unroll<Rows>([&](auto r) __attribute__((always_inline)) {
      unroll<Vectors>([&](auto v) __attribute__((always_inline)) { sum[r][v] = S::set(0.0f); });
    });
  }
  [[gnu::always_inline]] void load(const float* from, std::size_t stride) noexcept {
    unroll<Rows>([&](auto r) __attribute__((always_inline)) {
      unroll<Vectors>([&](auto v) __attribute__((always_inline)) {
        sum[r][v] = S::load(from + r * stride + v * S::kLanes);
      });
    });
  }
  [[gnu::always_inline]] void store(float* to, std::size_t stride) const noexcept {
    unroll<Rows>([&](auto r) __attribute__((always_inline)) {
      unroll<Vectors>([&](auto v) __attribute__((always_inline)) {
        S::store(to + r * stride + v * S::kLanes, sum[r][v]);
      });
    });
  }
  // sum[r][v] += a[r * a_row] * b[v], one step of the inner dimension, for rows First .. End - 1.
  // Every two vectors of b lie b_panel apart.
  template <std::size_t First = 0, std::size_t End = Rows>
  [[gnu::always_inline]] void step(const float* a, std::size_t a_row, const float* b,
                                   std::size_t b_panel = 2 * S::kLanes) noexcept {
    F32 row_of_b[Vectors];
    unroll<Vectors>([&](auto v) __attribute__((always_inline)) {
      row_of_b[v] = S::load(b + v / 2 * b_panel + v % 2 * S::kLanes);
    });
    unroll<End - First>([&](auto i) __attribute__((always_inline)) {
      constexpr std::size_t r = First + i;
      const F32 element = S::set(a[r * a_row]);
      unroll<Vectors>([&](auto v) __attribute__((always_inline)) {
        sum[r][v] = S::fma(element, row_of_b[v], sum[r][v]);
      });
    });
  }
};

// Vectors of `width` floats, rounded up to whole vectors.
template <class Arch>
constexpr std::size_t padded(std::size_t width) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  return (width + kLanes - 1) / kLanes * kLanes;
}

// The first n floats of the vector at p, the others 0; n may exceed the lanes.
template <class Arch>
[[gnu::always_inline]] inline typename Simd<Arch>::F32 load_first(const float* p,
                                                                  std::size_t n) noexcept {
  return n >= Simd<Arch>::kLanes ? Simd<Arch>::load(p) : Simd<Arch>::load_partial(p, n);
}
template <class Arch>
[[gnu::always_inline]] inline void store_first(float* p, typename Simd<Arch>::F32 v,
                                               std::size_t n) noexcept {
  if (n >= Simd<Arch>::kLanes)
    Simd<Arch>::store(p, v);
  else
    Simd<Arch>::store_partial(p, v, n);
}

// to[r][0 .. padded(width)) = factor * from[r][0 .. width), zeros behind.
template <class Arch>
inline void copy_rows(const float* from, std::size_t stride, std::size_t rows, std::size_t width,
                      float factor, float* to) noexcept {
  using S = Simd<Arch>;
  const auto scale = S::set(factor);
  for (std::size_t r = 0; r < rows; ++r, from += stride, to += padded<Arch>(width))
    for (std::size_t d = 0; d < width; d += S::kLanes)
      S::store(to + d, load_first<Arch>(from + d, width - d) * scale);
}

// The way back: to[r][0 .. width) = factor * from[r][0 .. width) for rows of padded(width).
template <class Arch>
inline void store_rows(const float* from, std::size_t rows, std::size_t width, float factor,
                       float* to, std::size_t stride) noexcept {
  using S = Simd<Arch>;
  const auto scale = S::set(factor);
  for (std::size_t r = 0; r < rows; ++r, from += padded<Arch>(width), to += stride)
    for (std::size_t d = 0; d < width; d += S::kLanes)
      store_first<Arch>(to + d, S::load(from + d) * scale, width - d);
}

// One of log2(lanes) perfect shuffles: rows i and i + lanes/2, interleaved, become rows 2i and 2i
// + 1. Doing it log2(lanes) times turns the square of registers over its diagonal.
template <class Arch, std::size_t... lane>
[[gnu::always_inline]] inline void shuffle_square(typename Simd<Arch>::F32* rows,
                                                  std::index_sequence<lane...>) noexcept {
  using F32 = typename Simd<Arch>::F32;
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  constexpr std::size_t kHalf = kLanes / 2;
  F32 result[kLanes];
  unroll<kHalf>([&](auto i) __attribute__((always_inline)) {
    const auto low = rows[i].data, high = rows[i + kHalf].data;
    result[2 * i] = F32(__builtin_shufflevector(low, high, (lane / 2 + (lane % 2) * kLanes)...));
    result[2 * i + 1] =
        F32(__builtin_shufflevector(low, high, (kHalf + lane / 2 + (lane % 2) * kLanes)...));
  });
  unroll<kLanes>([&](auto i) __attribute__((always_inline)) { rows[i] = result[i]; });
}

// The largest lane, by halving: max takes lane i and lane i XOR distance together.
template <class Arch, std::size_t distance, std::size_t... lane>
[[gnu::always_inline]] inline typename Simd<Arch>::F32 max_with_distant_lane(
    typename Simd<Arch>::F32 a, std::index_sequence<lane...>) noexcept {
  using F32 = typename Simd<Arch>::F32;
  return Simd<Arch>::max(a, F32(__builtin_shufflevector(a.data, a.data, (lane ^ distance)...)));
}
template <class Arch, std::size_t distance = Simd<Arch>::kLanes / 2>
[[gnu::always_inline]] inline float largest_lane(typename Simd<Arch>::F32 a) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  if constexpr (kLanes == 1) {
    return a;
  } else if constexpr (distance == 0) {
    return a.data[0];
  } else {
    return largest_lane<Arch, distance / 2>(
        max_with_distant_lane<Arch, distance>(a, std::make_index_sequence<kLanes>{}));
  }
}

// lanes x lanes floats, turned over the diagonal in registers.
template <class Arch>
[[gnu::always_inline]] inline void transpose_square(typename Simd<Arch>::F32* rows) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  if constexpr (kLanes > 1) {
    for (std::size_t width = kLanes; width > 1; width /= 2)
      shuffle_square<Arch>(rows, std::make_index_sequence<kLanes>{});
  }
}

// One square of pack_transposed: `rows` rows of `width` floats, both at most lanes, become `width`
// vectors to_stride apart.
template <class Arch>
[[gnu::always_inline]] inline void pack_square(const float* from, std::size_t stride,
                                               std::size_t rows, std::size_t width, float* to,
                                               std::size_t to_stride) noexcept {
  using S = Simd<Arch>;
  constexpr std::size_t kLanes = S::kLanes;
  typename S::F32 square[kLanes];
  if (rows == kLanes && width == kLanes) {
    unroll<kLanes>([&](auto i)
                       __attribute__((always_inline)) { square[i] = S::load(from + i * stride); });
    transpose_square<Arch>(square);
    unroll<kLanes>([&](auto i)
                       __attribute__((always_inline)) { S::store(to + i * to_stride, square[i]); });
  } else {
    for (std::size_t i = 0; i < kLanes; ++i)
      square[i] = i < rows ? load_first<Arch>(from + i * stride, width) : S::set(0.0f);
    transpose_square<Arch>(square);
    for (std::size_t i = 0; i < width; ++i) S::store(to + i * to_stride, square[i]);
  }
}

// Rows of `width` floats become panels of 2 * lanes columns: to[panel][d][column] = from[panel *
// kPanel + column][d]. Columns behind the last row are 0.
template <class Arch>
inline void pack_transposed(const float* from, std::size_t stride, std::size_t rows,
                            std::size_t width, float* to) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  constexpr std::size_t kPanel = TileSizes<Arch>::kPanel;
  const auto at_most_lanes = [](std::size_t n) { return n < kLanes ? n : kLanes; };
  for (std::size_t row = 0; row < rows; row += kPanel, to += width * kPanel)
    for (std::size_t column = 0; column < kPanel; column += kLanes) {
      const std::size_t first = row + column;
      const std::size_t left = first < rows ? at_most_lanes(rows - first) : 0;
      for (std::size_t d = 0; d < width; d += kLanes)
        pack_square<Arch>(from + first * stride + d, stride, left, at_most_lanes(width - d),
                          to + d * kPanel + column, kPanel);
    }
}

// scores[r][j] = q[r] . k[j] for keys that lie in panels of [head_dim, kPanel]; d runs upwards.
template <class Arch, std::size_t Rows, std::size_t Vectors>
[[gnu::noinline]] void score_tile(const float* __restrict q, std::size_t q_row,
                                  const float* __restrict k, std::size_t k_panel, std::size_t width,
                                  float* __restrict scores, std::size_t scores_row) noexcept {
  Tile<Arch, Rows, Vectors> tile;
  tile.set_zero();
  for (std::size_t d = 0; d < width; ++d)
    tile.step(q + d, q_row, k + d * TileSizes<Arch>::kPanel, k_panel);
  tile.store(scores, scores_row);
}

// The same for `keys` packed keys, rounded up to whole vectors.
template <class Arch, std::size_t Rows>
void score_rows(const float* q, std::size_t q_row, const float* k, std::size_t width,
                std::size_t keys, float* scores, std::size_t scores_row) noexcept {
  constexpr std::size_t kLanes = Simd<Arch>::kLanes;
  constexpr std::size_t kPanel = TileSizes<Arch>::kPanel;
  // Few rows take several panels at once, for enough sums in flight.
  constexpr std::size_t kPanels = Rows == 1 ? 4 : Rows == 2 ? 2 : 1;
  const std::size_t panel_size = width * kPanel;
  std::size_t j = 0;
  const auto advance = [&]<std::size_t Vectors>(std::integral_constant<std::size_t, Vectors>) {
    score_tile<Arch, Rows, Vectors>(q, q_row, k + j * width, panel_size, width, scores + j,
                                    scores_row);
    j += Vectors * kLanes;
  };
  while (j + (kPanels - 1) * kPanel + kLanes < keys)
    advance(std::integral_constant<std::size_t, 2 * kPanels>{});
  while (j + kLanes < keys) advance(std::integral_constant<std::size_t, 2>{});
  if (j < keys) advance(std::integral_constant<std::size_t, 1>{});
}

// Cuts pieces that start on cache lines out of a scratch of unknown alignment. Given null, only
// counts.
class Carver {
 public:
  explicit Carver(float* scratch) noexcept
      : next_(
            reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(scratch) + 63) / 64 * 64)) {}
  float* operator()(std::size_t floats) noexcept {
    float* const piece = next_;
    const std::size_t whole_lines = (floats + 15) / 16 * 16;
    next_ = reinterpret_cast<float*>(reinterpret_cast<std::uintptr_t>(next_) +
                                     whole_lines * sizeof(float));
    size_ += whole_lines;
    return piece;
  }
  std::size_t size() const noexcept { return size_; }

 private:
  float* next_;
  std::size_t size_ = 15;
};

constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kLn2 = 0x1.62e430p-1f;

// 2^x for x <= 127, which scores less their maximum (or their log-sum-exp) are: no overflow to
// handle. x = n + f with n the nearest integer; the polynomial in f is the minimax one of degree 6
// with its coefficients rounded to float one after the other (relative error 3e-9); n goes into the
// exponent's bits. Results below 2^-126 are off by up to 2^-126, as they would be subnormal; at and
// below -127, where f is 0, the exponent's bits are all that is left, and 0: 2^-infinity is exactly
// 0. 2^0 is exactly 1, and NaN gives NaN.
template <class Arch>
[[gnu::always_inline]] inline typename Simd<Arch>::F32 exp2_below_127(
    typename Simd<Arch>::F32 x) noexcept {
  using S = Simd<Arch>;
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
  const auto magic = S::set(0x1.8p23f);
  const auto clamped = S::max(S::set(-127.0f), x);
  const auto shifted = clamped + magic;
  const auto f = clamped - (shifted - magic);
  auto p = S::set(0x1.417aaap-13f);
  p = S::fma(p, f, S::set(0x1.5f094ap-10f));
  p = S::fma(p, f, S::set(0x1.3b2dd2p-7f));
  p = S::fma(p, f, S::set(0x1.c6af7ap-5f));
  p = S::fma(p, f, S::set(0x1.ebfbdcp-3f));
  p = S::fma(p, f, S::set(0x1.62e430p-1f));
  p = S::fma(p, f, S::set(1.0f));
  return S::bits_to_float(S::float_to_bits(p) + (S::float_to_bits(shifted) << 23));
}

// The lanes [0, n) of a vector, as a mask.
template <class Arch>
[[gnu::always_inline]] inline typename Simd<Arch>::Mask first_lanes(std::size_t n) noexcept {
  static constexpr float kIndex[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return Simd<Arch>::load(kIndex) < Simd<Arch>::set(static_cast<float>(n));
}

}  // namespace attention
}  // namespace
}  // namespace glassgpt::kernels
