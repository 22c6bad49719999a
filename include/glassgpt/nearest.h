// The stored vectors that point most nearly where a query does: exact search, no index.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace glassgpt {

// An array [rows, cols] of float32, or of float16 as their bits, `stride` elements from row to row;
// not owned. `data` is aligned as its elements are.
struct RowsView {
  const void* data = nullptr;
  std::size_t rows = 0, cols = 0, stride = 0;
  bool half = false;
};

struct Neighbour {
  std::size_t row;
  double cosine;
};

// For each query [cols] the `count` rows with the largest cosines, best first; of equal cosines the
// smaller row number comes first. A row or query of zeros has the cosine 0 with everything; a row
// with a NaN or an infinity is never found, and such a query finds nothing.
//
// Exact: the cosines are summed in double from the first column to the last, and the result is that
// of comparing all rows so. A float32 pass only decides which rows cannot be among the best, with
// its error bound as the margin: (2 cols + 16) 2^-24. So the result depends neither on the ISA, nor
// on threads, nor on which queries come together. Memory: the result; and per thread,
// however many queries there are, a block of rows as floats, 2^20 scores, and 2^22 entries or
// `count`, whichever is more.
//
// Throws std::invalid_argument for queries that are not a multiple of cols or a stride below cols.
std::vector<std::vector<Neighbour>> nearest_rows(const RowsView& rows,
                                                 std::span<const float> queries, std::size_t count,
                                                 int threads);

// The definition, for a and b of [cols]: dot(a, b) / (|a| |b|), all three summed in double in
// ascending order; what rounding put beyond -1 or 1 is -1 or 1. 0 if a or b has length 0, NaN if
// one of its values is not finite.
double exact_cosine(const float* a, const float* b, std::size_t cols) noexcept;

}  // namespace glassgpt
