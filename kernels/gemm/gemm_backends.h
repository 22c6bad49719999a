// What gemm.cpp chooses between. Arguments are checked and not empty (M, N > 0) when they arrive
// here.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/kernel_table.h"

namespace glassgpt::kernels {

// op(X) of a stored matrix X.
struct Operand {
  const float* data;
  std::size_t stride;
  bool transposed;
};

// C = epilogue(op(A) op(B) + (accumulate ? C : 0)); accumulate and an epilogue do not occur
// together.
struct Product {
  std::size_t m, n, k;
  Operand a, b;
  bool accumulate;
  float* c;
  std::size_t c_stride;
  Epilogue epilogue;
  int threads;
  const KernelTable* kernels;
  const GemmKernel* kernel;  // of `kernels`, for the kind of number
};

void gemm_reference(const Product& product);
void gemm_blas(const Product& product);
void gemm_simd(const Product& product);

// The same with B packed before (product.b is not looked at), and the packing: `packed` has
// packed_floats() floats.
void gemm_simd_packed(const Product& product, const float* packed);
std::size_t packed_floats(std::size_t k, std::size_t n, const GemmKernel& kernel) noexcept;
void pack_weights(std::size_t k, std::size_t n, const Operand& b, const GemmKernel& kernel,
                  int threads, float* packed);

}  // namespace glassgpt::kernels
