// The per-ISA part of the matrix product: packing, and the product of packed blocks.
//
// Packed numbers are 32-bit words, held as floats: a float32, or two bfloat16 of consecutive k (the
// lower half has the even one), so that one broadcast of A and one load of B feed either kind of
// multiplication. Packed A holds `rows` rows of op(A) in tiles of at most mr rows (as even as they
// go), each tile in blocks of kGemmKBlock words of k, each block as mr rows gemm_a_stride(...)
// apart: a row's words lie side by side, and all addresses of a block are one pointer plus
// constants. Where the CPU cannot multiply bfloat16, packed A has a float32 for each. Packed
// B holds panels of nr columns, each as k / k_per_word (rounded up) rows of nr words, zero beyond
// the last column and the last k.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Sums run in ascending k within blocks of this many words, and the blocks are added in ascending
// order: the precision and the bytes of a result depend on it.
inline constexpr std::size_t kGemmKBlock = 512;
// Floats from one row of a packed block of A to the next: a cache line more than a block, so that
// the rows of a tile do not meet in the same set of a cache.
constexpr std::size_t gemm_a_stride(std::size_t floats_per_word) noexcept {
  return kGemmKBlock * floats_per_word + 16;
}
// Rows of one call of GemmBlockFn, in tiles: its partial sums lie on the stack.
inline constexpr std::size_t kGemmMaxTiles = 16;

// C[rows, cols] = A B (+ C) (+ bias) (+ residual).
struct GemmBlock {
  std::size_t rows, cols;  // rows <= kGemmMaxTiles * mr
  std::size_t words;       // of k, per row of A; may be 0
  const float* a;          // packed
  const float* b;          // packed panels, `panel_stride` words apart
  std::size_t panel_stride;
  bool b_is_small;  // all of B, of which these panels may be a part, stays in an inner cache
  float* c;
  std::size_t c_stride;
  bool accumulate;
  const float* bias;      // [cols] or null
  float* pre_activation;  // the sum with the bias, before the residual; or null
  std::size_t pre_activation_stride;
  const float* residual;  // or null
  std::size_t residual_stride;
};
using GemmBlockFn = void(const GemmBlock& block) noexcept;

// Packs op(A)[rows, k], element (i, k) at a[i * stride + k], or a[k * stride + i] when transposed.
using GemmPackAFn = void(std::size_t rows, std::size_t k, const float* a, std::size_t stride,
                         bool transposed, float* packed) noexcept;

// Packs op(B)[k, cols], element (k, j) at b[k * stride + j], or b[j * stride + k] when transposed,
// into the rows that begin at `packed` of panels that lie panel_stride words apart.
using GemmPackBFn = void(std::size_t k, std::size_t cols, const float* b, std::size_t stride,
                         bool transposed, float* packed, std::size_t panel_stride) noexcept;

struct GemmKernel {
  std::size_t mr, nr;
  std::size_t k_per_word;
  std::size_t a_floats_per_word;
  GemmPackAFn* pack_a;
  GemmPackBFn* pack_b;
  GemmBlockFn* block;

  std::size_t words(std::size_t k) const noexcept { return (k + k_per_word - 1) / k_per_word; }
};

}  // namespace glassgpt::kernels
