#include "train/initial_state.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "glassgpt/error.h"
#include "kernels/dispatch.h"
#include "model/parts.h"
#include "train/checkpoint.h"

namespace glassgpt::training {
namespace {

// Entries of a sinusoidal position have a mean square of 1/2. GPT-2's small initial embedding
// belongs to learned positions that are as small; beside sinusoids it would drown, and a model that
// cannot tell tokens apart learns nothing for the first hundreds of steps. So tokens start as large
// as positions (but no larger than keeps the logits of a tied output matrix near 1).
void match_embedding_to_positions(InitialState& state) {
  if (state.config.position_encoding != PositionEncoding::kSinusoidal) return;
  const std::size_t size = state.config.vocab_size * state.config.n_embd;
  float* table = TensorLayout(state.config).tensors(state.parameters.data()).token_embedding;
  const double squares = kernels::active_kernels().sum_of_squares(size, table);
  const double root_mean_square = std::sqrt(squares / static_cast<double>(size));
  const double wanted = std::min(std::sqrt(0.5) / double{state.config.embedding_scale},
                                 1.0 / std::sqrt(static_cast<double>(state.config.n_embd)));
  const auto factor = static_cast<float>(wanted / root_mean_square);
  for (std::size_t i = 0; i < size; ++i) table[i] *= factor;
}

void load_initial_model(const TrainingOptions& options, InitialState& state) {
  const Model model = Model::load(options.init);
  state.config = model.config();
  state.parameters = flat_parameters(model);
  if (!options.config) return;
  if (options.config->embedding_scale != state.config.embedding_scale) {
    rescale_embedding(state.config, state.parameters.data(), options.config->embedding_scale);
  }
  if (config_hash(*options.config) != config_hash(state.config)) {
    throw Error(ErrorCode::kUnsupported, options.init.string(),
                "has another shape than the configuration asks for",
                "leave the configuration out: it comes with the model");
  }
}

}  // namespace

std::vector<float> flat_parameters(const Model& model) {
  const ModelConfig& config = model.config();
  const TensorLayout layout(config);
  const std::vector<const float*> tensors = tensor_list(config, model.parts().tensors);
  std::vector<float> flat(layout.size);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorLayout::Entry& entry = layout.entries[i];
    // An untied model without lm_head starts with its token embedding as lm_head, as if it were
    // tied.
    const float* from = tensors[i] != nullptr ? tensors[i] : model.parts().tensors.token_embedding;
    std::copy_n(from, entry.size, flat.data() + entry.offset);
  }
  return flat;
}

InitialState initial_state(const TrainingOptions& options, int threads) {
  InitialState state{
      {}, Tokenizer::load(options.tokenizer.empty() ? options.init : options.tokenizer), {}};
  if (!options.init.empty()) {
    load_initial_model(options, state);
  } else {
    state.config = *options.config;
    state.parameters.resize(TensorLayout(state.config).size);
    initialize_parameters(state.config, options.seed, state.parameters.data(), threads);
    match_embedding_to_positions(state);
  }
  if (state.tokenizer.vocab_size() > state.config.vocab_size) {
    throw Error(ErrorCode::kUnsupported, options.tokenizer.string(),
                "has " + std::to_string(state.tokenizer.vocab_size()) +
                    " tokens, the model's vocab_size is " + std::to_string(state.config.vocab_size),
                "set vocab_size in the configuration to at least the tokenizer's");
  }
  return state;
}

}  // namespace glassgpt::training
