// From the last layer norm's output to the loss, and back: the output matrix and the cross-entropy
// together.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "model/parts.h"
#include "train/step_profile.h"

namespace glassgpt::training {

// logits = final lm_head^T and cross-entropy, a chunk of rows at a time: never a [rows, V] matrix.
// The size of a chunk depends on V and C alone, so the order of every sum does too.
class LossHead {
 public:
  explicit LossHead(const ModelConfig& config);

  // losses[r] = cross-entropy of row r in nats (0 where targets[r] is kernels::kIgnoreTarget).
  // final is [rows, C], lm_head the packed [C, V]. targets must be below V.
  void losses(std::size_t rows, const float* final, std::span<const kernels::TokenId> targets,
              const kernels::WeightMatrix& lm_head, float* losses,
              const kernels::GemmOptions& options);

  // The same, and with loss = d_loss * sum of losses: d_final [rows, C] is written, d_lm_head [V,
  // C] too, or added to if `accumulate`.
  void losses_and_gradients(std::size_t rows, const float* final,
                            std::span<const kernels::TokenId> targets,
                            const kernels::WeightMatrix& lm_head, float d_loss, float* losses,
                            float* d_final, bool accumulate, float* d_lm_head,
                            const kernels::GemmOptions& options, StepProfile* profile = nullptr);

 private:
  double product_flops(std::size_t rows) const noexcept {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(width_ * vocab_);
  }
  void chunk_losses(std::size_t rows, const float* final, const kernels::TokenId* targets,
                    const kernels::WeightMatrix& lm_head, float d_loss, float* losses,
                    bool gradients, const kernels::GemmOptions& options, StepProfile* profile);

  std::size_t width_, vocab_, chunk_;
  std::vector<float> logits_;  // [chunk, V]; d_logits in place
};

}  // namespace glassgpt::training
