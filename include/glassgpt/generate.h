// Continuing a text: one token after the other, each chosen from the model's logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "glassgpt/model.h"
#include "glassgpt/types.h"

namespace glassgpt {

struct GenerateOptions {
  std::size_t max_tokens = 64;
  float temperature = 1.0f;  // logits are divided by it; 0: always the most probable token (the
                             // smallest id of equals)
  std::size_t top_k = 0;     // choose among the k most probable tokens; 0: all
  float top_p =
      1.0f;  // ... among the fewest whose probabilities add up to it (Holtzman et al. 2020); 1: all
  std::uint64_t seed = 0;  // same model, prompt and options: same tokens
  // Ids from here on are never chosen (a table may have more rows than the tokenizer has tokens);
  // 0: all may be.
  std::size_t id_limit = 0;
  std::optional<TokenId> stop_token = std::nullopt;  // ends the text; it is not part of the result
  ForwardOptions forward = {};
};

// Called with each token as it is chosen; false ends the text after it.
using TokenCallback = std::function<bool(TokenId)>;

// The tokens that follow the prompt. When prompt and continuation reach the context length, the
// model goes on from the last half of the context (n_positions / 2 tokens, encoded anew): what lies
// before is forgotten. Throws std::invalid_argument for an empty prompt, one longer than the
// context, ids out of range, and options that make no sense (with got and expected).
std::vector<TokenId> generate(const Model& model, std::span<const TokenId> prompt,
                              const GenerateOptions& options = {},
                              const TokenCallback& on_token = {});

}  // namespace glassgpt
