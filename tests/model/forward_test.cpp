// The forward pass against its definition in double, stage by stage.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support.h"

namespace glassgpt::testing {
namespace {

constexpr double kTolerance = 1e-5;  // relative to the largest value of the stage

class ForwardPass : public ::testing::TestWithParam<NamedConfig> {};

std::string key_name(const StageKey& key) {
  const auto& [stage, layer, sequence, head] = key;
  return std::string(stage_name(stage)) + " of block " + std::to_string(layer) + ", head " +
         std::to_string(head);
}

TEST_P(ForwardPass, EveryStageMatchesTheDefinitionInDouble) {
  const TestModel test = make_test_model(GetParam().config);
  const ModelConfig& config = GetParam().config;
  for (const std::size_t length :
       {std::size_t{1}, std::size_t{2}, std::size_t{17}, config.n_positions}) {
    const std::vector<TokenId> ids = random_ids(length, config.vocab_size, 7);
    const auto expected = reference_forward(test.plain, ids);
    Collector collector;
    test.model.forward(make_batch({{ids}}).batch(), collector, {.threads = 2});
    ASSERT_EQ(collector.seen.size(), expected.size());
    for (const auto& [key, found] : collector.seen) {
      ASSERT_TRUE(expected.contains(key)) << key_name(key);
      // A score alone has no larger one to be measured by: it may be a sum that nearly cancels.
      if (std::get<Stage>(key) == Stage::kScores && length == 1) continue;
      EXPECT_EQ(found.rows, expected.at(key).rows) << key_name(key);
      EXPECT_EQ(found.cols, expected.at(key).cols) << key_name(key);
      EXPECT_LE(relative_error(found.values, expected.at(key).values), kTolerance)
          << key_name(key) << " with " << length << " tokens";
    }
  }
}

TEST_P(ForwardPass, EveryGemmBackendMatchesTheDefinition) {
  const TestModel test = make_test_model(GetParam().config, 2);
  const std::vector<TokenId> ids = random_ids(29, GetParam().config.vocab_size, 8);
  const auto expected = reference_forward(test.plain, ids).at({Stage::kLogits, 0, 0, 0});
  for (const GemmChoice gemm :
       {GemmChoice::kAuto, GemmChoice::kSimd, GemmChoice::kBlas, GemmChoice::kReference}) {
    Collector collector({Stage::kLogits});
    test.model.forward(make_batch({{ids}}).batch(), collector, {.threads = 1, .gemm = gemm});
    const auto& found = collector.seen.at({Stage::kLogits, 0, 0, 0});
    EXPECT_LE(relative_error(found.values, expected.values), kTolerance)
        << "backend " << static_cast<int>(gemm);
  }
}

// A factor rounded to 8 bits is off by up to 2^-9 of itself. Of a stage's largest value the errors
// seen here are up to 1%, and a pass that did not round would be a thousand times closer.
TEST_P(ForwardPass, BFloat16StaysNearTheDefinitionAndIsNotFloat32) {
  const TestModel test = make_test_model(GetParam().config, 2);
  const std::vector<TokenId> ids = random_ids(29, GetParam().config.vocab_size, 8);
  const auto expected = reference_forward(test.plain, ids);
  Collector collector;
  test.model.forward(make_batch({{ids}}).batch(), collector,
                     {.threads = 1, .compute = ComputeType::kBFloat16});
  for (const auto& [key, found] : collector.seen) {
    if (std::get<Stage>(key) == Stage::kTokens) continue;
    EXPECT_LE(relative_error(found.values, expected.at(key).values), 0.02) << key_name(key);
  }
  const StageKey last{Stage::kFinal, 0, 0, 0};
  EXPECT_GE(relative_error(collector.seen.at(last).values, expected.at(last).values), 1e-4);
}

TEST_P(ForwardPass, SequencesOfABatchAreComputedEachByItself) {
  const TestModel test = make_test_model(GetParam().config, 3);
  std::vector<std::vector<TokenId>> sequences;
  for (const std::size_t length : {7, 0, 29, 1, 0})
    sequences.push_back(
        random_ids(length, GetParam().config.vocab_size, 9 + static_cast<unsigned>(length)));
  const OwnedBatch batch = make_batch(sequences);
  Collector collector({Stage::kAttention, Stage::kFinal});
  test.model.forward(batch.batch(), collector);
  const StageData<float>& final = collector.seen.at({Stage::kFinal, 0, 0, 0});
  const std::size_t width = GetParam().config.n_embd;
  ASSERT_EQ(final.rows, 37u);
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const auto expected = reference_forward(test.plain, sequences[b]);
    const std::span<const float> rows(final.values.data() + batch.offsets[b] * width,
                                      sequences[b].size() * width);
    EXPECT_LE(relative_error(rows, expected.at({Stage::kFinal, 0, 0, 0}).values), kTolerance) << b;
    EXPECT_LE(relative_error(
                  collector.seen.at({Stage::kAttention, 0, b, 1 % GetParam().config.n_head}).values,
                  expected.at({Stage::kAttention, 0, 0, 1 % GetParam().config.n_head}).values),
              kTolerance)
        << b;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ForwardPass, ::testing::ValuesIn(test_configs()),
                         [](const auto& instance) { return instance.param.name; });

TEST(RelativeError, RejectsWhatItShouldReject) {
  const std::vector<double> expected = {1.0, -2.0, 3.0};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(relative_error(std::vector{1.0f, -2.0f, 3.0f}, expected), 0.0);
  EXPECT_GT(relative_error(std::vector{1.0f, -2.0f, nan}, expected), kTolerance);
  EXPECT_GT(relative_error(std::vector{1.0f, 2.0f, 3.0f}, expected), kTolerance);
  EXPECT_GT(relative_error(std::vector{0.0f, 0.0f, 0.0f}, expected), kTolerance);
  EXPECT_GT(relative_error(std::vector{1.0f, -2.0f, 3.0001f}, expected), kTolerance);
  EXPECT_GT(relative_error(std::vector{1.0f, -2.0f}, expected), kTolerance);
  EXPECT_GT(relative_error(std::vector{1.0f, -INFINITY, 3.0f}, expected), kTolerance);
  EXPECT_GT(relative_error(std::vector{1.0f}, std::vector{-static_cast<double>(INFINITY)}),
            kTolerance);
}

}  // namespace
}  // namespace glassgpt::testing
