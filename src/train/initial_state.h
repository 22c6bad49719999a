// What a run starts from: configuration, tokenizer, parameters.
#pragma once

#include <vector>

#include "glassgpt/tokenizer.h"
#include "glassgpt/train.h"

namespace glassgpt::training {

struct InitialState {
  ModelConfig config;
  Tokenizer tokenizer;
  std::vector<float> parameters;  // TensorLayout(config)
};

// Random parameters (GPT-2's initialisation, from the seed; a sinusoidal model's embedding as large
// as its positions), or those of the model in options.init. With both init and config, the two must
// have the same shape; embedding_scale is then config's, and the initial tables are rewritten for
// it. Throws std::invalid_argument, Error.
InitialState initial_state(const TrainingOptions& options, int threads);

// A model's parameters in the order of TensorLayout.
std::vector<float> flat_parameters(const Model& model);

}  // namespace glassgpt::training
