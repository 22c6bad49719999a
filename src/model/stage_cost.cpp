#include "model/stage_cost.h"

namespace glassgpt {
namespace {

constexpr double kFloat = sizeof(float), kId = sizeof(std::uint32_t);

// rows of `in` values times a matrix [in, out] with its bias; `added` more values read per row.
StageCost product(const PassShape& shape, double in, double out, double bias, double added) {
  return {.flops = 2 * shape.rows * in * out,
          .weight_bytes = shape.weight_bytes * in * out + kFloat * bias,
          .activation_bytes = kFloat * shape.rows * (in + out + added)};
}

}  // namespace

PassShape::PassShape(const ModelConfig& config, std::span<const std::size_t> offsets,
                     std::size_t cached, double weight_bytes_)
    : rows(0),
      keys(0),
      pairs(0),
      square(0),
      width(static_cast<double>(config.n_embd)),
      inner(static_cast<double>(config.inner())),
      heads(static_cast<double>(config.n_head)),
      vocabulary(static_cast<double>(config.vocab_size)),
      weight_bytes(weight_bytes_) {
  const auto before = static_cast<double>(cached);
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    const auto tokens = static_cast<double>(offsets[b + 1] - offsets[b]);
    rows += tokens;
    keys += before + tokens;
    square += tokens * (before + tokens);
    pairs += tokens * before + tokens * (tokens + 1) / 2;
  }
}

StageCost token_embedding_cost(const PassShape& shape) noexcept {
  const double values = shape.rows * shape.width;
  return {.flops = values,
          .weight_bytes = kFloat * values,
          .activation_bytes = kId * shape.rows + kFloat * values};
}

StageCost embedding_cost(const PassShape& shape) noexcept {
  const double values = shape.rows * shape.width;
  return {
      .flops = values, .weight_bytes = kFloat * values, .activation_bytes = 2 * kFloat * values};
}

// 9 operations per value: kernels/layernorm/layernorm.h.
StageCost layer_norm_cost(const PassShape& shape) noexcept {
  const double values = shape.rows * shape.width;
  return {.flops = 9 * values,
          .weight_bytes = 2 * kFloat * shape.width,
          .activation_bytes = 2 * kFloat * values};
}

StageCost query_key_value_cost(const PassShape& shape) noexcept {
  return product(shape, shape.width, 3 * shape.width, 3 * shape.width, 0);
}

// One product over the pairs. What it writes is square: the masked half too.
StageCost attention_weights_cost(const PassShape& shape) noexcept {
  return {.flops = 2 * shape.width * shape.pairs,
          .activation_bytes =
              kFloat * (shape.width * (shape.rows + shape.keys) + shape.heads * shape.square)};
}

// Two products over the pairs: scores, and weights times values.
StageCost attention_heads_cost(const PassShape& shape) noexcept {
  return {.flops = 4 * shape.width * shape.pairs,
          .activation_bytes = 2 * kFloat * shape.width * (shape.rows + shape.keys)};
}

StageCost attention_out_cost(const PassShape& shape) noexcept {
  return product(shape, shape.width, shape.width, shape.width, shape.width);
}

StageCost mlp_hidden_cost(const PassShape& shape) noexcept {
  return product(shape, shape.width, shape.inner, shape.inner, 0);
}

StageCost mlp_out_cost(const PassShape& shape) noexcept {
  return product(shape, shape.inner, shape.width, shape.width, shape.width);
}

StageCost logits_cost(const PassShape& shape) noexcept {
  return product(shape, shape.width, shape.vocabulary, 0, 0);
}

StageCost stage_cost(TimedStage stage, const PassShape& shape) noexcept {
  switch (stage) {
    case TimedStage::kTokenEmbedding:
      return token_embedding_cost(shape);
    case TimedStage::kEmbedding:
      return embedding_cost(shape);
    case TimedStage::kLn1:
    case TimedStage::kLn2:
    case TimedStage::kFinal:
      return layer_norm_cost(shape);
    case TimedStage::kQueryKeyValue:
      return query_key_value_cost(shape);
    case TimedStage::kAttentionWeights:
      return attention_weights_cost(shape);
    case TimedStage::kAttentionHeads:
      return attention_heads_cost(shape);
    case TimedStage::kAttentionOut:
      return attention_out_cost(shape);
    case TimedStage::kMlpHidden:
      return mlp_hidden_cost(shape);
    case TimedStage::kMlpOut:
      return mlp_out_cost(shape);
    case TimedStage::kLogits:
      return logits_cost(shape);
    case TimedStage::kOther:
      break;
  }
  return {};
}

}  // namespace glassgpt
