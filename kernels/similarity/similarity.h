// Cosine similarity of one vector with many.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

// Purpose: cosine[r] = dot(query, x[r]) / (|query| |x[r]|).
// Pointers: query: [cols]; x: [rows, cols], rows x_stride floats apart; cosine: [rows].
// Aliasing: query may be a row of x; cosine overlaps nothing.
// Alignment: none required.
// Special values: rows == 0 touches nothing. Where either norm is 0 (also for cols == 0) the cosine
//   is 0. A NaN in either vector, or an infinity, gives NaN.
// Error: float sums by four vectors in turn, within 2^-24 (10 + cols / (2 lanes)); rounding may
//   carry a result past +-1 by as much. Vectors whose squares would leave float's range are summed
//   again in double. A result's bytes depend on the two vectors and the ISA alone.
// Cost: 4 FLOPs and 4 bytes per element of x.
// Source: Salton and McGill 1983, chapter 4.
// Test: tests/kernels/similarity_test.cpp. Benchmark: cosine_similarity/ in
//   bench/elementwise_bench.cpp.
using CosineSimilarityFn = void(std::size_t rows, std::size_t cols, const float* query,
                                const float* x, std::size_t x_stride, float* cosine) noexcept;

CosineSimilarityFn cosine_similarity_reference;

}  // namespace glassgpt::kernels
