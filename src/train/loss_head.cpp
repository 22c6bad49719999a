#include "train/loss_head.h"

#include <algorithm>

#include "kernels/dispatch.h"
#include "train/parallel.h"

namespace glassgpt::training {
namespace {

// Logits of 16 MB stay in the last-level cache from the product that writes them to the two that
// read their gradient. But each chunk also reads and writes the whole [V, C] gradient, which
// outweighs that where a chunk has fewer rows than C: large vocabularies get more rows, up to 64 MB
// of logits.
constexpr std::size_t kCachedFloats = std::size_t{1} << 22;
constexpr std::size_t kMostFloats = std::size_t{1} << 24;

std::size_t chunk_rows(std::size_t vocab, std::size_t width) {
  const std::size_t rows = std::min(std::max(kCachedFloats / vocab, width), kMostFloats / vocab);
  return std::clamp<std::size_t>(rows, 16, 1024);
}

}  // namespace

LossHead::LossHead(const ModelConfig& config)
    : width_(config.n_embd),
      vocab_(config.vocab_size),
      chunk_(chunk_rows(config.vocab_size, config.n_embd)) {}

void LossHead::chunk_losses(std::size_t rows, const float* final, const kernels::TokenId* targets,
                            const kernels::WeightMatrix& lm_head, float d_loss, float* losses,
                            bool gradients, const kernels::GemmOptions& options,
                            StepProfile* profile) {
  if (logits_.size() < rows * vocab_) logits_.resize(rows * vocab_);
  {
    const StepScope timed(profile, StepStage::kLogits, product_flops(rows));
    kernels::linear(rows, final, width_, lm_head, {}, logits_.data(), vocab_, options);
  }
  const StepScope timed(profile, StepStage::kCrossEntropy);
  constexpr std::size_t kRows = 8;
  for_tasks((rows + kRows - 1) / kRows, options.threads, [&](std::size_t task, int) {
    const std::size_t row = task * kRows;
    float* logits = logits_.data() + row * vocab_;
    kernels::active_kernels().cross_entropy(std::min(kRows, rows - row), vocab_, logits, vocab_,
                                            targets + row, d_loss, losses + row,
                                            gradients ? logits : nullptr, vocab_);
  });
}

void LossHead::losses(std::size_t rows, const float* final,
                      std::span<const kernels::TokenId> targets,
                      const kernels::WeightMatrix& lm_head, float* losses,
                      const kernels::GemmOptions& options) {
  for (std::size_t row = 0; row < rows; row += chunk_) {
    chunk_losses(std::min(chunk_, rows - row), final + row * width_, targets.data() + row, lm_head,
                 1.0f, losses + row, false, options, nullptr);
  }
}

void LossHead::losses_and_gradients(std::size_t rows, const float* final,
                                    std::span<const kernels::TokenId> targets,
                                    const kernels::WeightMatrix& lm_head, float d_loss,
                                    float* losses, float* d_final, bool accumulate,
                                    float* d_lm_head, const kernels::GemmOptions& options,
                                    StepProfile* profile) {
  for (std::size_t row = 0; row < rows; row += chunk_) {
    const std::size_t chunk = std::min(chunk_, rows - row);
    const float* chunk_final = final + row * width_;
    chunk_losses(chunk, chunk_final, targets.data() + row, lm_head, d_loss, losses + row, true,
                 options, profile);
    // Forward: logits = final lm_head^T
    {
      const StepScope timed(profile, StepStage::kLogitsBackward, product_flops(chunk));
      kernels::gemm(false, false, chunk, width_, vocab_, logits_.data(), vocab_, lm_head.data(),
                    lm_head.row_stride(), false, d_final + row * width_, width_, options);
    }
    const StepScope timed(profile, StepStage::kHeadGradient, product_flops(chunk));
    kernels::gemm(true, false, vocab_, width_, chunk, logits_.data(), vocab_, chunk_final, width_,
                  accumulate || row > 0, d_lm_head, width_, options);
  }
}

}  // namespace glassgpt::training
