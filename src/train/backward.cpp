#include "train/backward.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/dispatch.h"
#include "train/parallel.h"

namespace glassgpt::training {
namespace {

// What every step of the backward pass needs to know.
struct Pass {
  const ModelConfig& config;
  const Batch& batch;
  BackwardBuffers& buffers;
  const kernels::GemmOptions& options;
  bool accumulate;
  const Dropout* dropout;
  StepProfile* profile;
  const kernels::KernelTable& kernels = kernels::active_kernels();
  std::size_t rows = batch.rows();
  std::size_t C = config.n_embd;
  std::size_t F = config.inner();
};

double product_flops(const Pass& pass, std::size_t in, std::size_t out) {
  return 2.0 * static_cast<double>(pass.rows) * static_cast<double>(in * out);
}

// y = x W + b: d_W = x^T d_y. x is [rows, in], d_y is [rows, out].
void weight_gradient(const Pass& pass, const float* x, std::size_t in, const float* d_y,
                     std::size_t out, float* d_weight) {
  const StepScope timed(pass.profile, StepStage::kWeightGradients, product_flops(pass, in, out));
  kernels::gemm(true, false, in, out, pass.rows, x, in, d_y, out, pass.accumulate, d_weight, out,
                pass.options);
}

// y = x W + b: d_x = d_y W^T. W is packed on the way, piece by piece, and each piece is used while
// it is in cache: a packed W^T of its own would be written to memory and read again in every step.
void input_gradient(const Pass& pass, const float* d_y, std::size_t out, const float* weight,
                    std::size_t in, float* d_x) {
  const StepScope timed(pass.profile, StepStage::kInputGradients, product_flops(pass, in, out));
  kernels::gemm(false, true, pass.rows, in, out, d_y, out, weight, out, false, d_x, in,
                pass.options);
}

// Forward: sum = residual + dropout(projected). The gradient of `projected`, given the sum's, which
// is left as it is: it goes on to the residual.
const float* projection_gradient(const Pass& pass, std::size_t place, const float* d_sum) {
  if (pass.dropout == nullptr) return d_sum;
  float* d_projected = pass.buffers.d_projected();
  for_row_chunks(
      pass.rows, pass.options.threads, [&](std::size_t, std::size_t begin, std::size_t rows) {
        pass.dropout->apply(place, pass.batch, pass.C, begin, begin + rows, d_sum, d_projected);
      });
  return d_projected;
}

// Sums over rows, kept per chunk of rows: slot [offset, offset + width) of each chunk's partial
// sums.
struct PartialSum {
  std::size_t offset, width;
};

float* start_partial(const Pass& pass, std::size_t chunk, PartialSum sum) {
  float* partial = pass.buffers.partials(chunk) + sum.offset;
  std::fill_n(partial, sum.width, 0.0f);
  return partial;
}

void finish_sum(const Pass& pass, PartialSum sum, float* total) {
  pass.kernels.column_sum(row_chunks(pass.rows), sum.width, pass.buffers.partials(0) + sum.offset,
                          pass.buffers.partials_width(), total);
}

// Forward: y = layer_norm(x; gamma, beta). Adds to d_gamma and d_beta by partial sums, and to d_x.
struct LayerNormInverse {
  const float *x, *gamma, *mean, *rstd;
  PartialSum d_gamma, d_beta;

  void run(const Pass& pass, std::size_t chunk, std::size_t begin, std::size_t rows,
           const float* d_y, float* d_x) const {
    const std::size_t C = pass.C;
    const std::size_t at = begin * C;
    pass.kernels.layer_norm_backward_parameters(rows, C, d_y + at, C, x + at, C, mean + begin,
                                                rstd + begin, start_partial(pass, chunk, d_gamma),
                                                start_partial(pass, chunk, d_beta));
    pass.kernels.layer_norm_backward(rows, C, d_y + at, C, x + at, C, gamma, mean + begin,
                                     rstd + begin, d_x + at, C);
  }
};

// Forward: mlp_hidden = gelu(mlp_pre). d_hidden becomes d_mlp_pre; the two biases' gradients on the
// way.
void activation_backward(const Pass& pass, const BlockActivations& kept, const float* d_mlp_out,
                         float* d_hidden, const BlockTensors<float>& d) {
  const StepScope timed(pass.profile, StepStage::kGeluBackward);
  const std::size_t C = pass.C, F = pass.F;
  const auto gelu_backward = pass.config.activation == ActivationFunction::kGeluTanh
                                 ? pass.kernels.gelu_tanh_backward
                                 : pass.kernels.gelu_erf_backward;
  const PartialSum d_in_bias{0, F}, d_out_bias{F, C};
  for_row_chunks(
      pass.rows, pass.options.threads, [&](std::size_t chunk, std::size_t begin, std::size_t rows) {
        float* d_pre = d_hidden + begin * F;
        gelu_backward(rows * F, kept.mlp_pre + begin * F, d_pre, d_pre);
        pass.kernels.column_sum(rows, F, d_pre, F, start_partial(pass, chunk, d_in_bias));
        pass.kernels.column_sum(rows, C, d_mlp_out + begin * C, C,
                                start_partial(pass, chunk, d_out_bias));
      });
  finish_sum(pass, d_in_bias, d.mlp_in_bias);
  finish_sum(pass, d_out_bias, d.mlp_out_bias);
}

// Forward: output = residual_mid + gelu(ln_2(residual_mid) W_in + b_in) W_out + b_out.
// d_residual holds d_output and becomes d_residual_mid.
void mlp_backward(const Pass& pass, std::size_t k, const BlockActivations& kept,
                  const BlockTensors<const float>& weights, const BlockTensors<float>& d) {
  const std::size_t C = pass.C, F = pass.F;
  float* d_residual = pass.buffers.d_residual();
  float* d_hidden = pass.buffers.d_wide();
  float* d_ln_2 = pass.buffers.d_branch();
  const float* d_mlp_out = projection_gradient(pass, mlp_dropout(k), d_residual);

  // Forward: mlp_out = mlp_hidden W_out + b_out
  weight_gradient(pass, kept.mlp_hidden, F, d_mlp_out, C, d.mlp_out_weight);
  input_gradient(pass, d_mlp_out, C, weights.mlp_out_weight, F, d_hidden);

  activation_backward(pass, kept, d_mlp_out, d_hidden, d);

  // Forward: mlp_pre = ln_2 W_in + b_in
  weight_gradient(pass, kept.ln_2, C, d_hidden, F, d.mlp_in_weight);
  input_gradient(pass, d_hidden, F, weights.mlp_in_weight, C, d_ln_2);

  // Forward: ln_2 = layer_norm(residual_mid)
  const StepScope timed(pass.profile, StepStage::kNormsBackward);
  const LayerNormInverse norm{
      kept.residual_mid, weights.ln_2_weight, kept.ln_2_mean, kept.ln_2_rstd, {0, C}, {C, C}};
  for_row_chunks(pass.rows, pass.options.threads,
                 [&](std::size_t chunk, std::size_t begin, std::size_t rows) {
                   norm.run(pass, chunk, begin, rows, d_ln_2, d_residual);
                 });
  finish_sum(pass, norm.d_gamma, d.ln_2_weight);
  finish_sum(pass, norm.d_beta, d.ln_2_bias);
}

// Five products over the pairs that the causal mask leaves.
double attention_flops(const Pass& pass) {
  double pairs = 0;
  for (std::size_t s = 0; s < pass.batch.sequences(); ++s) {
    const auto tokens = static_cast<double>(pass.batch.offsets[s + 1] - pass.batch.offsets[s]);
    pairs += tokens * (tokens + 1) / 2;
  }
  return 10 * static_cast<double>(pass.C) * pairs;
}

// Forward: heads = attention(q, k, v), sequence by sequence, head by head.
void attention_heads_backward(const Pass& pass, std::size_t k, const BlockActivations& kept,
                              const float* d_heads, float* d_qkv) {
  const std::size_t C = pass.C, H = pass.config.n_head, D = pass.config.head_dim();
  const float scale = pass.config.attention_scale(k);
  const StepScope timed(pass.profile, StepStage::kAttentionBackward, attention_flops(pass));
  for_tasks(pass.batch.sequences() * H, pass.options.threads, [&](std::size_t task, int thread) {
    const std::size_t sequence = task / H, head = task % H;
    const std::size_t begin = pass.batch.offsets[sequence];
    const std::size_t tokens = pass.batch.offsets[sequence + 1] - begin;
    const kernels::AttentionShape shape{tokens, tokens, H, D, 3 * C, 3 * C, 3 * C, C, scale};
    const float* q = kept.qkv + begin * 3 * C;
    float* d_q = d_qkv + begin * 3 * C;
    pass.kernels.attention_backward(
        shape, head, head + 1, q, q + C, q + 2 * C, kept.heads + begin * C, d_heads + begin * C,
        kept.log_sum_exp + H * begin, d_q, d_q + C, d_q + 2 * C, pass.buffers.scratch(thread));
  });
}

// Forward: residual_mid = input + attention(ln_1(input) W_qkv + b_qkv) W_o + b_o.
// d_residual holds d_residual_mid and becomes d_input.
void attention_backward(const Pass& pass, std::size_t k, const BlockActivations& kept,
                        const BlockTensors<const float>& weights, const BlockTensors<float>& d) {
  const std::size_t C = pass.C;
  float* d_residual = pass.buffers.d_residual();
  float* d_branch = pass.buffers.d_branch();
  float* d_qkv = pass.buffers.d_wide();
  const float* d_attention_out = projection_gradient(pass, attention_dropout(k), d_residual);

  // Forward: attention_out = heads W_o + b_o
  weight_gradient(pass, kept.heads, C, d_attention_out, C, d.attention_out_weight);
  input_gradient(pass, d_attention_out, C, weights.attention_out_weight, C, d_branch);

  attention_heads_backward(pass, k, kept, d_branch, d_qkv);

  // Forward: qkv = ln_1 W_qkv + b_qkv
  weight_gradient(pass, kept.ln_1, C, d_qkv, 3 * C, d.attention_qkv_weight);
  input_gradient(pass, d_qkv, 3 * C, weights.attention_qkv_weight, C, d_branch);

  const StepScope timed(pass.profile, StepStage::kNormsBackward);
  // Forward: ln_1 = layer_norm(input). The biases' sums come first: d_residual changes here.
  const LayerNormInverse norm{
      kept.input, weights.ln_1_weight, kept.ln_1_mean, kept.ln_1_rstd, {0, C}, {C, C}};
  const PartialSum d_out_bias{2 * C, C}, d_qkv_bias{3 * C, 3 * C};
  for_row_chunks(pass.rows, pass.options.threads,
                 [&](std::size_t chunk, std::size_t begin, std::size_t rows) {
                   pass.kernels.column_sum(rows, C, d_attention_out + begin * C, C,
                                           start_partial(pass, chunk, d_out_bias));
                   pass.kernels.column_sum(rows, 3 * C, d_qkv + begin * 3 * C, 3 * C,
                                           start_partial(pass, chunk, d_qkv_bias));
                   norm.run(pass, chunk, begin, rows, d_branch, d_residual);
                 });
  finish_sum(pass, d_out_bias, d.attention_out_bias);
  finish_sum(pass, d_qkv_bias, d.attention_qkv_bias);
  finish_sum(pass, norm.d_gamma, d.ln_1_weight);
  finish_sum(pass, norm.d_beta, d.ln_1_bias);
}

// Forward: embedding = embedding_scale * token_embedding[ids] + position_embedding[positions].
void embedding_backward(const Pass& pass, const ModelTensors<float>& d) {
  const StepScope timed(pass.profile, StepStage::kEmbeddingBackward);
  // Rows of one id meet in one sum, so work is divided by columns, not by rows.
  constexpr std::size_t kColumns = 64;
  const std::size_t C = pass.C;
  float* d_embedding = pass.buffers.d_residual();
  if (pass.dropout != nullptr) {
    for_row_chunks(pass.rows, pass.options.threads,
                   [&](std::size_t, std::size_t begin, std::size_t rows) {
                     pass.dropout->apply(kEmbeddingDropout, pass.batch, C, begin, begin + rows,
                                         d_embedding, d_embedding);
                   });
  }
  const bool learned = pass.config.position_encoding == PositionEncoding::kLearned;
  for_tasks((C + kColumns - 1) / kColumns, pass.options.threads, [&](std::size_t task, int) {
    const std::size_t column = task * kColumns;
    const std::size_t columns = std::min(kColumns, C - column);
    pass.kernels.embedding_scatter_add(pass.rows, columns, pass.batch.ids.data(),
                                       d_embedding + column, C, pass.config.embedding_scale,
                                       d.token_embedding + column, C);
    if (!learned) return;
    for (std::size_t s = 0; s < pass.batch.sequences(); ++s) {
      const std::size_t begin = pass.batch.offsets[s];
      for (std::size_t row = begin; row < pass.batch.offsets[s + 1]; ++row) {
        float* d_position = d.position_embedding + (row - begin) * C + column;
        pass.kernels.add(columns, d_position, d_embedding + row * C + column, d_position);
      }
    }
  });
}

// Forward: final = layer_norm(output of the last block). d_residual becomes that output's gradient.
void final_norm_backward(const Pass& pass, const ModelTensors<const float>& tensors,
                         Activations& activations, const float* d_final,
                         const ModelTensors<float>& d) {
  const StepScope timed(pass.profile, StepStage::kNormsBackward);
  const std::size_t C = pass.C, layers = pass.config.n_layer;
  const float* last = layers == 0 ? activations.embedding() : activations.block(layers - 1).output;
  const LayerNormInverse norm{
      last,  tensors.ln_f_weight, activations.final_mean(), activations.final_rstd(), {0, C},
      {C, C}};
  float* d_residual = pass.buffers.d_residual();
  for_row_chunks(pass.rows, pass.options.threads,
                 [&](std::size_t chunk, std::size_t begin, std::size_t rows) {
                   std::fill_n(d_residual + begin * C, rows * C, 0.0f);
                   norm.run(pass, chunk, begin, rows, d_final, d_residual);
                 });
  finish_sum(pass, norm.d_gamma, d.ln_f_weight);
  finish_sum(pass, norm.d_beta, d.ln_f_bias);
}

}  // namespace

void BackwardBuffers::reserve(const ModelConfig& config, const Batch& batch, int threads,
                              bool dropout) {
  const std::size_t rows = batch.rows(), C = config.n_embd, F = config.inner();
  const auto grow = [](std::vector<float>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
  };
  grow(d_residual_, rows * C);
  grow(d_branch_, rows * C);
  if (dropout) grow(d_projected_, rows * C);
  grow(d_wide_, rows * std::max(F, 3 * C));
  partials_width_ = std::max(F + C, 6 * C);
  grow(partials_, row_chunks(rows) * partials_width_);
  for (std::size_t s = 0; s < batch.sequences(); ++s) {
    const std::size_t tokens = batch.offsets[s + 1] - batch.offsets[s];
    const std::size_t D = config.head_dim();
    const kernels::AttentionShape shape{tokens, tokens, config.n_head, D, 3 * C, 3 * C,
                                        3 * C,  C,      1.0f};
    scratch_size_ = std::max(scratch_size_, kernels::active_kernels().attention_scratch(shape));
  }
  // A cache line between the threads' scratch buffers.
  scratch_size_ = (scratch_size_ + 31) / 16 * 16;
  grow(scratch_, scratch_size_ * static_cast<std::size_t>(threads));
}

void run_backward(const ModelConfig& config, const ModelTensors<const float>& tensors,
                  const Batch& batch, Activations& activations, const float* d_final,
                  bool accumulate, const ModelTensors<float>& gradients, BackwardBuffers& buffers,
                  const kernels::GemmOptions& options, const Dropout* dropout, StepProfile* profile,
                  const std::function<void(std::size_t)>& finished) {
  buffers.reserve(config, batch, options.threads, dropout != nullptr);
  const Pass pass{config, batch, buffers, options, accumulate, dropout, profile};
  final_norm_backward(pass, tensors, activations, d_final, gradients);
  if (finished) finished(config.n_layer);
  for (std::size_t k = config.n_layer; k-- > 0;) {
    const BlockActivations kept = activations.block(k);
    mlp_backward(pass, k, kept, tensors.blocks[k], gradients.blocks[k]);
    attention_backward(pass, k, kept, tensors.blocks[k], gradients.blocks[k]);
    if (finished) finished(k);
  }
  embedding_backward(pass, gradients);
}

}  // namespace glassgpt::training
