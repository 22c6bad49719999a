// How well a model predicts texts.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"

namespace glassgpt {

struct EvaluationOptions {
  int threads = 0;  // 0: default_threads()
  GemmChoice gemm = GemmChoice::kAuto;
  ComputeType compute = ComputeType::kFloat32;
  SpecialTokens special = SpecialTokens::kNone;  // in the texts; they count as tokens of no bytes
  std::size_t batch_tokens = 4096;  // per forward pass; changes memory and speed, not the result
  std::function<void(std::size_t done, std::size_t total)> progress;  // tokens; may be empty
};

struct EvaluationResult {
  std::size_t tokens = 0;  // that were predicted
  std::size_t bytes = 0;   // of those tokens
  double nats = 0;         // summed over tokens

  double nats_per_token() const noexcept;  // 0 without tokens
  double bits_per_byte()
      const noexcept;  // nats / (bytes ln 2): comparable across tokenizers; 0 without bytes
};

// The mean loss of texts, each on its own. A text is preceded by <|endoftext|> if the tokenizer has
// it, so that its first token is predicted too. Texts longer than the context are read in windows
// of the context length with half overlap: every token is predicted once, and all but a text's
// first n_positions of them with at least n_positions / 2 tokens before them. Throws
// std::invalid_argument if the tokenizer's ids do not fit the model, or if a text has a special
// token that options.special refuses.
EvaluationResult evaluate(const Model& model, const Tokenizer& tokenizer,
                          std::span<const std::string_view> texts,
                          const EvaluationOptions& options = {});

}  // namespace glassgpt
