#include "support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "model/parts.h"

namespace glassgpt::testing {

const std::vector<NamedConfig>& test_configs() {
  static const std::vector<NamedConfig> configs = {
      {"LearnedTied",
       {.vocab_size = 61, .n_positions = 40, .n_embd = 32, .n_layer = 3, .n_head = 4}},
      {"SinusoidalOddHeads",
       {.vocab_size = 53,
        .n_positions = 150,
        .n_embd = 45,
        .n_layer = 2,
        .n_head = 3,
        .n_inner = 77,
        .activation = ActivationFunction::kGeluErf,
        .position_encoding = PositionEncoding::kSinusoidal,
        .embedding_scale = 6.7082f}},
      {"UntiedSevenWideHeads",
       {.vocab_size = 70,
        .n_positions = 33,
        .n_embd = 42,
        .n_layer = 1,
        .n_head = 6,
        .n_inner = 50,
        .layer_norm_epsilon = 1e-3f,
        .tie_word_embeddings = false}},
      {"ScaledByLayer",
       {.vocab_size = 61,
        .n_positions = 40,
        .n_embd = 33,
        .n_layer = 3,
        .n_head = 3,
        .scale_attn_by_inverse_layer_idx = true}},
      {"UnscaledAttention",
       {.vocab_size = 40,
        .n_positions = 36,
        .n_embd = 20,
        .n_layer = 2,
        .n_head = 4,
        .scale_attn_weights = false}},
      {"OneWideHead",
       {.vocab_size = 300, .n_positions = 300, .n_embd = 96, .n_layer = 2, .n_head = 1}},
  };
  return configs;
}

ModelConfig config_named(const std::string& name) {
  for (const NamedConfig& config : test_configs())
    if (config.name == name) return config.config;
  throw std::invalid_argument("no test configuration " + name);
}

TestModel make_test_model(const ModelConfig& config, unsigned seed) {
  const TensorLayout layout(config);
  std::vector<float> buffer(layout.size);
  std::mt19937 bits(seed);
  PlainModel plain{.config = config, .tensors = {}};
  for (const TensorLayout::Entry& entry : layout.entries) {
    const bool is_table = entry.name == "wte.weight" || entry.name == "wpe.weight";
    const bool is_matrix = entry.shape.size() == 2;
    const double deviation =
        is_matrix && !is_table ? 1.0 / std::sqrt(static_cast<double>(entry.shape[0])) : 0.4;
    std::normal_distribution<double> normal(0.0, deviation);
    const bool is_norm_weight =
        entry.name.find("ln_") != std::string::npos && entry.name.ends_with("weight");
    std::vector<double>& tensor = plain.tensors[entry.name];
    for (std::size_t i = 0; i < entry.size; ++i) {
      double value = (is_norm_weight ? 1.0 : 0.0) + normal(bits);
      if (!entry.trained) {  // Vaswani et al. 2017, section 3.5
        const std::size_t t = i / config.n_embd, c = i % config.n_embd;
        const double angle =
            static_cast<double>(t) *
            std::pow(10000.0, -static_cast<double>(c / 2 * 2) / static_cast<double>(config.n_embd));
        value = c % 2 == 0 ? std::sin(angle) : std::cos(angle);
      }
      buffer[entry.offset + i] = static_cast<float>(value);
      tensor.push_back(entry.trained ? static_cast<double>(buffer[entry.offset + i]) : value);
    }
  }
  const auto owned = std::make_shared<std::vector<float>>(buffer);
  Model model = make_model(config, layout.tensors(static_cast<const float*>(owned->data())), owned);
  return {.plain = std::move(plain), .buffer = std::move(buffer), .model = std::move(model)};
}

void expect_same_bytes(const Seen& found, const Seen& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [key, data] : expected) {
    ASSERT_TRUE(found.contains(key));
    const std::span<const float> a = found.at(key).values, b = data.values;
    EXPECT_TRUE(std::ranges::equal(std::as_bytes(a), std::as_bytes(b)))
        << stage_name(std::get<Stage>(key)) << " of block " << std::get<1>(key);
  }
}

bool Collector::wants(Stage stage, std::size_t) const {
  if (stages_.empty()) return true;
  for (const Stage wanted : stages_)
    if (wanted == stage) return true;
  return false;
}

void Collector::on_stage(const StageView& view) {
  const StageKey key{view.stage, view.layer, view.sequence, view.head};
  order.push_back(key);
  StageData<float>& data = seen[key];
  data.rows = view.rows;
  data.cols = view.cols;
  if (view.data == nullptr) return;
  for (std::size_t r = 0; r < view.rows; ++r)
    data.values.insert(data.values.end(), view.data + r * view.stride,
                       view.data + r * view.stride + view.cols);
}

std::vector<TokenId> random_ids(std::size_t count, std::size_t vocab_size, unsigned seed) {
  std::mt19937 bits(seed);
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = static_cast<TokenId>(bits() % vocab_size);
  return ids;
}

OwnedBatch make_batch(std::span<const std::vector<TokenId>> sequences) {
  OwnedBatch batch;
  for (const std::vector<TokenId>& sequence : sequences) {
    batch.ids.insert(batch.ids.end(), sequence.begin(), sequence.end());
    batch.offsets.push_back(batch.ids.size());
  }
  return batch;
}

double relative_error(std::span<const float> found, std::span<const double> expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (found.size() != expected.size()) return kInfinity;
  double largest = 0.0, difference = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isinf(expected[i]) && static_cast<double>(found[i]) == expected[i]) continue;
    const double d = std::fabs(static_cast<double>(found[i]) - expected[i]);
    if (!std::isfinite(d)) return kInfinity;
    difference = std::max(difference, d);
    largest = std::max(largest, std::fabs(expected[i]));
  }
  if (difference == 0.0) return 0.0;
  return difference / largest;
}

}  // namespace glassgpt::testing
