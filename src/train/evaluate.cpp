#include "glassgpt/evaluate.h"

#include <algorithm>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

#include "glassgpt/error.h"
#include "model/parts.h"
#include "train/loss_head.h"
#include "train/validation.h"

namespace glassgpt {
namespace {

using training::LossHead;

// A window of a text.
struct EvaluationWindow {
  std::vector<TokenId> ids;
  std::vector<TokenId> targets;  // kIgnoreTarget where an earlier window has predicted it
};

// Appends the windows of one text. n ids have n - 1 targets.
void append_windows(std::span<const TokenId> ids, std::size_t context,
                    std::vector<EvaluationWindow>& windows) {
  const std::size_t step = std::max<std::size_t>(1, context / 2);
  std::size_t predicted = 1;  // ids before this one are predicted, or need not be
  for (std::size_t begin = 0; predicted < ids.size(); begin += step) {
    const std::size_t rows = std::min(context, ids.size() - 1 - begin);
    EvaluationWindow window;
    window.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                      ids.begin() + static_cast<std::ptrdiff_t>(begin + rows));
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t target = begin + row + 1;
      window.targets.push_back(target >= predicted ? ids[target] : kernels::kIgnoreTarget);
    }
    predicted = begin + rows + 1;
    windows.push_back(std::move(window));
  }
}

// Takes the last layer norm's output as it passes by.
class LossObserver final : public Observer {
 public:
  LossObserver(LossHead& head, const kernels::WeightMatrix& lm_head,
               std::span<const TokenId> targets, std::vector<float>& losses,
               const kernels::GemmOptions& options)
      : head_(head), lm_head_(lm_head), targets_(targets), losses_(losses), options_(options) {}

  bool wants(Stage stage, std::size_t) const override { return stage == Stage::kFinal; }
  void on_stage(const StageView& view) override {
    losses_.resize(view.rows);
    head_.losses(view.rows, view.data, targets_, lm_head_, losses_.data(), options_);
  }

 private:
  LossHead& head_;
  const kernels::WeightMatrix& lm_head_;
  std::span<const TokenId> targets_;
  std::vector<float>& losses_;
  const kernels::GemmOptions& options_;
};

class Evaluation {
 public:
  Evaluation(const Model& model, const Tokenizer& tokenizer, const EvaluationOptions& options)
      : model_(model),
        options_(options),
        gemm_(gemm_options({options.threads, options.gemm, options.compute})),
        head_(model.config()),
        byte_counts_(training::token_byte_counts(tokenizer)) {
    const ModelConfig& config = model.config();
    const float* lm_head = model.parts().tensors.lm_head;
    if (lm_head == nullptr) {
      throw std::invalid_argument(
          "evaluate: the model has no lm_head.weight, so it cannot predict");
    }
    lm_head_ =
        kernels::WeightMatrix(config.n_embd, config.vocab_size, lm_head, config.n_embd, true);
    lm_head_.pack(gemm_);
  }

  EvaluationResult run(const std::vector<EvaluationWindow>& windows) {
    std::size_t total = 0;
    for (const EvaluationWindow& window : windows) total += window.ids.size();
    std::size_t done = 0;
    for (std::size_t i = 0; i < windows.size();) {
      ids_.clear();
      targets_.clear();
      offsets_.assign(1, 0);
      do {
        ids_.insert(ids_.end(), windows[i].ids.begin(), windows[i].ids.end());
        targets_.insert(targets_.end(), windows[i].targets.begin(), windows[i].targets.end());
        offsets_.push_back(ids_.size());
        ++i;
      } while (i < windows.size() && ids_.size() + windows[i].ids.size() <= options_.batch_tokens);
      add_batch();
      done += ids_.size();
      if (options_.progress) options_.progress(done, total);
    }
    return result_;
  }

 private:
  void add_batch() {
    LossObserver observer(head_, lm_head_, targets_, losses_, gemm_);
    model_.forward(
        {ids_, offsets_}, observer,
        {.threads = options_.threads, .gemm = options_.gemm, .compute = options_.compute});
    for (std::size_t row = 0; row < targets_.size(); ++row) {
      if (targets_[row] == kernels::kIgnoreTarget) continue;
      result_.nats += losses_[row];
      result_.bytes += byte_counts_[targets_[row]];
      ++result_.tokens;
    }
  }

  const Model& model_;
  const EvaluationOptions& options_;
  kernels::GemmOptions gemm_;
  LossHead head_;
  std::vector<std::uint32_t> byte_counts_;
  kernels::WeightMatrix lm_head_;
  EvaluationResult result_;
  std::vector<TokenId> ids_, targets_;
  std::vector<std::size_t> offsets_;
  std::vector<float> losses_;
};

}  // namespace

double EvaluationResult::nats_per_token() const noexcept {
  return tokens > 0 ? nats / static_cast<double>(tokens) : 0.0;
}

double EvaluationResult::bits_per_byte() const noexcept {
  return bytes > 0 ? nats / (std::numbers::ln2 * static_cast<double>(bytes)) : 0.0;
}

EvaluationResult evaluate(const Model& model, const Tokenizer& tokenizer,
                          std::span<const std::string_view> texts,
                          const EvaluationOptions& options) {
  const ModelConfig& config = model.config();
  if (tokenizer.vocab_size() > config.vocab_size) {
    throw std::invalid_argument(
        "evaluate: the tokenizer has " + std::to_string(tokenizer.vocab_size()) +
        " ids, expected at most the model's " + std::to_string(config.vocab_size));
  }
  const auto separator = tokenizer.special_id("<|endoftext|>");
  std::vector<EvaluationWindow> windows;
  for (const std::string_view text : texts) {
    std::vector<TokenId> ids;
    if (separator) ids.push_back(*separator);
    const std::vector<TokenId> encoded = tokenizer.encode(text, options.special);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    append_windows(ids, config.n_positions, windows);
  }
  return Evaluation(model, tokenizer, options).run(windows);
}

}  // namespace glassgpt
