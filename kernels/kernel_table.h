// The operations of one instruction set, as a struct of function pointers: what dispatch chooses
// from.
#pragma once

#include "kernels/adamw/adamw.h"
#include "kernels/attention/attention.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/embedding/embedding.h"
#include "kernels/gelu/gelu.h"
#include "kernels/gemm/gemm_kernel.h"
#include "kernels/layernorm/layernorm.h"
#include "kernels/position/position.h"
#include "kernels/similarity/similarity.h"
#include "kernels/skip_gram/skip_gram.h"
#include "kernels/softmax/softmax.h"
#include "kernels/unary/unary.h"
#include "kernels/vector/vector.h"

namespace glassgpt::kernels {

struct KernelTable {
  const char* isa;    // "scalar", "sse2", "avx2", "avx512", "avx512bf16", "amx", "neon64"
  std::size_t lanes;  // floats per vector
  GemmKernel gemm, gemm_bf16;
  LayerNormFn* layer_norm;
  LayerNormBackwardFn* layer_norm_backward;
  LayerNormBackwardParametersFn* layer_norm_backward_parameters;
  SoftmaxFn* softmax;
  SoftmaxBackwardFn* softmax_backward;
  GeluFn* gelu_tanh;
  GeluFn* gelu_erf;
  GeluBackwardFn* gelu_tanh_backward;
  GeluBackwardFn* gelu_erf_backward;
  EmbeddingGatherFn* embedding_gather;
  EmbeddingScatterAddFn* embedding_scatter_add;
  SinusoidalPositionsFn* sinusoidal_positions;
  CrossEntropyFn* cross_entropy;
  AdamWFn* adamw;
  CosineSimilarityFn* cosine_similarity;
  SkipGramFn* skip_gram;
  UnaryFn* exp;
  UnaryFn* tanh;
  UnaryFn* erf;
  AddFn* add;
  SumOfSquaresFn* sum_of_squares;
  ColumnSumFn* column_sum;
  AttentionScratchFn* attention_scratch;
  AttentionForwardFn* attention_forward;
  AttentionBackwardFn* attention_backward;
  AttentionWeightsFn* attention_weights;
};

}  // namespace glassgpt::kernels
