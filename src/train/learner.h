// A model that learns: parameters, gradients, moments, and the passes over them. Knows nothing of
// text, files or schedules.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cross_entropy/cross_entropy.h"
#include "train/backward.h"
#include "train/loss_head.h"
#include "train/optimizer.h"
#include "train/rank_sums.h"

namespace glassgpt::training {

// The processes of a run, each with a Learner of its own over the same parameters.
struct LearnerRanks {
  distributed::Communicator* ranks = nullptr;  // null: this one alone
  bool shard_optimizer = false;                // each keeps the moments of its segments alone
};

class Learner {
 public:
  // `parameters` has TensorLayout(config).
  Learner(const ModelConfig& config, std::vector<float> parameters, const AdamWOptions& adamw,
          const kernels::GemmOptions& options, const LearnerRanks& ranks = {});
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  // Adds the gradients of d_loss * (sum of the rows' cross-entropies) and returns that sum, in
  // nats. targets[r] belongs to the batch's row r. The first call after update() (or the
  // constructor) starts from zero.
  double accumulate(const Batch& batch, std::span<const kernels::TokenId> targets, float d_loss,
                    const Dropout* dropout = nullptr, StepProfile* profile = nullptr);

  // The next accumulate() is the last one before update(). With several ranks, each gradient is
  // summed over them as soon as that pass has finished it, beside the rest of the pass.
  void sum_with_next_pass() noexcept { sum_next_ = sums_ != nullptr; }

  // AdamW with the accumulated gradients; returns their norm. See Optimizer::update. With several
  // ranks all call it, after a pass with their sums.
  double update(std::size_t step, double learning_rate, StepProfile* profile = nullptr);

  // losses[r] of each row, in nats; changes nothing.
  void losses(const Batch& batch, std::span<const kernels::TokenId> targets, float* losses);

  const ModelConfig& config() const noexcept { return config_; }
  const TensorLayout& layout() const noexcept { return layout_; }
  const std::vector<float>& parameters() const noexcept { return parameters_; }
  const std::vector<float>& gradients() const noexcept { return gradients_; }
  float* moment1() noexcept { return optimizer_.moment1(); }
  float* moment2() noexcept { return optimizer_.moment2(); }

  // moment1() and moment2() are those of all tensors, unless the optimizer is sharded. For a
  // checkpoint: gather_moments(), by all ranks, makes them so on rank 0; make_room_for_moments()
  // lets read_checkpoint() fill them; keep_own_moments() ends either.
  void gather_moments();
  void make_room_for_moments() { optimizer_.expand(); }
  void keep_own_moments() { optimizer_.shrink(); }

  // For a checkpoint that was read: writes into the parameters, then weights_changed() must be
  // called.
  float* mutable_parameters() noexcept { return parameters_.data(); }
  void weights_changed();

 private:
  void start_gradients();
  void start_sum(std::size_t bucket);
  void share_parameters();
  void pack(std::size_t entry);
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
  LearnerRanks ranks_;
  Shares shares_;
  Optimizer optimizer_;
  std::vector<float> row_losses_, d_final_;
  bool gradients_used_ = true;  // the next accumulate() starts from zero
  bool sum_next_ = false;
  std::unique_ptr<RankSums>
      sums_;  // null in a run of one process; last, for it works on the others
};

}  // namespace glassgpt::training
