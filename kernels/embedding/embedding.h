// Rows of a table chosen by ids, and the gradient that goes back to them.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: y[r, c] = scale * table[ids[r], c].
// Pointers: ids: [rows], each less than the table's number of rows (the caller checks); table: rows
//   table_stride floats apart; y: [rows, cols], rows y_stride apart.
// Aliasing: none.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. NaN and infinities as in a product.
// Error: none but the product's rounding (none for scale 1); all ISAs give the same bytes.
// Cost: 1 FLOP and 8 bytes per element.
// Source: Vaswani et al. 2017, section 3.4 (the scale sqrt(C)).
// Test: tests/kernels/embedding_test.cpp. Benchmark: embedding_gather/ in
//   bench/elementwise_bench.cpp.
using EmbeddingGatherFn = void(std::size_t rows, std::size_t cols, const TokenId* ids,
                               const float* table, std::size_t table_stride, float scale, float* y,
                               std::size_t y_stride) noexcept;

// Purpose: d_table[ids[r], c] += scale * d_y[r, c].
// Pointers: ids: [rows], each less than the table's number of rows (the caller checks); d_y: [rows,
//   cols], rows d_y_stride floats apart; d_table: rows table_stride apart.
// Aliasing: none.
// Alignment: none required.
// Special values: rows == 0 or cols == 0 touches nothing. NaN and infinities as in a sum of
//   products.
// Error: an id may occur often; its rows are added in float in ascending order, each addition
//   rounded once (twice where the ISA has no FMA). Columns do not meet, so a caller splits work by
//   columns and the bytes do not depend on threads.
// Cost: 2 FLOPs and 12 bytes per element.
// Source: the adjoint of the gather.
// Test: tests/kernels/embedding_test.cpp. Benchmark: embedding_scatter_add/ in
//   bench/elementwise_bench.cpp.
using EmbeddingScatterAddFn = void(std::size_t rows, std::size_t cols, const TokenId* ids,
                                   const float* d_y, std::size_t d_y_stride, float scale,
                                   float* d_table, std::size_t table_stride) noexcept;

EmbeddingGatherFn embedding_gather_reference;
EmbeddingScatterAddFn embedding_scatter_add_reference;

}  // namespace glassgpt::kernels
