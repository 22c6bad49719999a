#pragma once
#include "kernels/common.h"
namespace glassgpt::kernels {
// y[r] = scale * table[ids[r]]
using EmbeddingGatherFn = void(std::size_t rows, std::size_t cols, const TokenId* ids,
                               const float* table, std::size_t table_stride, float scale, float* y,
                               std::size_t y_stride) noexcept;
// d_table[ids[r]] += scale * d_y[r], rows in ascending order; a caller splits work by columns.
using EmbeddingScatterAddFn = void(std::size_t rows, std::size_t cols, const TokenId* ids,
                                   const float* d_y, std::size_t d_y_stride, float scale,
                                   float* d_table, std::size_t table_stride) noexcept;
EmbeddingGatherFn embedding_gather_reference;
EmbeddingScatterAddFn embedding_scatter_add_reference;
}  // namespace glassgpt::kernels
