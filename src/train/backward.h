// The backward pass: from the gradient of the last layer norm's output to the gradient of every
// parameter.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "model/parts.h"
#include "train/step_profile.h"

namespace glassgpt::training {

// Buffers of the backward pass; they grow on demand and are kept for the next pass.
class BackwardBuffers {
 public:
  void reserve(const ModelConfig& config, const Batch& batch, int threads, bool dropout);

  float* d_residual() noexcept { return d_residual_.data(); }    // [rows, C]
  float* d_branch() noexcept { return d_branch_.data(); }        // [rows, C]
  float* d_projected() noexcept { return d_projected_.data(); }  // [rows, C]; only with dropout
  float* d_wide() noexcept { return d_wide_.data(); }            // [rows, max(F, 3 C)]
  float* partials(std::size_t chunk) noexcept { return partials_.data() + chunk * partials_width_; }
  std::size_t partials_width() const noexcept { return partials_width_; }  // max(F + C, 6 C)
  float* scratch(int thread) noexcept {
    return scratch_.data() + static_cast<std::size_t>(thread) * scratch_size_;
  }

 private:
  std::vector<float> d_residual_, d_branch_, d_projected_, d_wide_, partials_, scratch_;
  std::size_t partials_width_ = 0, scratch_size_ = 0;
};

// The gradient of every parameter, given d_final, the gradient of run_forward's `final` [rows, C].
// Matrices of the blocks are added to if `accumulate`, otherwise overwritten; everything else
// (biases, norms, embeddings) is always added to. `activations` holds that pass, with
// KeepActivations::kAllBlocks. The gradient of lm_head as an output matrix is the loss head's part,
// not ours. `dropout` is the forward pass's. Every sum has a fixed order: the bytes do not depend
// on threads. `finished(k)` is called as soon as the gradients of block k are complete, from the
// last block to the first; before them finished(n_layer), for the last layer norm's.
void run_backward(const ModelConfig& config, const ModelTensors<const float>& tensors,
                  const Batch& batch, Activations& activations, const float* d_final,
                  bool accumulate, const ModelTensors<float>& gradients, BackwardBuffers& buffers,
                  const kernels::GemmOptions& options, const Dropout* dropout = nullptr,
                  StepProfile* profile = nullptr,
                  const std::function<void(std::size_t)>& finished = {});

}  // namespace glassgpt::training
