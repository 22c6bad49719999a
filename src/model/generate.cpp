#include "glassgpt/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "glassgpt/error.h"
#include "model/random_bits.h"

namespace glassgpt {
namespace {

void check(const Model& model, std::span<const TokenId> prompt, const GenerateOptions& options) {
  if (prompt.empty()) throw std::invalid_argument("the prompt is empty, expected a token or more");
  if (const std::size_t context = model.config().n_positions; prompt.size() > context)
    throw std::invalid_argument("the prompt has " + std::to_string(prompt.size()) +
                                " tokens, the model's context holds " + std::to_string(context) +
                                ": " + std::to_string(prompt.size() - context) + " too many");
  if (!(options.temperature >= 0.0f) || !std::isfinite(options.temperature))
    throw std::invalid_argument("temperature is " + std::to_string(options.temperature) +
                                ", expected 0 or more");
  if (!(options.top_p > 0.0f && options.top_p <= 1.0f))
    throw std::invalid_argument("top_p is " + std::to_string(options.top_p) +
                                ", expected more than 0, at most 1");
}

class NothingWanted : public Observer {
 public:
  bool wants(Stage, std::size_t) const override { return false; }
  void on_stage(const StageView&) override {}
};

class LogitsOfOneToken : public Observer {
 public:
  bool wants(Stage stage, std::size_t) const override { return stage == Stage::kLogits; }
  void on_stage(const StageView& view) override { logits.assign(view.data, view.data + view.cols); }
  std::vector<float> logits;
};

// The context as the model sees it: the tokens that its cache holds, and the one that comes next.
class Context {
 public:
  Context(const Model& model, std::span<const TokenId> prompt, const ForwardOptions& options)
      : model_(model),
        options_(options),
        cache_(model.config()),
        tokens_(prompt.begin(), prompt.end()) {
    encode_all_but_last();
  }

  // For the token after the last.
  const std::vector<float>& logits() {
    const TokenId last[] = {tokens_.back()};
    model_.forward(last, cache_, logits_, options_);
    return logits_.logits;
  }

  void append(TokenId token) {
    if (const std::size_t context = model_.config().n_positions; tokens_.size() == context) {
      tokens_.erase(tokens_.begin(), tokens_.end() - static_cast<std::ptrdiff_t>(context / 2));
      tokens_.push_back(token);
      cache_.clear();
      encode_all_but_last();
    } else {
      tokens_.push_back(token);
    }
  }

 private:
  // Keys and values are all that later tokens need of these: the last block's attention and MLP,
  // and the logits, are left out.
  void encode_all_but_last() {
    NothingWanted nothing;
    model_.forward(std::span(tokens_).first(tokens_.size() - 1), cache_, nothing, options_);
  }

  const Model& model_;
  const ForwardOptions& options_;
  KeyValueCache cache_;
  std::vector<TokenId> tokens_;
  LogitsOfOneToken logits_;
};

class Sampler {
 public:
  explicit Sampler(const GenerateOptions& options) : options_(options) {}

  TokenId choose(std::span<const float> logits) {
    if (options_.id_limit != 0 && options_.id_limit < logits.size())
      logits = logits.first(options_.id_limit);
    if (std::any_of(logits.begin(), logits.end(), [](float logit) { return std::isnan(logit); }))
      throw Error(ErrorCode::kMalformed, {}, "the model's logits are not numbers",
                  "its weights are damaged or have diverged in training");
    if (options_.temperature == 0.0f)
      return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    keep_most_probable(logits);
    compute_probabilities(logits);
    const double total = cut_at_top_p();
    double target = random_unit(options_.seed, drawn_++) * total;
    for (std::size_t i = 0; i + 1 < probabilities_.size(); ++i) {
      if (target < probabilities_[i]) return candidates_[i];
      target -= probabilities_[i];
    }
    return candidates_[probabilities_.size() - 1];
  }

 private:
  // Candidates by falling logit; ids decide between equals, so that the order is the same
  // everywhere.
  void keep_most_probable(std::span<const float> logits) {
    candidates_.resize(logits.size());
    std::iota(candidates_.begin(), candidates_.end(), TokenId{0});
    const std::size_t count =
        options_.top_k != 0 ? std::min(options_.top_k, logits.size()) : logits.size();
    std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(count),
                      candidates_.end(), [&](TokenId a, TokenId b) {
                        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                      });
    candidates_.resize(count);
  }

  void compute_probabilities(std::span<const float> logits) {
    const double temperature = options_.temperature;
    const double largest = logits[candidates_[0]];
    probabilities_.clear();
    for (const TokenId id : candidates_)
      probabilities_.push_back(std::exp((logits[id] - largest) / temperature));
    const double sum = std::accumulate(probabilities_.begin(), probabilities_.end(), 0.0);
    for (double& probability : probabilities_) probability /= sum;
  }

  // The sum of the probabilities that are left.
  double cut_at_top_p() {
    if (options_.top_p == 1.0f) return 1.0;
    double sum = 0.0;
    std::size_t count = 0;
    while (count < probabilities_.size() && sum < options_.top_p) sum += probabilities_[count++];
    probabilities_.resize(count);
    return sum;
  }

  const GenerateOptions& options_;
  std::uint64_t drawn_ = 0;
  std::vector<TokenId> candidates_;
  std::vector<double> probabilities_;
};

}  // namespace

std::vector<TokenId> generate(const Model& model, std::span<const TokenId> prompt,
                              const GenerateOptions& options, const TokenCallback& on_token) {
  check(model, prompt, options);
  std::vector<TokenId> generated;
  if (options.max_tokens == 0) return generated;
  Context context(model, prompt, options.forward);
  Sampler sampler(options);
  for (;;) {
    const TokenId token = sampler.choose(context.logits());
    if (token == options.stop_token) return generated;
    generated.push_back(token);
    if (on_token && !on_token(token)) return generated;
    if (generated.size() == options.max_tokens) return generated;
    context.append(token);
  }
}

}  // namespace glassgpt
