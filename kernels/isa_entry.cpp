// The kernels of one instruction set. Compiled once per ISA with that ISA's flags; GLASSGPT_ISA_TABLE names the only symbol
// that it exports. Everything else that it includes lies in anonymous namespaces: see simd.h for why.
#include "kernels/attention/attention_simd.h"
#include "kernels/gelu/gelu_simd.h"
#include "kernels/gemm/gemm_simd.h"
#include "kernels/kernel_table.h"
#include "kernels/simd.h"
#include "kernels/unary/unary_simd.h"

#if defined(GLASSGPT_ISA_SCALAR)
#define GLASSGPT_ISA_ARCH ScalarArch
#elif defined(GLASSGPT_ISA_SSE2)
#define GLASSGPT_ISA_ARCH xsimd::sse2
#elif defined(GLASSGPT_ISA_AVX2)
#define GLASSGPT_ISA_ARCH xsimd::fma3<xsimd::avx2>
#elif defined(GLASSGPT_ISA_AVX512)
#define GLASSGPT_ISA_ARCH xsimd::avx512bw
#elif defined(GLASSGPT_ISA_NEON64)
#define GLASSGPT_ISA_ARCH xsimd::neon64
#endif

namespace glassgpt::kernels {

extern const KernelTable GLASSGPT_ISA_TABLE;

using Arch = GLASSGPT_ISA_ARCH;

// One line per operation, in the order of KernelTable.
constinit const KernelTable GLASSGPT_ISA_TABLE = {
    .isa = GLASSGPT_ISA_NAME,
    .lanes = Simd<Arch>::kLanes,
    .gemm = Gemm<Arch>::kKernel,
    .layer_norm = layer_norm_reference,
    .layer_norm_backward = layer_norm_backward_reference,
    .layer_norm_backward_parameters = layer_norm_backward_parameters_reference,
    .softmax = softmax_reference,
    .softmax_backward = softmax_backward_reference,
    .gelu_tanh = gelu_tanh_simd<Arch>,
    .gelu_erf = gelu_erf_simd<Arch>,
    .gelu_tanh_backward = gelu_tanh_backward_simd<Arch>,
    .gelu_erf_backward = gelu_erf_backward_simd<Arch>,
    .embedding_gather = embedding_gather_reference,
    .embedding_scatter_add = embedding_scatter_add_reference,
    .sinusoidal_positions = sinusoidal_positions_reference,
    .cross_entropy = cross_entropy_reference,
    .adamw = adamw_reference,
    .cosine_similarity = cosine_similarity_reference,
    .exp = exp_simd<Arch>,
    .tanh = tanh_simd<Arch>,
    .erf = erf_simd<Arch>,
    .add = add_reference,
    .sum_of_squares = sum_of_squares_reference,
    .column_sum = column_sum_reference,
    .attention_scratch = attention_scratch<Arch>,
    .attention_forward = attention_forward<Arch>,
    .attention_backward = attention_backward_reference,
    .attention_weights = attention_weights_reference,
};

}  // namespace glassgpt::kernels
