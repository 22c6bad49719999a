// AdamW over all parameters, gradient clipping, and the learning rate's schedule.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "glassgpt/train.h"
#include "model/parts.h"
#include "train/rank_sums.h"

namespace glassgpt::training {

// Learning rate of step `step` (the first is 1): rises linearly to learning_rate over warmup_steps,
// then stays there (constant) or falls along half a cosine to the floor at the last step
// (Loshchilov and Hutter 2017, equation 5, without restarts).
double learning_rate_at(const TrainingOptions& options, std::size_t step) noexcept;

struct AdamWOptions {
  float beta1 = 0.9f, beta2 = 0.95f, epsilon = 1e-8f;
  float weight_decay = 0.1f;
  float clip_norm = 1.0f;  // 0: no clipping
};

// Keeps the two moments, in the tensors' layout. Tensors that are not trained are left alone; those
// that do not decay (TensorLayout::Entry::decays) have no weight decay.
//
// In a run of several ranks each takes the norm of the segments that it owns. `sharded`
// (Rajbhandari et al. 2020, "ZeRO", stage 1): it also keeps the moments of those alone, and updates
// their parameters alone.
class Optimizer {
 public:
  // `shares` null: a run of one process.
  Optimizer(const TensorLayout& layout, const AdamWOptions& options, const Shares* shares = nullptr,
            int rank = 0, bool sharded = false);

  // One step (counted from 1) of Loshchilov and Hutter 2019, algorithm 2, after the gradient was
  // scaled down to clip_norm if it is longer. Returns the gradient's norm before clipping. With a
  // norm that is not finite nothing is changed. `ranks`: of a run of several; all take part.
  // `updated(e)` is called as soon as what is updated of the tensor of entry e of the layout is
  // done, while it is in cache.
  double update(std::size_t step, double learning_rate, const float* gradients, float* parameters,
                int threads, RankSums* ranks = nullptr,
                const std::function<void(std::size_t)>& updated = {});

  float* moment1() noexcept { return moment1_.data(); }
  float* moment2() noexcept { return moment2_.data(); }

  // For a checkpoint: moments of all tensors, in the layout, of which a sharded optimizer has
  // filled its own segments; and back to these, which update() works with.
  void expand();
  void shrink();

 private:
  // Stretches of a fixed length, cut also where segments end: the norm is a sum of their sums, in
  // their order, for any number of threads.
  struct Stretch {
    std::size_t entry, offset, size;
    std::size_t moment;  // where its moments begin
    bool decays, own;
  };

  double gradient_norm(const float* gradients, int threads, RankSums* ranks);

  AdamWOptions options_;
  bool sharded_, expanded_ = false;
  std::size_t layout_size_;
  std::vector<Stretch> stretches_;
  std::vector<double> squares_;
  std::vector<float> moment1_, moment2_;
};

}  // namespace glassgpt::training
