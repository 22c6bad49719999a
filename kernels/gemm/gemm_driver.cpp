#include "kernels/gemm/gemm_backends.h"
namespace glassgpt::kernels {
std::size_t packed_floats(std::size_t, std::size_t, const KernelTable&) noexcept { return 0; }
void pack_weights(std::size_t, std::size_t, const Operand&, const KernelTable&, int, float*) {}
void gemm_simd_packed(const Product& product, const float*) { gemm_blas(product); }
void gemm_simd(const Product& product) { gemm_blas(product); }
}  // namespace glassgpt::kernels
