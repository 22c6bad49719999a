// The elementwise, row and reduction kernels as a list: what each is called with, and what it
// costs.
#pragma once

#include <functional>
#include <vector>

#include "kernels/common.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel_table.h"

namespace glassgpt::bench {

// The arrays of one workload, [rows, cols] where not said otherwise; each begins on a page, as far
// from a cache line's end as a model's buffers.
struct Arrays {
  Arrays(std::size_t row_count, std::size_t col_count);
  std::size_t size() const { return rows * cols; }

  std::size_t rows, cols;
  float *a, *b, *out, *m, *v;
  float *gamma, *beta;                    // [cols]
  std::vector<float> mean, rstd;          // [rows]
  std::vector<kernels::TokenId> ids;      // [rows], each a row
  std::vector<kernels::TokenId> targets;  // [rows], each a column

 private:
  kernels::PackedBuffer memory_;
};

// How callers split the work among threads without changing a byte of the result.
enum class Split { kElements, kRows, kColumns };

// A thread's part: of elements, rows or columns.
struct Part {
  std::size_t begin, count;
};

struct Operation {
  const char* name;
  Split split;
  // Per element, as the kernel's contract counts them; the least where it depends on the ISA.
  double flops, read_bytes, written_bytes;
  bool in_place;  // it adds to its output
  void (*run)(const kernels::KernelTable&, Arrays&, Part);

  bool row_wise() const { return split != Split::kElements; }  // else one long array
};

const std::vector<Operation>& operations();

}  // namespace glassgpt::bench
