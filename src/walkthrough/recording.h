// Every number of one forward pass that a walkthrough shows.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "glassgpt/model.h"
#include "walkthrough/tensor.h"

namespace glassgpt::walkthrough {

// Shapes as in SCHEMA.md. logits is empty for a model that has none.
struct Recording {
  Tensor position, input;                       // [T, C]
  Tensor q, k, v, heads;                        // [L, T, C]
  Tensor scores, weights;                       // [L, H, T, T], lower
  Tensor residual;                              // [L + 1, T, C]
  Tensor attention_out, residual_mid, mlp_out;  // [L, T, C]
  Tensor final;                                 // [T, C]
  Tensor logits;                                // [T, V]
};

Recording record(const Model& model, std::span<const TokenId> ids, const ForwardOptions& options);

}  // namespace glassgpt::walkthrough
