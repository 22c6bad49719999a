// Checks arguments and chooses the backend.
#include "kernels/gemm/gemm.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/dispatch.h"
#include "kernels/gemm/gemm_backends.h"

namespace glassgpt::kernels {
namespace {

constexpr std::size_t kCacheLine = 64;
// Buffers of this size are asked for in huge pages: fewer faults while packing, fewer misses of the
// page table's cache while reading.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

void check_stride(const char* what, std::size_t rows, std::size_t stride, std::size_t cols) {
  if (rows > 1 && stride < cols)
    throw std::invalid_argument(std::string("gemm: got a stride of ") + std::to_string(stride) +
                                " for " + what + ", expected at least " + std::to_string(cols));
}

void check_threads(const GemmOptions& options) {
  if (options.threads < 1)
    throw std::invalid_argument("gemm: got " + std::to_string(options.threads) +
                                " threads, expected at least 1");
}

const KernelTable& table_of(const GemmOptions& options) {
  return options.kernels != nullptr ? *options.kernels : active_kernels();
}

const GemmKernel& kernel_of(const KernelTable& kernels, NumberType type) {
  return type == NumberType::kBFloat16 ? kernels.gemm_bf16 : kernels.gemm;
}

// BLAS has no product of bfloat16 that every machine offers; the reference would be that of
// float32.
void check_type(const GemmOptions& options) {
  if (options.type == NumberType::kBFloat16 && options.backend != GemmBackend::kAuto &&
      options.backend != GemmBackend::kSimd)
    throw std::invalid_argument("gemm: bfloat16 is multiplied by the backends auto and simd only");
}

// The rule of `auto`, with its measurement, is in kernels/README.md: always ours, because
// OpenBLAS's bytes depend on M and on threads, whatever its speed.
bool uses_packed(GemmBackend backend) {
  return backend == GemmBackend::kAuto || backend == GemmBackend::kSimd;
}

std::string name_of(const KernelTable& kernels, NumberType type) {
  return std::string(kernels.isa) + (type == NumberType::kBFloat16 ? " in bfloat16" : "");
}

std::string packed_name(const WeightMatrix& b) {
  return b.packed_for() == nullptr ? "nothing" : name_of(*b.packed_for(), b.packed_type());
}

}  // namespace

PackedBuffer::PackedBuffer(PackedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {}

PackedBuffer& PackedBuffer::operator=(PackedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

PackedBuffer::~PackedBuffer() { std::free(data_); }

float* PackedBuffer::reserve(std::size_t floats) {
  if (floats <= capacity_) return data_;
  const std::size_t bytes = (floats * sizeof(float) + kCacheLine - 1) / kCacheLine * kCacheLine;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
  void* grown = nullptr;
  if (posix_memalign(&grown, alignment, bytes) != 0) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (alignment == kHugePage) madvise(grown, bytes, MADV_HUGEPAGE);  // advice: it may be ignored
#endif
  std::free(data_);
  data_ = static_cast<float*>(grown);
  capacity_ = bytes / sizeof(float);
  return data_;
}

WeightMatrix::WeightMatrix(std::size_t k, std::size_t n, const float* data, std::size_t row_stride,
                           bool transposed)
    : k_(k), n_(n), data_(data), row_stride_(row_stride), transposed_(transposed) {
  check_stride("the weight", transposed ? n : k, row_stride, transposed ? k : n);
}

void WeightMatrix::pack(GemmOptions options) {
  check_threads(options);
  check_type(options);
  if (!uses_packed(options.backend)) return;
  const KernelTable& kernels = table_of(options);
  const GemmKernel& kernel = kernel_of(kernels, options.type);
  packed_for_ = nullptr;
  float* packed = packed_.reserve(packed_floats(k_, n_, kernel));
  pack_weights(k_, n_, {data_, row_stride_, transposed_}, kernel, options.threads, packed);
  packed_for_ = &kernels;
  packed_type_ = options.type;
}

void linear(std::size_t m, const float* a, std::size_t a_stride, const WeightMatrix& b,
            const Epilogue& epilogue, float* c, std::size_t c_stride, const GemmOptions& options) {
  check_threads(options);
  check_type(options);
  check_stride("A", m, a_stride, b.k());
  check_stride("C", m, c_stride, b.n());
  if (epilogue.pre_activation != nullptr)
    check_stride("the pre-activation", m, epilogue.pre_activation_stride, b.n());
  if (epilogue.residual != nullptr)
    check_stride("the residual", m, epilogue.residual_stride, b.n());
  if (m == 0 || b.n() == 0) return;
  const KernelTable& kernels = table_of(options);
  const Product product{.m = m,
                        .n = b.n(),
                        .k = b.k(),
                        .a = {a, a_stride, false},
                        .b = {b.data(), b.row_stride(), b.transposed()},
                        .accumulate = false,
                        .c = c,
                        .c_stride = c_stride,
                        .epilogue = epilogue,
                        .threads = options.threads,
                        .kernels = &kernels,
                        .kernel = &kernel_of(kernels, options.type)};
  if (options.backend == GemmBackend::kReference) return gemm_reference(product);
  if (options.backend == GemmBackend::kBlas) return gemm_blas(product);
  if (b.packed_for() != &kernels || b.packed_type() != options.type)
    throw std::invalid_argument("linear: got a weight packed for " + packed_name(b) +
                                ", expected pack() for " + name_of(kernels, options.type));
  gemm_simd_packed(product, b.packed());
}

void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k,
          const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
          bool accumulate, float* c, std::size_t c_stride, const GemmOptions& options) {
  check_threads(options);
  check_type(options);
  check_stride("A", transpose_a ? k : m, a_stride, transpose_a ? m : k);
  check_stride("B", transpose_b ? n : k, b_stride, transpose_b ? k : n);
  check_stride("C", m, c_stride, n);
  if (m == 0 || n == 0) return;
  const KernelTable& kernels = table_of(options);
  const Product product{.m = m,
                        .n = n,
                        .k = k,
                        .a = {a, a_stride, transpose_a},
                        .b = {b, b_stride, transpose_b},
                        .accumulate = accumulate,
                        .c = c,
                        .c_stride = c_stride,
                        .epilogue = {},
                        .threads = options.threads,
                        .kernels = &kernels,
                        .kernel = &kernel_of(kernels, options.type)};
  if (options.backend == GemmBackend::kReference) return gemm_reference(product);
  if (options.backend == GemmBackend::kBlas) return gemm_blas(product);
  gemm_simd(product);
}

}  // namespace glassgpt::kernels
