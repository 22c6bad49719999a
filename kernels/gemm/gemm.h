// Matrix products: weights packed once (WeightMatrix, linear), and the general form that the
// backward pass needs (gemm): C[m, n] = sum over k of A[m, k] B[k, n], then the epilogue.
//
// Shapes: A [M, K], B [K, N], C [M, N]; strides count elements from one row to the next.
//
// Aliasing: C must not overlap A or B. Epilogue::residual may be C itself (same pointer and
// stride), otherwise no overlap. Alignment: none required.
//
// Empty: M or N of 0 does nothing; with K of 0 the product is 0, to which the epilogue still
// applies. NaN and infinities propagate as in IEEE arithmetic: nothing is skipped because a factor
// is 0. C is never read unless `accumulate` says so.
//
// Precision (simd): float32 fused multiply-adds (two roundings on sse2 and scalar) in ascending k
// within blocks of 512; the blocks' sums are added in ascending order, to C first where it
// accumulates. |error| <= 2 K 2^-24 sum |a||b|. The reference accumulates in double and rounds
// once. In bfloat16 (simd, auto) A and B are rounded to 8 bits of precision first, to nearest, ties
// to even: 2^-8 sum |a||b| more. Products are then exact, and are added in float32 in ascending
// pairs of k, the odd one first, within blocks of 1024. avx512bf16 uses the CPU's own dot product,
// which takes subnormal numbers for 0; all other bytes are the same on every ISA but amx, whose
// instruction adds the products of 32 consecutive k before it adds them to C: see gemm_amx.h.
//
// Reproducibility (simd, reference, auto): the bytes of a row of C depend on that row of A, on B
// and on the ISA alone; not on M, on the other rows, on strides or on threads. blas promises none
// of it.
//
// Cost: 2 M N K floating-point operations; 4 (M K + K N) bytes read, 4 M N written.
//
// Source: Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication"; Van Zee
// and van de Geijn 2015 (BLIS). Tests: tests/kernels/gemm_test.cpp. Benchmarks:
// gemm/IMPLEMENTATION/MxKxN.
#pragma once
#include <cstddef>
#include <memory>

#include "kernels/common.h"

namespace glassgpt::kernels {

struct KernelTable;

enum class GemmBackend { kAuto, kSimd, kBlas, kReference };

enum class NumberType { kFloat32, kBFloat16 };

struct GemmOptions {
  GemmBackend backend = GemmBackend::kAuto;
  int threads = 1;
  // Null: active_kernels(). Tests and benchmarks name another.
  const KernelTable* kernels = nullptr;
  // What A and B are rounded to before they are multiplied; sums and C are float32 either way.
  NumberType type = NumberType::kFloat32;
};

enum class Activation { kNone, kGeluTanh, kGeluErf };

// What happens to A B before it is stored: y = activation(A B + bias) + residual. Null pointers are
// left out. The result has the bytes that the same steps would give one after the other with the
// kernels of the table.
struct Epilogue {
  const float* bias = nullptr;  // [N]
  Activation activation = Activation::kNone;
  float* pre_activation = nullptr;  // [M, N]: A B + bias, kept for the backward pass; never C
  std::size_t pre_activation_stride = 0;
  const float* residual = nullptr;  // [M, N], may be the output
  std::size_t residual_stride = 0;
};

// Memory for packed panels, aligned to a cache line.
class PackedBuffer {
 public:
  PackedBuffer() = default;
  PackedBuffer(PackedBuffer&& other) noexcept;
  PackedBuffer& operator=(PackedBuffer&& other) noexcept;
  ~PackedBuffer();
  float* reserve(std::size_t floats);  // contents are lost when it grows
  const float* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return capacity_ * sizeof(float); }

 private:
  float* data_ = nullptr;
  std::size_t capacity_ = 0;
};

// A weight B [K, N] (element (k, n) at k * row_stride + n, or at n * row_stride + k when
// transposed), viewed, not copied, together with its packed form for the chosen ISA. The packed
// form is made by the first `pack()`.
class WeightMatrix {
 public:
  WeightMatrix() = default;
  // Throws std::invalid_argument if row_stride is less than a row's length.
  WeightMatrix(std::size_t k, std::size_t n, const float* data, std::size_t row_stride,
               bool transposed);

  // Again after the data changed, into the same memory; no-op for backends that do not pack. Not
  // while linear() runs on it.
  void pack(GemmOptions options);

  std::size_t k() const noexcept { return k_; }
  std::size_t n() const noexcept { return n_; }
  const float* data() const noexcept { return data_; }
  std::size_t row_stride() const noexcept { return row_stride_; }
  bool transposed() const noexcept { return transposed_; }

  std::size_t packed_bytes() const noexcept { return packed_.bytes(); }
  const float* packed() const noexcept { return packed_.data(); }
  const KernelTable* packed_for() const noexcept { return packed_for_; }  // null: not packed
  NumberType packed_type() const noexcept { return packed_type_; }

 private:
  std::size_t k_ = 0, n_ = 0;
  const float* data_ = nullptr;
  std::size_t row_stride_ = 0;
  bool transposed_ = false;
  PackedBuffer packed_;
  const KernelTable* packed_for_ = nullptr;
  NumberType packed_type_ = NumberType::kFloat32;
};

// C[M, N] = epilogue(A[M, K] B). A's rows lie a_stride apart, C's c_stride. Bytes of a row of C
// depend neither on M nor on threads. Throws std::invalid_argument for strides shorter than a row,
// threads < 1, or a B that was not packed for these options.
void linear(std::size_t m, const float* a, std::size_t a_stride, const WeightMatrix& b,
            const Epilogue& epilogue, float* c, std::size_t c_stride, const GemmOptions& options);

// C[M, N] = op(A) op(B) + (accumulate ? C : 0), op(A) is [M, K]: A stored [K, M] when transpose_a;
// likewise B. When not accumulating C is never read. Bytes do not depend on threads.
void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k,
          const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
          bool accumulate, float* c, std::size_t c_stride, const GemmOptions& options);

}  // namespace glassgpt::kernels
