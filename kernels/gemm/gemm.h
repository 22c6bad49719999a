// Matrix products: weights packed once (WeightMatrix), and the general form that the backward pass needs.
#pragma once
#include <memory>
#include "kernels/common.h"
namespace glassgpt::kernels {

enum class GemmBackend { kAuto, kSimd, kBlas, kReference };

struct GemmOptions {
  GemmBackend backend = GemmBackend::kAuto;
  int threads = 1;
};

enum class Activation { kNone, kGeluTanh, kGeluErf };

// What happens to A B before it is stored: y = activation(A B + bias) + residual. Null pointers are left out.
struct Epilogue {
  const float* bias = nullptr;      // [N]
  Activation activation = Activation::kNone;
  float* pre_activation = nullptr;  // [M, N]: A B + bias, kept for the backward pass
  std::size_t pre_activation_stride = 0;
  const float* residual = nullptr;  // [M, N], may be the output
  std::size_t residual_stride = 0;
};

// A weight B [K, N] (element (k, n) at k * row_stride + n, or at n * row_stride + k when transposed), viewed, not copied,
// together with its packed form for the chosen ISA. The packed form is made by the first `pack()`.
class WeightMatrix {
 public:
  WeightMatrix() = default;
  WeightMatrix(std::size_t k, std::size_t n, const float* data, std::size_t row_stride, bool transposed);
  void pack(GemmOptions options);  // again after the data changed; no-op for backends that do not pack
  std::size_t k() const noexcept;
  std::size_t n() const noexcept;
  std::size_t packed_bytes() const noexcept;
};

// C[M, N] = epilogue(A[M, K] B). A's rows lie a_stride apart, C's c_stride. Bytes of a row of C depend neither on M nor on threads.
void linear(std::size_t m, const float* a, std::size_t a_stride, const WeightMatrix& b,
            const Epilogue& epilogue, float* c, std::size_t c_stride, const GemmOptions& options);

// C[M, N] = op(A) op(B) + (accumulate ? C : 0), op(A) is [M, K]: A stored [K, M] when transpose_a; likewise B.
// When not accumulating C is never read. Bytes do not depend on threads.
void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k,
          const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
          bool accumulate, float* c, std::size_t c_stride, const GemmOptions& options);

}  // namespace glassgpt::kernels
