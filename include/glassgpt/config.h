// The shape of a model: what config.json says.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace glassgpt {

enum class PositionEncoding { kSinusoidal, kLearned };
enum class ActivationFunction {
  kGeluTanh,
  kGeluErf
};  // "gelu_new" and "gelu": read_config knows Hugging Face's other names for the same two

// Names and defaults follow Hugging Face's GPT2Config. Letters: V vocab_size, C n_embd, H n_head, D
// = C / H, L n_layer, F n_inner.
struct ModelConfig {
  std::size_t vocab_size = 50257;
  std::size_t n_positions = 1024;  // the context length
  std::size_t n_embd = 768;
  std::size_t n_layer = 12;
  std::size_t n_head = 12;
  std::size_t n_inner = 0;  // 0: 4 * n_embd
  float layer_norm_epsilon = 1e-5f;
  ActivationFunction activation = ActivationFunction::kGeluTanh;
  PositionEncoding position_encoding =
      PositionEncoding::kLearned;  // glassgpt's own key; GPT-2's files have none and are learned
  float embedding_scale =
      1.0f;  // glassgpt's own key; sqrt(C) for sinusoidal models (Vaswani et al. 2017, section 3.4)
  bool tie_word_embeddings = true;
  bool scale_attn_weights = true;                // scores are divided by sqrt(D)
  bool scale_attn_by_inverse_layer_idx = false;  // and, in block k, by k + 1

  std::size_t head_dim() const noexcept { return n_embd / n_head; }
  std::size_t inner() const noexcept { return n_inner != 0 ? n_inner : 4 * n_embd; }
  // What block k multiplies the products of queries and keys by.
  float attention_scale(std::size_t block) const noexcept;
  std::size_t parameters()
      const noexcept;  // trained ones: a sinusoidal position table does not count

  // Throws std::invalid_argument naming the field, its value and what is allowed.
  void validate() const;
};

// Reads and checks config.json. Throws Error: kMalformed for what is not a GPT-2 configuration,
// kUnsupported for one that asks for what glassgpt does not do (named), kOutOfRange for sizes
// beyond all reason.
ModelConfig read_config(const std::filesystem::path& file);
// Writes config.json so that Hugging Face's GPT2Config reads it too. Whole or not at all.
void write_config(const ModelConfig& config, const std::filesystem::path& file);

}  // namespace glassgpt
