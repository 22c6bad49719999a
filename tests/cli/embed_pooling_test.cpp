// Pooling by numbers that a model does not give: cancellation, NaN, infinities, signed zeros.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

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

// Collects whole rows, as their bits.
class RowCollector : public VectorSink {
 public:
  explicit RowCollector(std::size_t cols) : cols_(cols) {}
  void on_rows(std::size_t, const float* rows, std::size_t count, std::size_t stride) override {
    for (std::size_t r = 0; r < count; ++r) {
      for (std::size_t c = 0; c < cols_; ++c) {
        bits.push_back(std::bit_cast<std::uint32_t>(rows[r * stride + c]));
      }
    }
  }
  std::vector<std::uint32_t> bits;

 private:
  std::size_t cols_;
};

TEST(Extraction, ThreadsAndBatchesChangeNoByte) {
  constexpr std::size_t kTokens = 3000, kCols = 40;
  std::mt19937 random(1);
  std::vector<float> tokens(kTokens * kCols);
  for (float& value : tokens) value = std::normal_distribution<float>()(random);
  // Groups of 1 to 30 tokens; the last of each batch mostly goes on in the next.
  std::vector<std::size_t> ends;
  for (std::size_t end = 0; end < kTokens;) {
    ends.push_back(end = std::min<std::size_t>(kTokens, end + 1 + random() % 30));
  }
  std::vector<float> center(kCols, 0.25F);
  const auto rows = [&](Pooling pooling, bool changes, int threads, std::size_t batch) {
    RowCollector collector(kCols);
    ExtractionOptions options{pooling, {}, changes, threads};
    if (changes) options.center = {center};
    VectorExtractor extractor({{Stage::kFinal, 0, "final", "final", kCols}}, options, collector);
    for (std::size_t begin = 0; begin < kTokens; begin += batch) {
      const std::size_t end = std::min(kTokens, begin + batch);
      std::vector<RowRange> ranges;
      for (std::size_t g = 0; g < ends.size(); ++g) {
        const std::size_t first = g == 0 ? 0 : ends[g - 1];
        if (ends[g] <= begin || first >= end) continue;
        ranges.push_back({std::max(first, begin) - begin, std::min(ends[g], end) - begin,
                          first >= begin, ends[g] <= end});
      }
      extractor.set_ranges(ranges);
      StageView view{};
      view.stage = Stage::kFinal;
      view.rows = end - begin;
      view.cols = view.stride = kCols;
      view.data = tokens.data() + begin * kCols;
      extractor.on_stage(view);
    }
    return collector.bits;
  };
  for (const Pooling pooling : {Pooling::kNone, Pooling::kMean, Pooling::kWeightedMean,
                                Pooling::kMax, Pooling::kFirst, Pooling::kLast}) {
    for (const bool changes : {false, true}) {
      const std::vector<std::uint32_t> expected = rows(pooling, changes, 1, kTokens);
      ASSERT_EQ(expected.size(), kCols * (pooling == Pooling::kNone ? kTokens : ends.size()));
      for (const int threads : {1, 2, 3}) {
        // Down to batches that lie wholly inside a group.
        for (const std::size_t batch : {1U, 7U, 1000U, 3000U}) {
          EXPECT_EQ(rows(pooling, changes, threads, batch), expected)
              << static_cast<int>(pooling) << " " << changes << " " << threads << " " << batch;
        }
      }
    }
  }
  // The definition, of one group in the middle.
  const std::size_t group = ends.size() / 2;
  const std::vector<std::uint32_t> means = rows(Pooling::kMean, false, 2, 1000);
  for (std::size_t c = 0; c < kCols; ++c) {
    double sum = 0;
    for (std::size_t t = ends[group - 1]; t < ends[group]; ++t) {
      sum += static_cast<double>(tokens[t * kCols + c]);
    }
    const auto mean = static_cast<float>(sum / static_cast<double>(ends[group] - ends[group - 1]));
    EXPECT_EQ(std::bit_cast<float>(means[group * kCols + c]), mean) << c;
  }
}

TEST(Extraction, RowsAreComputedInTheSinksRoomOnlyIfItGetsAllAsTheyAre) {
  struct Room : RowCollector {
    using RowCollector::RowCollector;
    float* room(std::size_t kind, std::size_t count) override {
      EXPECT_EQ(kind, 1U);
      EXPECT_EQ(count, 10U);
      return floats;
    }
    float floats[10];
  } sink(1);
  const std::vector<VectorKind> kinds = {{Stage::kEmbedding, 0, "layer_00", "0", 1},
                                         {Stage::kResidual, 0, "layer_01", "1", 1}};
  const auto room = [&](ExtractionOptions options, const std::vector<RowRange>& ranges) {
    VectorExtractor extractor(kinds, std::move(options), sink);
    extractor.set_ranges(ranges);
    return extractor.room(Stage::kResidual, 0, 10, 1);
  };
  EXPECT_EQ(room({}, {{0, 10}}), sink.floats);
  EXPECT_EQ(room({}, {{0, 4}, {4, 9}, {9, 10}}), sink.floats);
  EXPECT_EQ(room({}, {{0, 9}}), nullptr);
  EXPECT_EQ(room({}, {{1, 10}}), nullptr);
  EXPECT_EQ(room({}, {{0, 4}, {5, 10}}), nullptr);
  EXPECT_EQ(room({}, {{0, 6}, {4, 10}}), nullptr);
  EXPECT_EQ(room({}, {}), nullptr);
  EXPECT_EQ(room({Pooling::kNone, {}, true}, {{0, 10}}), nullptr);
  EXPECT_EQ(room({Pooling::kNone, {{1}, {1}}}, {{0, 10}}), nullptr);
  EXPECT_EQ(room({Pooling::kMean, {}}, {{0, 10}}), nullptr);
}

TEST(Extraction, RefusesARangeWithoutRows) {
  RowCollector collector(1);
  VectorExtractor extractor({{Stage::kFinal, 0, "final", "final", 1}}, {}, collector);
  EXPECT_THROW(extractor.set_ranges(std::vector<RowRange>{{2, 2}}), std::invalid_argument);
}

}  // namespace
}  // namespace glassgpt::testing
