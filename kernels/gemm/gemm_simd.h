// The register-tiled matrix product, one template for every ISA: see gemm.h for the contract and
// gemm_kernel.h for the packed forms.
//
// A tile of C, Rows x (Vectors * lanes), stays in registers while k runs. Per k: Vectors loads of
// B, Rows broadcasts of A, Rows * Vectors FMAs. Each element of C is one chain of FMAs in ascending
// k whatever the tile's height, which is why a row's bytes do not depend on how many rows came with
// it.
#pragma once

#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/gemm/gemm_kernel.h"
#include "kernels/gemm/gemm_numbers_simd.h"
#include "kernels/simd.h"

namespace glassgpt::kernels {
namespace {

// The largest tile that the registers hold beside Vectors loads of B and a broadcast. It must have
// at least (latency x FMAs per cycle) independent chains (8 to 10), and the more rows it has the
// fewer times B is read.
template <class Arch>
struct GemmTile {  // sse2 and avx2: 16 registers: 6 x 2 sums, 2 of B, 1 broadcast
  static constexpr std::size_t kRows = 6, kVectors = 2, kPairRows = 2, kQuadRows = 1;
};
template <>
struct GemmTile<ScalarArch> {  // the compiler may use four lanes of the baseline for the four
                               // columns
  static constexpr std::size_t kRows = 4, kVectors = 4, kPairRows = 2, kQuadRows = 1;
};
#if defined(__AVX512F__)
template <>
struct GemmTile<xsimd::avx512bw> {  // 32 registers: 12 x 2 sums; 24 FMAs for 14 loads per k
  static constexpr std::size_t kRows = 12, kVectors = 2, kPairRows = 6, kQuadRows = 2;
};
#endif
#if defined(__aarch64__)
template <>
struct GemmTile<xsimd::neon64> {  // 32 registers: 8 x 3 sums, 3 of B, 2 of A
  static constexpr std::size_t kRows = 8, kVectors = 3, kPairRows = 4, kQuadRows = 1;
};
#endif

template <std::size_t Count, class Body>
[[gnu::always_inline]] inline void unrolled(Body&& body) noexcept {
  [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
    (body(std::integral_constant<std::size_t, I>{}), ...);
  }
  (std::make_index_sequence<Count>{});
}

// dst[j * dst_stride + i] = src[i * src_stride + j] for i, j < 4.
inline void transpose_4x4(const float* src, std::size_t src_stride, float* dst,
                          std::size_t dst_stride) noexcept {
  using Float4 [[gnu::vector_size(16)]] = float;
  Float4 r[4];
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(&r[i], src + i * src_stride, sizeof r[i]);
  const Float4 lo01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
  const Float4 hi01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
  const Float4 lo23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
  const Float4 hi23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
  const Float4 out[4] = {__builtin_shufflevector(lo01, lo23, 0, 1, 4, 5),
                         __builtin_shufflevector(lo01, lo23, 2, 3, 6, 7),
                         __builtin_shufflevector(hi01, hi23, 0, 1, 4, 5),
                         __builtin_shufflevector(hi01, hi23, 2, 3, 6, 7)};
  for (std::size_t j = 0; j < 4; ++j) std::memcpy(dst + j * dst_stride, &out[j], sizeof out[j]);
}

// dst[j * dst_stride + i] = src[i * src_stride + j] for i < rows, j < cols: four source rows at a
// time, whole cache lines of them.
inline void transpose(std::size_t rows, std::size_t cols, const float* src, std::size_t src_stride,
                      float* dst, std::size_t dst_stride) noexcept {
  std::size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    std::size_t j = 0;
    for (; j + 4 <= cols; j += 4)
      transpose_4x4(src + i * src_stride + j, src_stride, dst + j * dst_stride + i, dst_stride);
    for (; j < cols; ++j)
      for (std::size_t r = i; r < i + 4; ++r) dst[j * dst_stride + r] = src[r * src_stride + j];
  }
  for (; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) dst[j * dst_stride + i] = src[i * src_stride + j];
}

inline std::size_t smaller(std::size_t a, std::size_t b) noexcept { return a < b ? a : b; }

template <class Arch, template <class> class Numbers, class Tile = GemmTile<Arch>>
struct Gemm {
  using S = Simd<Arch>;
  using N = Numbers<Arch>;
  using F32 = typename S::F32;
  static constexpr std::size_t kRows = Tile::kRows;
  static constexpr std::size_t kVectors = Tile::kVectors;
  static constexpr std::size_t kPairRows = Tile::kPairRows;
  static constexpr std::size_t kQuadRows = Tile::kQuadRows;
  static constexpr std::size_t kLanes = S::kLanes;
  static constexpr std::size_t kCols = kVectors * kLanes;
  static constexpr std::size_t kPerWord = N::kPerWord;
  static constexpr std::size_t kAFloats = N::kSplitsA ? kPerWord : 1;  // packed, per word
  static constexpr std::size_t kAStride = gemm_a_stride(kAFloats);
  static constexpr std::size_t kTileBlock = kRows * kAStride;  // floats of a packed block of A

  // Rows of packed A's tile t of `tiles`: as even as they go, so that no tile is left with one row.
  static std::size_t first_row(std::size_t t, std::size_t tiles, std::size_t rows) noexcept {
    return t * rows / tiles;
  }

  static void pack_a(std::size_t rows, std::size_t k, const float* a, std::size_t stride,
                     bool transposed, float* packed) noexcept {
    constexpr std::size_t kChunk = 16;  // words: a cache line of each packed row
    constexpr std::size_t kBlock = kGemmKBlock * kPerWord;
    const std::size_t tiles = (rows + kRows - 1) / kRows;
    const std::size_t blocks = (k + kBlock - 1) / kBlock;
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t count = smaller(kBlock, k - block * kBlock);
      const std::size_t step = transposed ? kChunk * kPerWord : count;
      for (std::size_t done = 0; done < count; done += step) {
        for (std::size_t t = 0; t < tiles; ++t) {
          const std::size_t begin = first_row(t, tiles, rows), end = first_row(t + 1, tiles, rows);
          float* to = packed + (t * blocks + block) * kTileBlock + done / kPerWord * kAFloats;
          const std::size_t from_k = block * kBlock + done;
          if (transposed) {
            float words[kChunk * kRows];
            const std::size_t values = smaller(step, count - done);
            const std::size_t filled = (values + kPerWord - 1) / kPerWord;
            N::pack_columns(values, end - begin, a + from_k * stride + begin, stride, words, kRows);
            transpose(filled, end - begin, words, kRows, words_of_row(to, filled), kAStride);
            split_rows(end - begin, filled, to);
          } else {
            const std::size_t filled = (count + kPerWord - 1) / kPerWord;
            float* row_words = words_of_row(to, filled);
            for (std::size_t i = begin; i < end; ++i)
              N::pack_row(count, a + i * stride + from_k, row_words + (i - begin) * kAStride);
            split_rows(end - begin, filled, to);
          }
        }
      }
    }
  }

  // Where A's words are split they are first packed behind the place where their halves begin.
  static float* words_of_row(float* to, std::size_t words) noexcept {
    return to + (kAFloats - 1) * words;
  }
  static void split_rows([[maybe_unused]] std::size_t rows, [[maybe_unused]] std::size_t words,
                         [[maybe_unused]] float* to) noexcept {
    if constexpr (N::kSplitsA)
      for (std::size_t i = 0; i < rows; ++i, to += kAStride)
        N::split(words, words_of_row(to, words), to);
  }

  static void pack_b(std::size_t k, std::size_t cols, const float* b, std::size_t stride,
                     bool transposed, float* packed, std::size_t panel_stride) noexcept {
    // Values of k at a time: read in order, written 16 rows of a panel at a time.
    constexpr std::size_t kChunk = 16 * kPerWord;
    for (std::size_t first_k = 0; first_k < k; first_k += kChunk) {
      const std::size_t count = smaller(kChunk, k - first_k);
      const std::size_t rows = (count + kPerWord - 1) / kPerWord;
      for (std::size_t j = 0; j < cols; j += kCols) {
        const std::size_t width = smaller(kCols, cols - j);
        float* to = packed + j / kCols * panel_stride + first_k / kPerWord * kCols;
        if (transposed) {
          float words[kCols * 16];
          for (std::size_t n = 0; n < width; ++n)
            N::pack_row(count, b + (j + n) * stride + first_k, words + n * 16);
          transpose(width, rows, words, 16, to, kCols);
        } else {
          N::pack_columns(count, width, b + first_k * stride + j, stride, to, kCols);
        }
        if (width < kCols)
          for (std::size_t i = 0; i < rows; ++i)
            std::memset(to + i * kCols + width, 0, (kCols - width) * sizeof(float));
      }
    }
  }

  // How far a tile has come: its place in C and in the blocks of k.
  struct TileStep {
    std::size_t words;            // of this block
    const float *a, *b;           // of this block
    std::size_t row, col, width;  // in C; width counts the columns of all panels of this tile
    bool first, last;             // block of k; `sums` hold nothing before the first
    float* sums;                  // [Panels][kRows, kCols] of the blocks before
    // Lines of B's next block, per kAtOnce words of k, that this tile asks for.
    std::size_t first_line, last_line;
  };

  template <std::size_t Rows, std::size_t Panels>
  static void tile(const GemmBlock& g, const TileStep& step) noexcept {
    constexpr std::size_t kTileVectors = Panels * kVectors;
    F32 sum[Rows][kTileVectors];
    unrolled<Rows * kTileVectors>([&](auto i) __attribute__((always_inline)) {
      sum[i / kTileVectors][i % kTileVectors] = S::set(0.0f);
    });
    const float* a = step.a;
    const float* b = step.b;
    const std::size_t panel_stride = g.panel_stride;
    const auto multiply = [&]() __attribute__((always_inline)) {
      F32 b_row[kTileVectors];
      unrolled<kTileVectors>([&](auto v) __attribute__((always_inline)) {
        b_row[v] = S::load(b + (v / kVectors) * panel_stride + (v % kVectors) * kLanes);
        // Two or three rows are bound by loads, and GCC would load B for each.
        if constexpr (Rows == 2 || Rows == 3) keep_in_register(b_row[v]);
      });
      unrolled<Rows>([&](auto i) __attribute__((always_inline)) {
        unrolled<kTileVectors>([&](auto v) __attribute__((always_inline)) {
          sum[i][v] = N::multiply_add(a + i * kAStride, b_row[v], sum[i][v]);
        });
      });
      a += kAFloats;
      b += kCols;
    };
    std::size_t k = 0;
    for (; k + kAtOnce <= step.words; k += kAtOnce) {
      for (std::size_t line = step.first_line; line < step.last_line; ++line)
        __builtin_prefetch(b + kAhead + line * kLine, 0, 2);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kAtOnce; ++i) multiply();
    }
    for (; k < step.words; ++k) multiply();
    const auto place = [](auto i, auto v) __attribute__((always_inline)) {
      return (v / kVectors * kRows + i) * kCols + v % kVectors * kLanes;
    };
    if (!step.first)
      unrolled<Rows>([&](auto i) __attribute__((always_inline)) {
        unrolled<kTileVectors>([&](auto v) __attribute__((always_inline)) {
          sum[i][v] = S::load(step.sums + place(i, v)) + sum[i][v];
        });
      });
    const bool plain = g.bias == nullptr && g.pre_activation == nullptr && g.residual == nullptr &&
                       step.width == Panels * kCols;
    if (step.last && plain) {
      float* c = g.c + step.row * g.c_stride + step.col;
      unrolled<Rows>([&](auto i) __attribute__((always_inline)) {
        unrolled<kTileVectors>([&](auto v) __attribute__((always_inline)) {
          S::store(c + i * g.c_stride + v * kLanes, sum[i][v]);
        });
      });
      return;
    }
    unrolled<Rows>([&](auto i) __attribute__((always_inline)) {
      unrolled<kTileVectors>([&](auto v) __attribute__((always_inline)) {
        S::store(step.sums + place(i, v), sum[i][v]);
      });
    });
    if (!step.last) return;
    for (std::size_t panel = 0; panel < Panels; ++panel)
      finish(g, Rows, step.row, step.col + panel * kCols,
             smaller(kCols, step.width - panel * kCols), step.sums + panel * kRows * kCols);
  }

  // The sums of one panel's tile into C.
  static void finish(const GemmBlock& g, std::size_t rows, std::size_t row, std::size_t col,
                     std::size_t width, const float* sums) noexcept {
    for (std::size_t i = 0; i < rows; ++i) {
      float* c = g.c + (row + i) * g.c_stride + col;
      const float* bias = g.bias == nullptr ? nullptr : g.bias + col;
      float* pre = g.pre_activation == nullptr
                       ? nullptr
                       : g.pre_activation + (row + i) * g.pre_activation_stride + col;
      const float* residual =
          g.residual == nullptr ? nullptr : g.residual + (row + i) * g.residual_stride + col;
      for (std::size_t j = 0; j < width; j += kLanes) {
        const std::size_t n = smaller(kLanes, width - j);
        F32 x = S::load(sums + i * kCols + j);
        if (bias != nullptr) x = x + load(bias + j, n);
        if (pre != nullptr) store(pre + j, x, n);
        if (residual != nullptr) x = x + load(residual + j, n);
        store(c + j, x, n);
      }
    }
  }

  static F32 load(const float* p, std::size_t n) noexcept {
    return n == kLanes ? S::load(p) : S::load_partial(p, n);
  }
  static void store(float* p, F32 x, std::size_t n) noexcept {
    if (n == kLanes)
      S::store(p, x);
    else
      S::store_partial(p, x, n);
  }

  // Sums that start from C: they go on where the product of smaller k stopped, so that cuts in k
  // between blocks do not show.
  static void start(const GemmBlock& g, std::size_t rows, std::size_t row, std::size_t col,
                    float* sums) noexcept {
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < kCols && col + j < g.cols; j += kLanes) {
        const std::size_t n = smaller(kLanes, g.cols - col - j);
        S::store(sums + i * kCols + j, load(g.c + (row + i) * g.c_stride + col + j, n));
      }
  }

  // C lies beyond the inner caches: asking for the next tile's while this one is computed hides the
  // way.
  static void prefetch_c(const GemmBlock& g, std::size_t row, std::size_t col) noexcept {
    for (std::size_t i = row; i < smaller(row + kRows, g.rows); ++i)
      for (std::size_t j = 0; j < kCols; j += kLine)
        __builtin_prefetch(g.c + i * g.c_stride + smaller(col + j, g.cols - 1), 1);
  }

  // Panels and their blocks of k lie one behind the other, so B is one stream: what is a block
  // ahead is asked for now, each tile its share of the lines.
  static constexpr std::size_t kLine = 64 / sizeof(float);
  static constexpr std::size_t kAtOnce = 4;
  static constexpr std::size_t kLinesAtOnce = kAtOnce * kCols / kLine;
  static constexpr std::size_t kAhead = kGemmKBlock * kCols;

  using TileFn = void(const GemmBlock&, const TileStep&) noexcept;

  // Panels that a tile of `rows` rows takes at once, of `left`. Few rows have too few independent
  // sums to hide the FMA's latency. With more of them a pair is ahead only while B is in an inner
  // cache: from farther away asking for the next block gains more, and asking costs the place of a
  // load.
  static std::size_t panels_at_once(const GemmBlock& g, std::size_t left) noexcept {
    if (g.rows <= kQuadRows && left >= 4) return 4;
    return left >= 2 && (g.rows <= 2 || (g.b_is_small && g.rows <= kPairRows)) ? 2 : 1;
  }

  template <std::size_t Panels, std::size_t... I>
  static void run_tile(std::size_t rows, const GemmBlock& g, const TileStep& step,
                       std::index_sequence<I...>) noexcept {
    static constexpr TileFn* kTiles[] = {tile<I + 1, Panels>...};
    kTiles[rows - 1](g, step);
  }

  // Panels outside, blocks of k, then tiles: a block of a panel is read from memory once and serves
  // all rows while it is in cache.
  static void block(const GemmBlock& g) noexcept {
    alignas(64) float sums[kGemmMaxTiles * kRows * kCols];
    const std::size_t tiles = (g.rows + kRows - 1) / kRows;
    // An empty sum is one block of nothing: the epilogue still applies.
    const std::size_t blocks = g.words == 0 ? 1 : (g.words + kGemmKBlock - 1) / kGemmKBlock;
    std::size_t panels = 1;
    for (std::size_t col = 0; col < g.cols; col += panels * kCols) {
      panels = panels_at_once(g, (g.cols - col + kCols - 1) / kCols);
      const float* panel = g.b + col / kCols * g.panel_stride;
      for (std::size_t kb = 0; kb < blocks; ++kb) {
        for (std::size_t t = 0; t < tiles; ++t) {
          const std::size_t row = first_row(t, tiles, g.rows);
          const std::size_t rows = first_row(t + 1, tiles, g.rows) - row;
          float* tile_sums = sums + t * kRows * kCols;
          if (g.accumulate && kb == 0) {
            for (std::size_t p = 0; p < panels; ++p)
              start(g, rows, row, col + p * kCols, tile_sums + p * kRows * kCols);
            if (t + 1 < tiles)
              prefetch_c(g, row + rows, col);
            else if (col + panels * kCols < g.cols)
              prefetch_c(g, 0, col + panels * kCols);
          }
          const std::size_t words = smaller(kGemmKBlock, g.words - kb * kGemmKBlock);
          const float* b = panel + kb * kGemmKBlock * kCols;
          const TileStep step{.words = words,
                              .a = g.a + (t * blocks + kb) * kTileBlock,
                              .b = b,
                              .row = row,
                              .col = col,
                              .width = smaller(panels * kCols, g.cols - col),
                              .first = kb == 0 && !g.accumulate,
                              .last = kb + 1 == blocks,
                              .sums = tile_sums,
                              .first_line = panels > 1 ? 0 : t * kLinesAtOnce / tiles,
                              .last_line = panels > 1 ? 0 : (t + 1) * kLinesAtOnce / tiles};
          if (panels == 4)
            run_tile<4>(rows, g, step, std::make_index_sequence<kQuadRows>{});
          else if (panels == 2)
            run_tile<2>(rows, g, step, std::make_index_sequence<kPairRows>{});
          else
            run_tile<1>(rows, g, step, std::make_index_sequence<kRows>{});
        }
      }
    }
  }

  static constexpr GemmKernel kKernel = {kRows, kCols, kPerWord, kAFloats, pack_a, pack_b, block};
};

}  // namespace
}  // namespace glassgpt::kernels
