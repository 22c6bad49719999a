// The matrix product by whatever BLAS the program is linked to, and the epilogue as a pass of its
// own behind it.
#include <cstring>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>

#include "kernels/blas_info.h"
#include "kernels/gemm/gemm_backends.h"

// Fortran's interface, which every BLAS has (C's header lies elsewhere in each).
extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
                       const int* k, const float* alpha, const float* a, const int* a_stride,
                       const float* b, const int* b_stride, const float* beta, float* c,
                       const int* c_stride);

namespace glassgpt::kernels {
namespace {

int blas_int(std::size_t value) {
  if (value > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw std::invalid_argument("gemm (blas): got a size or stride of " + std::to_string(value) +
                                ", expected at most 2147483647");
  return static_cast<int>(value);
}

// The number of threads is the library's global state, so products go through one at a time.
std::mutex blas_mutex;

// BLAS is column-major: it computes C^T = op(B)^T op(A)^T. A stride may be less than a row where
// there is one row.
void multiply(const Product& p, float* c, std::size_t c_stride) {
  const auto leading = [](std::size_t stride, std::size_t cols) {
    return blas_int(stride < cols ? cols : stride);
  };
  const int m = blas_int(p.m), n = blas_int(p.n), k = blas_int(p.k);
  const int a_stride = leading(p.a.stride, p.a.transposed ? p.m : p.k);
  const int b_stride = leading(p.b.stride, p.b.transposed ? p.k : p.n);
  const int ldc = leading(c_stride, p.n);
  const float alpha = 1.0f, beta = p.accumulate ? 1.0f : 0.0f;
  const std::lock_guard lock(blas_mutex);
  set_blas_threads(p.threads);
  sgemm_(p.b.transposed ? "T" : "N", p.a.transposed ? "T" : "N", &n, &m, &k, &alpha, p.b.data,
         &b_stride, p.a.data, &a_stride, &beta, c, &ldc);
}

void set_zero(const Product& p, float* c, std::size_t c_stride) {
  if (p.accumulate) return;
  for (std::size_t i = 0; i < p.m; ++i)
    for (std::size_t j = 0; j < p.n; ++j) c[i * c_stride + j] = 0.0f;
}

// In place on the product's rows; the residual's addition writes C, which may be where the residual
// lies.
void apply_epilogue(const Product& p, float* product, std::size_t product_stride) {
  const Epilogue& e = p.epilogue;
#pragma omp parallel for num_threads(p.threads) schedule(static)
  for (std::size_t i = 0; i < p.m; ++i) {
    float* x = product + i * product_stride;
    if (e.bias != nullptr) p.kernels->add(p.n, x, e.bias, x);
    if (e.pre_activation != nullptr)
      std::memcpy(e.pre_activation + i * e.pre_activation_stride, x, p.n * sizeof(float));
    if (e.activation == Activation::kGeluTanh) p.kernels->gelu_tanh(p.n, x, x);
    if (e.activation == Activation::kGeluErf) p.kernels->gelu_erf(p.n, x, x);
    if (e.residual != nullptr)
      p.kernels->add(p.n, x, e.residual + i * e.residual_stride, p.c + i * p.c_stride);
  }
}

}  // namespace

void gemm_blas(const Product& p) {
  const Epilogue& e = p.epilogue;
  // A residual in place would be overwritten before it is read.
  const bool aliased = e.residual == p.c;
  thread_local PackedBuffer scratch;
  float* c = aliased ? scratch.reserve(p.m * p.n) : p.c;
  const std::size_t c_stride = aliased ? p.n : p.c_stride;
  if (p.k == 0)
    set_zero(p, c, c_stride);
  else
    multiply(p, c, c_stride);
  if (e.bias != nullptr || e.pre_activation != nullptr || e.activation != Activation::kNone ||
      e.residual != nullptr)
    apply_epilogue(p, c, c_stride);
}

}  // namespace glassgpt::kernels
