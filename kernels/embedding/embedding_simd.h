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
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = table + ids[r] * table_stride;
    float* y_row = y + r * y_stride;
    // No hardware foresees where the next id leads.
    const float* next = r + 1 < rows ? table + ids[r + 1] * table_stride : row;
    for_each_vector<Arch>(cols, [=](std::size_t c, auto span) noexcept {
      __builtin_prefetch(next + c);
      span.store(y_row + c, factor * span.load(row + c));
    });
  }
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
