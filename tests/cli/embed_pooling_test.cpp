// Pooling by numbers that a model does not give: cancellation, NaN, infinities, signed zeros.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "glassgpt/embed.h"

namespace glassgpt::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class Collector : public VectorSink {
 public:
  void on_rows(std::size_t, const float* rows, std::size_t count, std::size_t stride) override {
    for (std::size_t r = 0; r < count; ++r) values.push_back(rows[r * stride]);
  }
  std::vector<float> values;
};

// One column of tokens, as one group in the given ranges; the row that comes out.
float pooled(const std::vector<float>& tokens, Pooling pooling, bool normalize = false,
             std::vector<RowRange> ranges = {}) {
  Collector collector;
  VectorExtractor extractor({{Stage::kFinal, 0, "final", "final", 1}}, {pooling, {}, normalize},
                            collector);
  if (ranges.empty()) ranges = {{0, tokens.size()}};
  extractor.set_ranges(ranges);
  StageView view{};
  view.stage = Stage::kFinal;
  view.rows = tokens.size();
  view.cols = view.stride = 1;
  view.data = tokens.data();
  extractor.on_stage(view);
  EXPECT_EQ(collector.values.size(), 1u);
  return collector.values.empty() ? kNan : collector.values[0];
}

TEST(Pooling, SumsInDoubleFromTheFirstTokenToTheLast) {
  // In float32 the ones would vanish beside 2^25.
  const std::vector<float> tokens = {0x1p25F, 1, 1, 1, -0x1p25F};
  EXPECT_EQ(pooled(tokens, Pooling::kMean), 3.0F / 5.0F);
  const double weighted = (0x1p25 + 2 + 3 + 4 - 5 * 0x1p25) / 15.0;
  EXPECT_EQ(pooled(tokens, Pooling::kWeightedMean), static_cast<float>(weighted));
}

TEST(Pooling, WeightsGrowThroughAGroupInSeveralRanges) {
  const std::vector<float> tokens = {1, 10, 100, 7};
  const std::vector<RowRange> ranges = {
      {0, 1, true, false}, {1, 2, false, false}, {2, 3, false, true}};
  EXPECT_EQ(pooled(tokens, Pooling::kWeightedMean, false, ranges), 321.0F / 6.0F);
  EXPECT_EQ(pooled(tokens, Pooling::kLast, false, ranges), 100.0F);
}

TEST(Pooling, KeepsNaNWhereverItStands) {
  for (const std::vector<float>& tokens :
       {std::vector<float>{kNan, 1, 2}, {1, kNan, 2}, {1, 2, kNan}}) {
    EXPECT_TRUE(std::isnan(pooled(tokens, Pooling::kMean)));
    EXPECT_TRUE(std::isnan(pooled(tokens, Pooling::kWeightedMean)));
    EXPECT_TRUE(std::isnan(pooled(tokens, Pooling::kMax)));
  }
  EXPECT_EQ(pooled({1, kNan, 2}, Pooling::kFirst), 1.0F);
  EXPECT_EQ(pooled({1, kNan, 2}, Pooling::kLast), 2.0F);
}

TEST(Pooling, OfInfinitiesIsIeee) {
  EXPECT_EQ(pooled({1, -kInf, 2}, Pooling::kMean), -kInf);
  EXPECT_TRUE(std::isnan(pooled({kInf, -kInf}, Pooling::kMean)));
  EXPECT_EQ(pooled({-kInf, -kInf}, Pooling::kMax), -kInf);
}

TEST(Pooling, OfEqualValuesMaxTakesTheFirst) {
  EXPECT_TRUE(std::signbit(pooled({-0.0F, 0.0F}, Pooling::kMax)));
  EXPECT_FALSE(std::signbit(pooled({0.0F, -0.0F}, Pooling::kMax)));
}

TEST(Pooling, NormalizingLeavesZerosAndDefinesWhatHasNoLength) {
  EXPECT_EQ(pooled({0, 0}, Pooling::kMean, true), 0.0F);
  EXPECT_EQ(pooled({3, 5}, Pooling::kMean, true), 1.0F);
  EXPECT_EQ(pooled({-1e-40F, -1e-40F}, Pooling::kMean, true), -1.0F);
  EXPECT_TRUE(std::isnan(pooled({kInf, 1}, Pooling::kMean, true)));
  EXPECT_TRUE(std::isnan(pooled({kNan, 1}, Pooling::kMean, true)));
}

}  // namespace
}  // namespace glassgpt::testing
