// A model that learns: parameters, gradients, moments, and the passes over them. Knows nothing of
// text, files or schedules.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/cross_entropy/cross_entropy.h"
#include "train/backward.h"
#include "train/loss_head.h"
#include "train/optimizer.h"

namespace glassgpt::training {

kernels::GemmOptions gemm_options(GemmChoice choice, int threads,
                                  ComputeType compute = ComputeType::kFloat32);

class Learner {
 public:
  // `parameters` has TensorLayout(config).
  Learner(const ModelConfig& config, std::vector<float> parameters, const AdamWOptions& adamw,
          const kernels::GemmOptions& options);
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  // Adds the gradients of d_loss * (sum of the rows' cross-entropies) and returns that sum, in
  // nats. targets[r] belongs to the batch's row r. The first call after update() (or the
  // constructor) starts from zero.
  double accumulate(const Batch& batch, std::span<const kernels::TokenId> targets, float d_loss,
                    const Dropout* dropout = nullptr, StepProfile* profile = nullptr);

  // AdamW with the accumulated gradients; returns their norm. See Optimizer::update.
  double update(std::size_t step, double learning_rate, StepProfile* profile = nullptr);

  // losses[r] of each row, in nats; changes nothing.
  void losses(const Batch& batch, std::span<const kernels::TokenId> targets, float* losses);

  const ModelConfig& config() const noexcept { return config_; }
  const TensorLayout& layout() const noexcept { return layout_; }
  const std::vector<float>& parameters() const noexcept { return parameters_; }
  const std::vector<float>& gradients() const noexcept { return gradients_; }
  float* moment1() noexcept { return optimizer_.moment1(); }
  float* moment2() noexcept { return optimizer_.moment2(); }

  // For a checkpoint that was read: writes into the parameters, then weights_changed() must be
  // called.
  float* mutable_parameters() noexcept { return parameters_.data(); }
  void weights_changed();

 private:
  void start_gradients();
  void forward(const Batch& batch, const Dropout* dropout, StepProfile* profile);

  ModelConfig config_;
  kernels::GemmOptions options_;
  TensorLayout layout_;
  std::vector<float> parameters_, gradients_;
  ModelTensors<const float> tensors_;
  ModelTensors<float> d_tensors_;
  PackedWeights packed_;
  std::vector<kernels::WeightMatrix*> packed_of_;  // by entry of the layout; null: not a product's
  Activations activations_;
  BackwardBuffers buffers_;
  LossHead loss_head_;
  Optimizer optimizer_;
  std::vector<float> row_losses_, d_final_;
  bool gradients_used_ = true;  // the next accumulate() starts from zero
};

}  // namespace glassgpt::training
