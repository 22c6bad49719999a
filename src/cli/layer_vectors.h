// The vectors of one text at every layer, and cosines between them: what `similar` and `nearest`
// look at.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "glassgpt/embed.h"
#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"

namespace glassgpt::cli {

// Layers 0 .. L and final, a row per token.
struct LayerVectors {
  std::vector<VectorKind> kinds;
  std::size_t rows = 0, cols = 0;
  std::vector<std::vector<float>> values;  // per kind [rows, cols]

  std::span<const float> row(std::size_t kind, std::size_t r) const {
    return {values[kind].data() + r * cols, cols};
  }
};

LayerVectors record_layers(const Model& model, std::span<const TokenId> ids,
                           const ForwardOptions& options);

// The mean of rows begin .. end of each kind, summed in double; [kinds][cols].
std::vector<std::vector<double>> mean_rows(const LayerVectors& vectors, std::size_t begin,
                                           std::size_t end);

// Cosine of a - center and b - center; center may be empty. 0 where either length is 0.
double centred_cosine(std::span<const double> a, std::span<const double> b,
                      std::span<const double> center);

double angle_in_degrees(double cosine);

}  // namespace glassgpt::cli
