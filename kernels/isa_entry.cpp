// The kernels of one instruction set. Compiled once per ISA with that ISA's flags; GLASSGPT_ISA_TABLE names the only symbol
// that it exports. Everything else that it includes lies in anonymous namespaces: see simd.h for why.
#include "kernels/kernel_table.h"
#include "kernels/simd.h"

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
    .gemm = {},
    .layer_norm = nullptr,
    .layer_norm_backward = nullptr,
    .layer_norm_backward_parameters = nullptr,
    .softmax = nullptr,
    .softmax_backward = nullptr,
    .gelu_tanh = nullptr,
    .gelu_erf = nullptr,
    .gelu_tanh_backward = nullptr,
    .gelu_erf_backward = nullptr,
    .embedding_gather = nullptr,
    .embedding_scatter_add = nullptr,
    .sinusoidal_positions = nullptr,
    .cross_entropy = nullptr,
    .adamw = nullptr,
    .cosine_similarity = nullptr,
    .add = nullptr,
    .sum_of_squares = nullptr,
    .column_sum = nullptr,
    .attention_scratch = attention_scratch_reference,
    .attention_forward = attention_forward_reference,
    .attention_backward = attention_backward_reference,
    .attention_weights = attention_weights_reference,
};

}  // namespace glassgpt::kernels
