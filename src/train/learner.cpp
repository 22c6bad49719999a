#include "train/learner.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "model/stage_cost.h"
#include "train/parallel.h"

namespace glassgpt::training {
namespace {

std::vector<float> checked(std::vector<float> parameters, std::size_t expected) {
  if (parameters.size() != expected) {
    throw std::invalid_argument("Learner: got " + std::to_string(parameters.size()) +
                                " parameters, expected " + std::to_string(expected));
  }
  return parameters;
}

void check_batch(const Batch& batch, std::span<const kernels::TokenId> targets, std::size_t vocab) {
  if (targets.size() != batch.rows()) {
    throw std::invalid_argument("Learner: got " + std::to_string(targets.size()) +
                                " targets, expected one for each of " +
                                std::to_string(batch.rows()) + " rows");
  }
  for (const kernels::TokenId target : targets) {
    if (target >= vocab && target != kernels::kIgnoreTarget) {
      throw std::invalid_argument("Learner: got target " + std::to_string(target) +
                                  ", expected less than " + std::to_string(vocab));
    }
  }
}

}  // namespace

kernels::GemmOptions gemm_options(GemmChoice choice, int threads) {
  using kernels::GemmBackend;
  kernels::GemmOptions options;
  options.threads = threads;
  switch (choice) {
    case GemmChoice::kAuto:
      options.backend = GemmBackend::kAuto;
      break;
    case GemmChoice::kSimd:
      options.backend = GemmBackend::kSimd;
      break;
    case GemmChoice::kBlas:
      options.backend = GemmBackend::kBlas;
      break;
    case GemmChoice::kReference:
      options.backend = GemmBackend::kReference;
      break;
  }
  return options;
}

Learner::Learner(const ModelConfig& config, std::vector<float> parameters,
                 const AdamWOptions& adamw, const kernels::GemmOptions& options)
    : config_(config),
      options_(options),
      layout_(config),
      parameters_(checked(std::move(parameters), layout_.size)),
      gradients_(layout_.size, 0.0f),
      tensors_(layout_.tensors(static_cast<const float*>(parameters_.data()))),
      d_tensors_(layout_.tensors(gradients_.data())),
      packed_(config, tensors_),
      transposed_(config, tensors_),
      activations_(config, KeepActivations::kAllBlocks),
      loss_head_(config),
      optimizer_(layout_, adamw) {
  weights_changed();
}

void Learner::weights_changed() {
  packed_.pack(options_, true);
  transposed_.pack(options_);
}

void Learner::forward(const Batch& batch, StepProfile* profile) {
  double flops = 0;
  if (profile != nullptr) {
    const PassShape shape(config_, batch.offsets, 0);
    flops = static_cast<double>(config_.n_layer) *
            (query_key_value_cost(shape).flops + attention_heads_cost(shape).flops +
             attention_out_cost(shape).flops + mlp_hidden_cost(shape).flops +
             mlp_out_cost(shape).flops);
  }
  const StepScope timed(profile, StepStage::kForward, flops);
  run_forward(config_, tensors_, packed_, batch, activations_, nullptr, options_);
}

double Learner::accumulate(const Batch& batch, std::span<const kernels::TokenId> targets,
                           float d_loss, StepProfile* profile) {
  check_batch(batch, targets, config_.vocab_size);
  const std::size_t rows = batch.rows();
  if (gradients_used_) std::fill(gradients_.begin(), gradients_.end(), 0.0f);
  gradients_used_ = false;
  row_losses_.resize(rows);
  d_final_.resize(rows * config_.n_embd);

  forward(batch, profile);
  loss_head_.losses_and_gradients(rows, activations_.final(), targets, packed_.lm_head,
                                  transposed_.lm_head(), d_loss, row_losses_.data(),
                                  d_final_.data(), d_tensors_.lm_head, options_, profile);
  run_backward(config_, tensors_, transposed_, batch, activations_, d_final_.data(), d_tensors_,
               buffers_, options_, profile);
  double sum = 0;
  for (const float loss : row_losses_) sum += loss;
  return sum;
}

double Learner::update(std::size_t step, double learning_rate, StepProfile* profile) {
  gradients_used_ = true;
  double norm = 0;
  {
    const StepScope timed(profile, StepStage::kOptimizer);
    norm = optimizer_.update(step, learning_rate, gradients_.data(), parameters_.data(),
                             options_.threads);
  }
  const StepScope timed(profile, StepStage::kPacking);
  weights_changed();
  return norm;
}

void Learner::losses(const Batch& batch, std::span<const kernels::TokenId> targets, float* losses) {
  check_batch(batch, targets, config_.vocab_size);
  forward(batch, nullptr);
  loss_head_.losses(batch.rows(), activations_.final(), targets, packed_.lm_head, losses, options_);
}

}  // namespace glassgpt::training
