// The forward pass of GPT-2 (Radford et al. 2019): pre-norm Transformer blocks (Vaswani et al.
// 2017) over a batch of sequences that lie one behind the other. ForwardPass::run() is the list of
// its stages; each stage is one function below it.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/dispatch.h"
#include "model/parallel.h"
#include "model/parts.h"
#include "model/pass_plan.h"
#include "model/stage_cost.h"

namespace glassgpt {
namespace {

using kernels::AttentionShape;
using kernels::Epilogue;

class ForwardPass {
 public:
  ForwardPass(const ModelConfig& config, const ModelTensors<const float>& tensors,
              const PackedWeights& packed, const Batch& batch, Activations& activations,
              Observer* observer, const kernels::GemmOptions& options, KeyValueCache::Parts* cache,
              PassTimer* timer, const Dropout* dropout);
  void run();

 private:
  void tokens();
  void token_embedding();
  void embedding();
  void ln_1(std::size_t k);
  void query_key_value(std::size_t k);
  void attention_weights(std::size_t k, Stage stage);
  void attention_heads(std::size_t k);
  void attention_out(std::size_t k);
  void ln_2(std::size_t k);
  void mlp_hidden(std::size_t k);
  void mlp_out(std::size_t k);
  void final_norm();
  void logits();

  // One task of attention: some queries of one head of one sequence.
  struct AttentionTask {
    std::size_t sequence, head, query_begin, query_end;
  };
  struct AttentionInput {
    AttentionShape shape;
    const float *q, *k, *v;
  };
  void plan_attention();
  AttentionInput attention_input(std::size_t sequence, std::size_t k);
  // The observer's room for the stage, if it has one.
  float* room(Stage stage, std::size_t layer, float* own);
  void leave_out(std::size_t place, float* x) const;
  void layer_norm(const float* x, const float* weight, const float* bias, float* y, float* mean,
                  float* rstd);
  // y = a weight + bias + residual; where the sum without the residual is watched, in two steps of
  // the same bytes. With dropout, y = dropout(a weight + bias) + residual.
  void project_and_add(Stage projected, Stage sum, std::size_t k, std::size_t dropout_place,
                       const float* a, std::size_t a_cols, const kernels::WeightMatrix& weight,
                       const float* bias, const float* residual, float* y);
  void announce(Stage stage, std::size_t layer, const float* data, std::size_t cols) {
    announce(stage, layer, data, cols, cols);
  }
  void announce(Stage stage, std::size_t layer, const float* data, std::size_t cols,
                std::size_t stride);
  // The first line of each stage: to the end of the function time is the stage's.
  [[nodiscard]] StageScope time(TimedStage stage, std::size_t layer = 0) const {
    if (timer_ == nullptr) return StageScope(nullptr);
    return {*timer_, stage, layer, stage_cost(stage, shape_)};
  }

  const ModelConfig& config_;
  const ModelTensors<const float>& tensors_;
  const PackedWeights& packed_;
  const Batch& batch_;
  Activations& activations_;
  Observer* observer_;
  const kernels::GemmOptions& options_;
  KeyValueCache::Parts* cache_;
  PassTimer* timer_;
  const Dropout* dropout_;
  const kernels::KernelTable& kernels_;
  const PassPlan plan_;
  const std::size_t rows_, width_;
  const std::size_t first_position_;  // of every sequence
  const PassShape shape_;
  float* stream_ = nullptr;  // the residual stream that enters the next block
  float* final_ = nullptr;
  std::vector<TokenId> positions_;              // of every row
  std::vector<AttentionTask> attention_tasks_;  // the same for all blocks
  int attention_threads_ = 1;
};

void ForwardPass::run() {
  tokens();
  token_embedding();
  embedding();
  for (std::size_t k = 0; k < config_.n_layer && plan_.reaches(Stage::kLn1, k); ++k) {
    ln_1(k);
    query_key_value(k);
    attention_weights(k, Stage::kScores);
    attention_weights(k, Stage::kAttention);
    attention_heads(k);
    attention_out(k);
    ln_2(k);
    mlp_hidden(k);
    mlp_out(k);
  }
  final_norm();
  logits();
}

ForwardPass::ForwardPass(const ModelConfig& config, const ModelTensors<const float>& tensors,
                         const PackedWeights& packed, const Batch& batch, Activations& activations,
                         Observer* observer, const kernels::GemmOptions& options,
                         KeyValueCache::Parts* cache, PassTimer* timer, const Dropout* dropout)
    : config_(config),
      tensors_(tensors),
      packed_(packed),
      batch_(batch),
      activations_(activations),
      observer_(observer),
      options_(options),
      cache_(cache),
      timer_(timer),
      dropout_(dropout),
      kernels_(kernels::active_kernels()),
      plan_(config.n_layer, observer, cache != nullptr),
      rows_(batch.rows()),
      width_(config.n_embd),
      first_position_(cache != nullptr ? cache->tokens : 0),
      shape_(config, batch.offsets, first_position_,
             options.type == kernels::NumberType::kBFloat16 ? 2 : 4) {
  activations_.reserve(rows_);
  positions_.reserve(rows_);
  for (std::size_t b = 0; b < batch_.sequences(); ++b)
    for (std::size_t t = 0; t < batch_.offsets[b + 1] - batch_.offsets[b]; ++t)
      positions_.push_back(static_cast<TokenId>(first_position_ + t));
  plan_attention();
}

void ForwardPass::announce(Stage stage, std::size_t layer, const float* data, std::size_t cols,
                           std::size_t stride) {
  if (!plan_.wants(stage, layer)) return;
  const StageScope watching = StageScope::pause(timer_);
  observer_->on_stage({.stage = stage,
                       .layer = layer,
                       .data = data,
                       .rows = rows_,
                       .cols = cols,
                       .stride = stride,
                       .sequence = 0,
                       .head = 0});
}

float* ForwardPass::room(Stage stage, std::size_t layer, float* own) {
  if (!plan_.wants(stage, layer) || activations_.keeps_all()) return own;
  const StageScope watching = StageScope::pause(timer_);
  float* const room = observer_->room(stage, layer, rows_, width_);
  return room != nullptr ? room : own;
}

void ForwardPass::tokens() { announce(Stage::kTokens, 0, nullptr, 1); }

void ForwardPass::token_embedding() {
  if (!plan_.reaches(Stage::kTokenEmbedding)) return;
  const StageScope timed = time(TimedStage::kTokenEmbedding);
  float* const x = stream_ = room(Stage::kEmbedding, 0, activations_.embedding());
  for_row_ranges(rows_, width_, options_.threads, [&](std::size_t begin, std::size_t end) {
    kernels_.embedding_gather(end - begin, width_, batch_.ids.data() + begin,
                              tensors_.token_embedding, width_, config_.embedding_scale,
                              x + begin * width_, width_);
  });
  announce(Stage::kTokenEmbedding, 0, x, width_);
}

void ForwardPass::embedding() {
  if (!plan_.reaches(Stage::kPosition)) return;
  const StageScope timed = time(TimedStage::kEmbedding);
  if (plan_.wants(Stage::kPosition)) {
    float* const copies = activations_.watched(rows_ * width_);
    kernels_.embedding_gather(rows_, width_, positions_.data(), tensors_.position_embedding, width_,
                              1.0f, copies, width_);
    announce(Stage::kPosition, 0, copies, width_);
  }
  if (!plan_.reaches(Stage::kEmbedding)) return;
  float* const x = stream_;
  for_row_ranges(rows_, width_, options_.threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      kernels_.add(width_, x + r * width_, tensors_.position_embedding + positions_[r] * width_,
                   x + r * width_);
  });
  leave_out(kEmbeddingDropout, x);
  announce(Stage::kEmbedding, 0, x, width_);
}

void ForwardPass::leave_out(std::size_t place, float* x) const {
  if (dropout_ == nullptr) return;
  for_row_ranges(rows_, width_, options_.threads, [&](std::size_t begin, std::size_t end) {
    dropout_->apply(place, batch_, width_, begin, end, x, x);
  });
}

void ForwardPass::layer_norm(const float* x, const float* weight, const float* bias, float* y,
                             float* mean, float* rstd) {
  for_row_ranges(rows_, width_, options_.threads, [&](std::size_t begin, std::size_t end) {
    kernels_.layer_norm(end - begin, width_, x + begin * width_, width_, weight, bias,
                        config_.layer_norm_epsilon, y + begin * width_, width_,
                        mean != nullptr ? mean + begin : nullptr,
                        rstd != nullptr ? rstd + begin : nullptr);
  });
}

void ForwardPass::ln_1(std::size_t k) {
  const StageScope timed = time(TimedStage::kLn1, k);
  const BlockActivations a = activations_.block(k);
  const BlockTensors<const float>& w = tensors_.blocks[k];
  layer_norm(stream_, w.ln_1_weight, w.ln_1_bias, a.ln_1, a.ln_1_mean, a.ln_1_rstd);
  announce(Stage::kLn1, k, a.ln_1, width_);
}

void ForwardPass::query_key_value(std::size_t k) {
  if (!plan_.reaches(Stage::kQ, k)) return;
  const StageScope timed = time(TimedStage::kQueryKeyValue, k);
  const BlockActivations a = activations_.block(k);
  const std::size_t stride = 3 * width_;
  const Epilogue epilogue{.bias = tensors_.blocks[k].attention_qkv_bias};
  kernels::linear(rows_, a.ln_1, width_, packed_.blocks[k].qkv, epilogue, a.qkv, stride, options_);
  if (cache_ != nullptr) {
    for (std::size_t r = 0; r < rows_; ++r) {
      const float* const row = a.qkv + r * stride;
      const std::size_t place = (first_position_ + r) * width_;
      std::copy_n(row + width_, width_, cache_->keys(k) + place);
      std::copy_n(row + 2 * width_, width_, cache_->values(k) + place);
    }
  }
  announce(Stage::kQ, k, a.qkv, width_, stride);
  announce(Stage::kK, k, a.qkv + width_, width_, stride);
  announce(Stage::kV, k, a.qkv + 2 * width_, width_, stride);
}

// Causal rows cost as much as they are long: the longest come first, so that no thread is left with
// one at the end.
void ForwardPass::plan_attention() {
  constexpr std::size_t kQueriesPerTask = 128;
  if (!plan_.reaches(Stage::kAttentionHeads, 0)) return;
  std::size_t scratch_floats = 0, multiplications = 0;
  for (std::size_t b = 0; b < batch_.sequences(); ++b) {
    const AttentionShape shape = attention_input(b, 0).shape;
    if (shape.queries == 0) continue;
    scratch_floats = std::max(scratch_floats, kernels_.attention_scratch(shape));
    multiplications += shape.queries * shape.keys * width_;
    for (std::size_t begin = 0; begin < shape.queries; begin += kQueriesPerTask)
      for (std::size_t head = 0; head < shape.heads; ++head)
        attention_tasks_.push_back(
            {b, head, begin, std::min(begin + kQueriesPerTask, shape.queries)});
  }
  std::stable_sort(
      attention_tasks_.begin(), attention_tasks_.end(),
      [](const AttentionTask& a, const AttentionTask& b) { return a.query_end > b.query_end; });
  attention_threads_ = threads_worth(multiplications, options_.threads);
  activations_.reserve_scratch(attention_threads_, scratch_floats);
}

ForwardPass::AttentionInput ForwardPass::attention_input(std::size_t sequence, std::size_t k) {
  const std::size_t begin = batch_.offsets[sequence];
  const std::size_t queries = batch_.offsets[sequence + 1] - begin;
  const float* const qkv = activations_.block(k).qkv + begin * 3 * width_;
  AttentionInput input{.shape = {.queries = queries,
                                 .keys = first_position_ + queries,
                                 .heads = config_.n_head,
                                 .head_dim = config_.head_dim(),
                                 .q_stride = 3 * width_,
                                 .k_stride = 3 * width_,
                                 .v_stride = 3 * width_,
                                 .out_stride = width_,
                                 .scale = config_.attention_scale(k)},
                       .q = qkv,
                       .k = qkv + width_,
                       .v = qkv + 2 * width_};
  if (cache_ != nullptr) {
    input.k = cache_->keys(k);
    input.v = cache_->values(k);
    input.shape.k_stride = input.shape.v_stride = width_;
  }
  return input;
}

// The matrices that attention itself never stores, for who wants to see them.
void ForwardPass::attention_weights(std::size_t k, Stage stage) {
  if (!plan_.wants(stage, k)) return;
  const StageScope timed = time(TimedStage::kAttentionWeights, k);
  for (std::size_t b = 0; b < batch_.sequences(); ++b) {
    const AttentionInput input = attention_input(b, k);
    const AttentionShape& shape = input.shape;
    const std::size_t matrix = shape.queries * shape.keys;
    float* const matrices = activations_.watched(config_.n_head * matrix);
    const int threads = threads_worth(matrix * width_, options_.threads);
    for_tasks(config_.n_head, threads, [&](std::size_t head, int) {
      float* const out = matrices + head * matrix;
      kernels_.attention_weights(shape, head, input.q, input.k,
                                 stage == Stage::kScores ? out : nullptr,
                                 stage == Stage::kScores ? nullptr : out);
    });
    const StageScope watching = StageScope::pause(timer_);
    for (std::size_t head = 0; head < config_.n_head; ++head)
      observer_->on_stage({.stage = stage,
                           .layer = k,
                           .data = matrices + head * matrix,
                           .rows = shape.queries,
                           .cols = shape.keys,
                           .stride = shape.keys,
                           .sequence = b,
                           .head = head});
  }
}

void ForwardPass::attention_heads(std::size_t k) {
  if (!plan_.reaches(Stage::kAttentionHeads, k)) return;
  const StageScope timed = time(TimedStage::kAttentionHeads, k);
  const BlockActivations a = activations_.block(k);
  for_tasks(attention_tasks_.size(), attention_threads_, [&](std::size_t i, int thread) {
    const AttentionTask& task = attention_tasks_[i];
    const AttentionInput input = attention_input(task.sequence, k);
    const std::size_t begin = batch_.offsets[task.sequence];
    float* const log_sum_exp =
        a.log_sum_exp != nullptr ? a.log_sum_exp + config_.n_head * begin : nullptr;
    kernels_.attention_forward(input.shape, task.head, task.head + 1, task.query_begin,
                               task.query_end, input.q, input.k, input.v, a.heads + begin * width_,
                               log_sum_exp, activations_.scratch(thread));
  });
  announce(Stage::kAttentionHeads, k, a.heads, width_);
}

void ForwardPass::project_and_add(Stage projected, Stage sum, std::size_t k,
                                  std::size_t dropout_place, const float* a, std::size_t a_cols,
                                  const kernels::WeightMatrix& weight, const float* bias,
                                  const float* residual, float* y) {
  if (!plan_.wants(projected, k) && dropout_ == nullptr) {
    const Epilogue epilogue{.bias = bias, .residual = residual, .residual_stride = width_};
    kernels::linear(rows_, a, a_cols, weight, epilogue, y, width_, options_);
  } else {
    float* const product = activations_.watched(rows_ * width_);
    kernels::linear(rows_, a, a_cols, weight, {.bias = bias}, product, width_, options_);
    leave_out(dropout_place, product);
    announce(projected, k, product, width_);
    for_row_ranges(rows_, width_, options_.threads, [&](std::size_t begin, std::size_t end) {
      kernels_.add((end - begin) * width_, product + begin * width_, residual + begin * width_,
                   y + begin * width_);
    });
  }
  announce(sum, k, y, width_);
}

void ForwardPass::attention_out(std::size_t k) {
  if (!plan_.reaches(Stage::kAttentionOut, k)) return;
  const StageScope timed = time(TimedStage::kAttentionOut, k);
  const BlockActivations a = activations_.block(k);
  project_and_add(Stage::kAttentionOut, Stage::kResidualMid, k, attention_dropout(k), a.heads,
                  width_, packed_.blocks[k].attention_out, tensors_.blocks[k].attention_out_bias,
                  stream_, a.residual_mid);
}

void ForwardPass::ln_2(std::size_t k) {
  if (!plan_.reaches(Stage::kLn2, k)) return;
  const StageScope timed = time(TimedStage::kLn2, k);
  const BlockActivations a = activations_.block(k);
  const BlockTensors<const float>& w = tensors_.blocks[k];
  layer_norm(a.residual_mid, w.ln_2_weight, w.ln_2_bias, a.ln_2, a.ln_2_mean, a.ln_2_rstd);
  announce(Stage::kLn2, k, a.ln_2, width_);
}

void ForwardPass::mlp_hidden(std::size_t k) {
  if (!plan_.reaches(Stage::kMlpHidden, k)) return;
  const StageScope timed = time(TimedStage::kMlpHidden, k);
  const BlockActivations a = activations_.block(k);
  const std::size_t inner = config_.inner();
  const Epilogue epilogue{.bias = tensors_.blocks[k].mlp_in_bias,
                          .activation = config_.activation == ActivationFunction::kGeluTanh
                                            ? kernels::Activation::kGeluTanh
                                            : kernels::Activation::kGeluErf,
                          .pre_activation = a.mlp_pre,
                          .pre_activation_stride = inner};
  kernels::linear(rows_, a.ln_2, width_, packed_.blocks[k].mlp_in, epilogue, a.mlp_hidden, inner,
                  options_);
  announce(Stage::kMlpHidden, k, a.mlp_hidden, inner);
}

void ForwardPass::mlp_out(std::size_t k) {
  if (!plan_.reaches(Stage::kMlpOut, k)) return;
  const StageScope timed = time(TimedStage::kMlpOut, k);
  const BlockActivations a = activations_.block(k);
  stream_ = room(Stage::kResidual, k, a.output);
  project_and_add(Stage::kMlpOut, Stage::kResidual, k, mlp_dropout(k), a.mlp_hidden,
                  config_.inner(), packed_.blocks[k].mlp_out, tensors_.blocks[k].mlp_out_bias,
                  a.residual_mid, stream_);
}

void ForwardPass::final_norm() {
  if (!plan_.reaches(Stage::kFinal)) return;
  const StageScope timed = time(TimedStage::kFinal);
  final_ = room(Stage::kFinal, 0, activations_.final());
  layer_norm(stream_, tensors_.ln_f_weight, tensors_.ln_f_bias, final_, activations_.final_mean(),
             activations_.final_rstd());
  announce(Stage::kFinal, 0, final_, width_);
}

void ForwardPass::logits() {
  if (!plan_.reaches(Stage::kLogits)) return;
  const StageScope timed = time(TimedStage::kLogits);
  float* const logits = activations_.watched(rows_ * config_.vocab_size);
  kernels::linear(rows_, final_, width_, packed_.lm_head, {}, logits, config_.vocab_size, options_);
  announce(Stage::kLogits, 0, logits, config_.vocab_size);
}

}  // namespace

void run_forward(const ModelConfig& config, const ModelTensors<const float>& tensors,
                 const PackedWeights& packed, const Batch& batch, Activations& activations,
                 Observer* observer, const kernels::GemmOptions& options,
                 KeyValueCache::Parts* cache, PassTimer* timer, const Dropout* dropout) {
  ForwardPass(config, tensors, packed, batch, activations, observer, options, cache, timer, dropout)
      .run();
  if (cache != nullptr) cache->tokens += batch.rows();
}

}  // namespace glassgpt
