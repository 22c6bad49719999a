// The per-ISA part of the matrix product: packing, and the product of packed blocks.
//
// Packed A holds `rows` rows of op(A) in tiles of at most mr rows (as even as they go), each tile
// in blocks of gemm_k_block values of k, each block as mr rows gemm_a_stride apart: a row's values
// of k lie side by side, and all addresses of a block are one pointer plus constants. Packed B
// holds panels of nr columns, each as k rows of nr values, zero beyond the last column.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Sums run in ascending k within blocks of this many, and the blocks are added in ascending order:
// the precision and the bytes of a result depend on it.
inline constexpr std::size_t kGemmKBlock = 512;
// A cache line more than a block, so that the rows of a tile do not meet in the same set of a
// cache.
inline constexpr std::size_t kGemmAStride = kGemmKBlock + 16;
// Rows of one call of GemmBlockFn, in tiles: its partial sums lie on the stack.
inline constexpr std::size_t kGemmMaxTiles = 16;

// C[rows, cols] = A B (+ C) (+ bias) (+ residual).
struct GemmBlock {
  std::size_t rows, cols, k;  // rows <= kGemmMaxTiles * mr; k may be 0
  const float* a;             // packed
  const float* b;             // packed panels, `panel_stride` floats apart
  std::size_t panel_stride;
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
// into the rows that begin at `packed` of panels that lie panel_stride floats apart.
using GemmPackBFn = void(std::size_t k, std::size_t cols, const float* b, std::size_t stride,
                         bool transposed, float* packed, std::size_t panel_stride) noexcept;

struct GemmKernel {
  std::size_t mr, nr;
  GemmPackAFn* pack_a;
  GemmPackBFn* pack_b;
  GemmBlockFn* block;
};

}  // namespace glassgpt::kernels
