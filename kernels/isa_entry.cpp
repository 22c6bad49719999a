// The kernels of one instruction set. Compiled once per ISA with that ISA's flags;
// GLASSGPT_ISA_TABLE names the only symbol that it exports. Everything else that it includes lies
// in anonymous namespaces: see simd.h for why.
#include "kernels/adamw/adamw_simd.h"
#include "kernels/attention/attention_simd.h"
#include "kernels/cross_entropy/cross_entropy_simd.h"
#include "kernels/embedding/embedding_simd.h"
#include "kernels/gelu/gelu_simd.h"
#include "kernels/gemm/gemm_amx.h"
#include "kernels/gemm/gemm_simd.h"
#include "kernels/isa_arch.h"
#include "kernels/kernel_table.h"
#include "kernels/layernorm/layernorm_simd.h"
#include "kernels/position/position_simd.h"
#include "kernels/simd.h"
#include "kernels/similarity/similarity_simd.h"
#include "kernels/skip_gram/skip_gram_simd.h"
#include "kernels/softmax/softmax_simd.h"
#include "kernels/unary/unary_simd.h"
#include "kernels/vector/vector_simd.h"

namespace glassgpt::kernels {

extern const KernelTable GLASSGPT_ISA_TABLE;

using Arch = GLASSGPT_ISA_ARCH;
#if defined(__AMX_BF16__)
using GemmBf16 = GemmAmx<Arch>;
#else
using GemmBf16 = Gemm<Arch, BFloat16Numbers>;
#endif

// One line per operation, in the order of KernelTable.
constinit const KernelTable GLASSGPT_ISA_TABLE = {
    .isa = GLASSGPT_ISA_NAME,
    .lanes = Simd<Arch>::kLanes,
    .gemm = Gemm<Arch, Float32Numbers>::kKernel,
    .gemm_bf16 = GemmBf16::kKernel,
    .layer_norm = layer_norm_simd<Arch>,
    .layer_norm_backward = layer_norm_backward_simd<Arch>,
    .layer_norm_backward_parameters = layer_norm_backward_parameters_simd<Arch>,
    .softmax = softmax_simd<Arch>,
    .softmax_backward = softmax_backward_simd<Arch>,
    .gelu_tanh = gelu_tanh_simd<Arch>,
    .gelu_erf = gelu_erf_simd<Arch>,
    .gelu_tanh_backward = gelu_tanh_backward_simd<Arch>,
    .gelu_erf_backward = gelu_erf_backward_simd<Arch>,
    .embedding_gather = embedding_gather_simd<Arch>,
    .embedding_scatter_add = embedding_scatter_add_simd<Arch>,
    .sinusoidal_positions = sinusoidal_positions_simd<Arch>,
    .cross_entropy = cross_entropy_simd<Arch>,
    .adamw = adamw_simd<Arch>,
    .cosine_similarity = cosine_similarity_simd<Arch>,
    .skip_gram = skip_gram_simd<Arch>,
    .exp = exp_simd<Arch>,
    .tanh = tanh_simd<Arch>,
    .erf = erf_simd<Arch>,
    .add = add_simd<Arch>,
    .sum_of_squares = sum_of_squares_simd<Arch>,
    .column_sum = column_sum_simd<Arch>,
    .attention_scratch = attention_scratch<Arch>,
    .attention_forward = attention_forward<Arch>,
    .attention_backward = attention_backward<Arch>,
    .attention_weights = attention_weights<Arch>,
};

}  // namespace glassgpt::kernels
