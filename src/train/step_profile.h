// Where the time of a training step goes, when somebody asks.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "glassgpt/profile.h"

namespace glassgpt::training {

// What is timed. A product and what is computed with it are told apart, so that each has its FLOP.
enum class StepStage {
  kForward,          // up to the last layer norm
  kLogits,           // final lm_head^T
  kCrossEntropy,     // with its gradient
  kLogitsBackward,   // to d_final
  kHeadGradient,     // d_lm_head
  kWeightGradients,  // d_W += x^T d_y
  kInputGradients,   // d_x = d_y W^T
  kAttentionBackward,
  kGeluBackward,   // with the biases' gradients
  kNormsBackward,  // with the biases' gradients
  kEmbeddingBackward,
  kOptimizer,  // norm of the gradient, AdamW, packing the new weights
};
inline constexpr std::array<std::string_view, 12> kStepStageNames = {
    "forward",       "logits",           "cross_entropy",      "logits_backward",
    "head_gradient", "weight_gradients", "input_gradients",    "attention_backward",
    "gelu_backward", "norms_backward",   "embedding_backward", "optimizer"};

struct StepProfile {
  std::array<double, kStepStageNames.size()> seconds{};
  std::array<double, kStepStageNames.size()> flops{};
  PassProfile forward;  // kForward, taken apart
};

// While it lives time belongs to one stage. Without a profile it does nothing. Scopes do not nest.
class StepScope {
 public:
  StepScope(StepProfile* profile, StepStage stage, double flops = 0)
      : profile_(profile), place_(static_cast<std::size_t>(stage)) {
    if (profile_ == nullptr) return;
    profile_->flops[place_] += flops;
    begin_ = Clock::now();
  }
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;
  ~StepScope() {
    if (profile_ == nullptr) return;
    profile_->seconds[place_] += std::chrono::duration<double>(Clock::now() - begin_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  StepProfile* profile_;
  std::size_t place_;
  Clock::time_point begin_;
};

}  // namespace glassgpt::training
