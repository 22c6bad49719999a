// Directories that Transformers saved, against the hidden states that it computed:
// tests/golden/make_gpt2_golden.py made both.
#include <gtest/gtest.h>

#include "io/json.h"
#include "io/safetensors.h"
#include "support.h"

namespace glassgpt::testing {
namespace {

const std::filesystem::path kGolden =
    std::filesystem::path(GLASSGPT_SOURCE_DIR) / "tests" / "golden";

class TransformersGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(TransformersGolden, EveryLayerMatches) {
  const std::filesystem::path directory = kGolden / GetParam();
  const Model model = Model::load(directory);
  const io::SafetensorsFile expected(directory / "expected.safetensors");
  const auto sequences =
      io::read_json(directory / "ids.json").get<std::vector<std::vector<TokenId>>>();
  ASSERT_EQ(sequences.size(), 2u);
  std::size_t compared = 0;
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const std::string prefix = std::to_string(b) + ".";
    std::vector<Stage> stages = {Stage::kEmbedding, Stage::kResidual, Stage::kFinal};
    const bool has_logits = expected.find(prefix + "logits") != nullptr;
    if (has_logits) stages.push_back(Stage::kLogits);
    Collector collector(stages);
    model.forward(make_batch({{sequences[b]}}).batch(), collector);
    for (const auto& [key, found] : collector.seen) {
      const auto& [stage, block, unused_sequence, unused_head] = key;
      const std::string layer = stage == Stage::kResidual    ? std::to_string(block + 1)
                                : stage == Stage::kEmbedding ? "0"
                                                             : std::string(stage_name(stage));
      const io::TensorView* tensor = expected.find(prefix + layer);
      ASSERT_NE(tensor, nullptr) << layer;
      std::vector<float> values(tensor->elements());
      io::to_float(*tensor, values.data());
      EXPECT_LE(relative_error(found.values, std::vector<double>(values.begin(), values.end())),
                1e-5)
          << "layer " << layer << " of sequence " << b;
      ++compared;
    }
  }
  EXPECT_EQ(compared, expected.tensors().size());
}

INSTANTIATE_TEST_SUITE_P(Directories, TransformersGolden,
                         ::testing::Values("gpt2_tied", "gpt2_untied_sharded", "gpt2_headless",
                                           "gpt2_scaled_by_layer", "gpt2_unscaled_headless"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace glassgpt::testing
