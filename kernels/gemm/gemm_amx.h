// The bfloat16 product on AMX: tiles of 16 x 16 sums in registers of their own, and one instruction
// that adds to each of them 32 products. Packed forms and contract are those of gemm_simd.h; only
// what a block does is written anew. Source: Intel, Architecture Instruction Set Extensions
// Programming Reference, chapter 3 (TDPBF16PS).
//
// Per 16 words of k, two tiles of A and two of B feed four products, so that each operand is loaded
// for two of them. Each sum is: for every 16 words, the even products in ascending k and the odd
// ones likewise (fused, from 0), both added, and that to the sum; missing words of the last 16 are
// 0. Subnormal numbers are taken for 0.
#pragma once

#include "kernels/gemm/gemm_simd.h"

#if defined(__AMX_BF16__)

namespace glassgpt::kernels {
namespace {

struct AmxTile {  // two tile registers high, two wide
  static constexpr std::size_t kRows = 32, kVectors = 2, kPairRows = 1, kQuadRows = 1;
};

template <class Arch>
struct GemmAmx {
  using G = Gemm<Arch, BFloat16Numbers, AmxTile>;
  static constexpr std::size_t kTileRows = 16, kTileWords = 16, kLineBytes = 64;
  static constexpr std::size_t kAStrideBytes = G::kAStride * sizeof(float);
  static constexpr std::size_t kBStrideBytes = G::kCols * sizeof(float);
  // Of B, a quarter of a first-level cache: with as much of A it stays there for all tiles.
  static constexpr std::size_t kStepWords = 128;

  // What LDTILECFG reads.
  struct alignas(64) TileConfiguration {
    std::uint8_t palette = 1, start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  };

  // Tiles 0 to 3 are the sums (upper left, upper right, lower left, lower right), 4 and 5 rows of
  // A, 6 and 7 columns of B. Unused rows cost time, so there are none.
  static void configure(std::size_t rows) noexcept {
    const std::size_t upper = smaller(rows, kTileRows);
    const std::size_t lower = rows > kTileRows ? rows - kTileRows : upper;
    const std::size_t tile_rows[] = {upper, upper, lower, lower, upper, lower, 16, 16};
    TileConfiguration configuration;
    for (std::size_t t = 0; t < 8; ++t) {
      configuration.row_bytes[t] = kLineBytes;
      configuration.rows[t] = static_cast<std::uint8_t>(tile_rows[t]);
    }
    _tile_loadconfig(&configuration);
  }

  template <bool TwoHigh>
  static void load_sums(const float* c, std::size_t stride) noexcept {
    const std::size_t bytes = stride * sizeof(float);
    _tile_loadd(0, c, bytes);
    _tile_loadd(1, c + 16, bytes);
    if constexpr (TwoHigh) {
      _tile_loadd(2, c + kTileRows * stride, bytes);
      _tile_loadd(3, c + kTileRows * stride + 16, bytes);
    }
  }

  template <bool TwoHigh>
  static void store_sums(float* c, std::size_t stride) noexcept {
    const std::size_t bytes = stride * sizeof(float);
    _tile_stored(0, c, bytes);
    _tile_stored(1, c + 16, bytes);
    if constexpr (TwoHigh) {
      _tile_stored(2, c + kTileRows * stride, bytes);
      _tile_stored(3, c + kTileRows * stride + 16, bytes);
    }
  }

  template <bool TwoHigh>
  static void multiply(const float* a, std::size_t a_bytes, const float* b) noexcept {
    _tile_loadd(6, b, kBStrideBytes);
    _tile_loadd(7, b + 16, kBStrideBytes);
    _tile_loadd(4, a, a_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (TwoHigh) {
      _tile_loadd(5, a + kTileRows * a_bytes / sizeof(float), a_bytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }

  // Part of a tile of C: some words of k.
  struct Step {
    std::size_t row, rows, col, width;  // in C
    std::size_t words;
    const float *a, *b;
    const float* b_rest;  // the last words that are not 16, filled up with 0
    bool first, last;
    float* sums;  // [kRows, kCols] of the steps before, or what they started from
  };

  // A store that misses waits for its line, and the next store for it: so C's lines are asked for
  // while its sums are computed, a few rows with each word. Into the second cache, for rows that
  // are a power of two apart would put each other out of the first.
  static void prefetch_rows(const GemmBlock& g, const Step& step, std::size_t part) noexcept {
    constexpr std::size_t kRowsAtOnce = G::kRows * kTileWords / kStepWords;
    const std::size_t begin = smaller(part * kRowsAtOnce, step.rows);
    const std::size_t end = smaller(begin + kRowsAtOnce, step.rows);
    for (std::size_t i = begin; i < end; ++i) {
      const float* c = g.c + (step.row + i) * g.c_stride + step.col;
      __builtin_prefetch(c, 1, 2);
      __builtin_prefetch(c + smaller(G::kCols, step.width) - 1, 1, 2);
    }
  }

  // Panels lie one behind the other, so B is one stream: the first tile asks for what is a block
  // ahead.
  static void prefetch_b(const float* b) noexcept {
    for (std::size_t line = 0; line < kTileWords * kBStrideBytes / kLineBytes; ++line)
      __builtin_prefetch(b + G::kAhead + line * G::kLine, 0, 2);
  }

  template <bool TwoHigh>
  static void tile(const GemmBlock& g, const Step& step) noexcept {
    float* c = g.c + step.row * g.c_stride + step.col;
    const bool whole = step.width == G::kCols;
    if (!step.first) {
      load_sums<TwoHigh>(step.sums, G::kCols);
    } else if (!g.accumulate) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    } else if (whole) {
      load_sums<TwoHigh>(c, g.c_stride);
    } else {
      G::start(g, step.rows, step.row, step.col, step.sums);
      load_sums<TwoHigh>(step.sums, G::kCols);
    }
    std::size_t k = 0;
    for (; k + kTileWords <= step.words; k += kTileWords) {
      if (step.last) prefetch_rows(g, step, k / kTileWords);
      if (step.row == 0) prefetch_b(step.b + k * G::kCols);
      multiply<TwoHigh>(step.a + k, kAStrideBytes, step.b + k * G::kCols);
    }
    if (k < step.words) {
      alignas(64) float rest[G::kRows * kTileWords] = {};
      for (std::size_t i = 0; i < step.rows; ++i)
        std::memcpy(rest + i * kTileWords, step.a + i * G::kAStride + k,
                    (step.words - k) * sizeof(float));
      multiply<TwoHigh>(rest, kTileWords * sizeof(float), step.b_rest);
    }
    const bool plain = g.bias == nullptr && g.pre_activation == nullptr && g.residual == nullptr;
    if (step.last && plain && whole) return store_sums<TwoHigh>(c, g.c_stride);
    store_sums<TwoHigh>(step.sums, G::kCols);
    if (step.last) G::finish(g, step.rows, step.row, step.col, step.width, step.sums);
  }

  static void block(const GemmBlock& g) noexcept {
    alignas(64) float sums[kGemmMaxTiles * G::kRows * G::kCols];
    alignas(64) float b_rest[kTileWords * G::kCols];
    const std::size_t tiles = (g.rows + G::kRows - 1) / G::kRows;
    const std::size_t a_blocks = (g.words + kGemmKBlock - 1) / kGemmKBlock;
    std::size_t configured = 0;
    for (std::size_t col = 0; col < g.cols; col += G::kCols) {
      const float* panel = g.b + col / G::kCols * g.panel_stride;
      std::size_t word = 0;
      // An empty sum is one step of nothing: the epilogue still applies.
      do {
        const std::size_t words = smaller(kStepWords, g.words - word);
        const std::size_t whole = words / kTileWords * kTileWords, rest = words - whole;
        if (rest > 0) {
          std::memcpy(b_rest, panel + (word + whole) * G::kCols, rest * kBStrideBytes);
          std::memset(b_rest + rest * G::kCols, 0, (kTileWords - rest) * kBStrideBytes);
        }
        for (std::size_t t = 0; t < tiles; ++t) {
          const std::size_t row = G::first_row(t, tiles, g.rows);
          const std::size_t rows = G::first_row(t + 1, tiles, g.rows) - row;
          if (rows != configured) configure(configured = rows);
          const Step step{
              .row = row,
              .rows = rows,
              .col = col,
              .width = smaller(G::kCols, g.cols - col),
              .words = words,
              .a = g.a + (t * a_blocks + word / kGemmKBlock) * G::kTileBlock + word % kGemmKBlock,
              .b = panel + word * G::kCols,
              .b_rest = b_rest,
              .first = word == 0,
              .last = word + words == g.words,
              .sums = sums + t * G::kRows * G::kCols};
          if (rows > kTileRows)
            tile<true>(g, step);
          else
            tile<false>(g, step);
        }
        word += words;
      } while (word < g.words);
    }
    _tile_release();
  }

  static constexpr GemmKernel kKernel = {G::kRows,  G::kCols,  G::kPerWord, G::kAFloats,
                                         G::pack_a, G::pack_b, block};
};

}  // namespace
}  // namespace glassgpt::kernels

#endif
