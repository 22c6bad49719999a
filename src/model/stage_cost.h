// FLOP and bytes of each stage of the forward pass, as functions of the shapes. What they count is
// said in glassgpt/profile.h.
#pragma once

#include <cstddef>
#include <span>

#include "glassgpt/config.h"
#include "glassgpt/profile.h"

namespace glassgpt {

// The shape of a pass, in double: products of sizes do not overflow.
struct PassShape {
  double rows;    // queries of all sequences
  double keys;    // rows, and what a key-value cache held before
  double pairs;   // of a query and a key that it sees
  double square;  // the same with those that the causal mask hides
  double width, inner, heads, vocabulary;
  double weight_bytes;  // of an element of a product's weight

  // offsets as in Batch; `cached` tokens come before each sequence.
  PassShape(const ModelConfig& config, std::span<const std::size_t> offsets, std::size_t cached,
            double weight_bytes = 4);
};

StageCost token_embedding_cost(const PassShape& shape) noexcept;
StageCost embedding_cost(const PassShape& shape) noexcept;
StageCost layer_norm_cost(const PassShape& shape) noexcept;  // ln_1, ln_2, final
StageCost query_key_value_cost(const PassShape& shape) noexcept;
StageCost attention_weights_cost(const PassShape& shape) noexcept;
StageCost attention_heads_cost(const PassShape& shape) noexcept;
StageCost attention_out_cost(const PassShape& shape) noexcept;
StageCost mlp_hidden_cost(const PassShape& shape) noexcept;
StageCost mlp_out_cost(const PassShape& shape) noexcept;
StageCost logits_cost(const PassShape& shape) noexcept;

// The one of these that belongs to the stage; nothing for kOther.
StageCost stage_cost(TimedStage stage, const PassShape& shape) noexcept;

}  // namespace glassgpt
