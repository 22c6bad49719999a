// Small models and batches for the trainer's tests.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "kernels/cross_entropy/cross_entropy.h"
#include "model/parts.h"
#include "train/learner.h"

namespace glassgpt::testing {

// Every kind of parameter, and widths that are no multiple of any vector: sinusoidal positions,
// tied, tanh GELU.
inline ModelConfig tiny_sinusoidal() {
  ModelConfig config;
  config.vocab_size = 23;
  config.n_positions = 9;
  config.n_embd = 12;
  config.n_layer = 2;
  config.n_head = 3;
  config.position_encoding = PositionEncoding::kSinusoidal;
  config.embedding_scale = 3.5f;
  return config;
}

// Learned positions, an output matrix of its own, erf GELU, a hidden width that is not 4 C.
inline ModelConfig tiny_learned() {
  ModelConfig config;
  config.vocab_size = 19;
  config.n_positions = 7;
  config.n_embd = 10;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_inner = 27;
  config.activation = ActivationFunction::kGeluErf;
  config.tie_word_embeddings = false;
  return config;
}

// Large enough for several chunks of rows, tiles and threads.
inline ModelConfig small_model() {
  ModelConfig config;
  config.vocab_size = 300;
  config.n_positions = 48;
  config.n_embd = 64;
  config.n_layer = 2;
  config.n_head = 4;
  config.position_encoding = PositionEncoding::kSinusoidal;
  config.embedding_scale = 8.0f;
  return config;
}

// Nothing near zero or one that would hide a wrong gradient: norms' weights, biases and all.
inline std::vector<float> random_parameters(const ModelConfig& config, std::uint64_t seed) {
  const TensorLayout layout(config);
  std::vector<float> parameters(layout.size);
  initialize_parameters(config, seed, parameters.data(), 1);
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.3f);
  for (const TensorLayout::Entry& entry : layout.entries) {
    if (!entry.trained) continue;
    for (std::size_t i = 0; i < entry.size; ++i) parameters[entry.offset + i] += normal(random);
  }
  return parameters;
}

struct TinyBatch {
  std::vector<TokenId> ids, targets;
  std::vector<std::size_t> offsets{0};
  Batch batch() const { return {ids, offsets}; }
};

inline TinyBatch random_batch(const ModelConfig& config, const std::vector<std::size_t>& lengths,
                              std::uint64_t seed) {
  TinyBatch batch;
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<TokenId> id(0, static_cast<TokenId>(config.vocab_size - 1));
  for (const std::size_t length : lengths) {
    for (std::size_t t = 0; t < length; ++t) {
      batch.ids.push_back(id(random));
      batch.targets.push_back(id(random));
    }
    batch.offsets.push_back(batch.ids.size());
  }
  return batch;
}

}  // namespace glassgpt::testing
