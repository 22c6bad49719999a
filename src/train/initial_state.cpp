#include "train/initial_state.h"

#include <algorithm>
#include <string>

#include "glassgpt/error.h"
#include "model/parts.h"
#include "train/checkpoint.h"

namespace glassgpt::training {
namespace {

std::vector<float> flatten(const Model& model) {
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

void load_initial_model(const TrainingOptions& options, InitialState& state) {
  const Model model = Model::load(options.init);
  state.config = model.config();
  state.parameters = flatten(model);
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

InitialState initial_state(const TrainingOptions& options, int threads) {
  InitialState state{
      {}, Tokenizer::load(options.tokenizer.empty() ? options.init : options.tokenizer), {}};
  if (!options.init.empty()) {
    load_initial_model(options, state);
  } else {
    state.config = *options.config;
    state.parameters.resize(TensorLayout(state.config).size);
    initialize_parameters(state.config, options.seed, state.parameters.data(), threads);
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
