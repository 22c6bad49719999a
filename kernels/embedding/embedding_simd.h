#pragma once

#include "kernels/embedding/embedding.h"
#include "kernels/loops_simd.h"

namespace glassgpt::kernels {
namespace {

template <class Arch>
void embedding_gather_simd(std::size_t rows, std::size_t cols, const TokenId* ids,
                           const float* table, std::size_t table_stride, float scale, float* y,
                           std::size_t y_stride) noexcept {
  const F32Of<Arch> factor = Simd<Arch>::set(scale);
  for (std::size_t r = 0; r < rows; ++r)
    map_vector<Arch>(cols, table + ids[r] * table_stride, y + r * y_stride,
                     [factor](F32Of<Arch> v) noexcept { return factor * v; });
}

// Forward: y[r] = scale * table[ids[r]].
template <class Arch>
void embedding_scatter_add_simd(std::size_t rows, std::size_t cols, const TokenId* ids,
                                const float* d_y, std::size_t d_y_stride, float scale,
                                float* d_table, std::size_t table_stride) noexcept {
  const F32Of<Arch> factor = Simd<Arch>::set(scale);
  for (std::size_t r = 0; r < rows; ++r) {
    float* d_row = d_table + ids[r] * table_stride;
    map_vector<Arch>(cols, d_y + r * d_y_stride, d_row, d_row,
                     [factor](F32Of<Arch> d, F32Of<Arch> sum) noexcept {
                       return Simd<Arch>::fma(factor, d, sum);
                     });
  }
}

}  // namespace
}  // namespace glassgpt::kernels
