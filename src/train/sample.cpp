#include "train/sample.h"

#include <memory>
#include <vector>

#include "glassgpt/generate.h"
#include "model/parts.h"

namespace glassgpt::training {

std::string sample_text(const Learner& learner, const Tokenizer& tokenizer, std::string_view prompt,
                        std::size_t tokens, const ForwardOptions& options) {
  const ModelConfig& config = learner.config();
  std::vector<TokenId> ids = tokenizer.encode(prompt);
  const std::optional<TokenId> separator = tokenizer.special_id("<|endoftext|>");
  if (ids.empty()) ids.push_back(separator.value_or(0));
  if (ids.size() > config.n_positions) {
    ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(config.n_positions));
  }
  // The parameters stay the learner's: the model is gone before they change.
  const std::shared_ptr<const void> borrowed(learner.parameters().data(), [](const void*) {});
  const Model model =
      make_model(config, learner.layout().tensors(learner.parameters().data()), borrowed);
  const std::vector<TokenId> continuation = generate(model, ids,
                                                     {.max_tokens = tokens,
                                                      .temperature = 0.8f,
                                                      .seed = 1,
                                                      .id_limit = tokenizer.vocab_size(),
                                                      .stop_token = separator,
                                                      .forward = options});
  return std::string(prompt) + tokenizer.decode(continuation);
}

}  // namespace glassgpt::training
