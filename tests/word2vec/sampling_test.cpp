// What chance decides, held against the formulas.
#include "word2vec/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace glassgpt::testing {
namespace {

using word2vec::keep_thresholds;
using word2vec::NoiseTable;
using word2vec::Random;

std::vector<std::uint64_t> zipf_counts(std::size_t words) {
  std::vector<std::uint64_t> counts;
  for (std::size_t i = 1; i <= words; ++i) counts.push_back(100 + 100000000 / i);
  return counts;
}

std::vector<double> expected_noise(const std::vector<std::uint64_t>& counts) {
  std::vector<double> weights;
  for (const std::uint64_t count : counts) {
    weights.push_back(std::pow(static_cast<double>(count), 0.75));
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

TEST(Word2VecNoise, ProbabilitiesAreCountsToTheThreeQuarters) {
  for (const auto& counts :
       {zipf_counts(1), zipf_counts(2), zipf_counts(7), zipf_counts(50000),
        std::vector<std::uint64_t>(1000, 5), std::vector<std::uint64_t>{1, 1000000000000}}) {
    const std::vector<double> expected = expected_noise(counts);
    const std::vector<double> actual = NoiseTable(counts).probabilities();
    ASSERT_EQ(actual.size(), counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
      // Two roundings to 2^-32 for each of the slots that a word shares.
      ASSERT_NEAR(actual[i], expected[i], 0x1p-31 + 1e-12) << counts.size() << " words, " << i;
    }
    EXPECT_NEAR(std::accumulate(actual.begin(), actual.end(), 0.0), 1.0, 1e-9);
  }
}

// Slots and thresholds, exhaustively: no number leads elsewhere.
TEST(Word2VecNoise, DrawsAsItsProbabilitiesSay) {
  const std::vector<std::uint64_t> counts = {1000, 400, 50, 3, 1};
  const NoiseTable table(counts);
  const std::vector<double> expected = table.probabilities();
  std::vector<double> drawn(counts.size());
  Random random(7);
  constexpr int kDraws = 2000000;
  for (int i = 0; i < kDraws; ++i) ++drawn[table.draw(random.bits())];
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double deviation = std::sqrt(expected[i] * (1 - expected[i]) / kDraws);
    EXPECT_NEAR(drawn[i] / kDraws, expected[i], 5 * deviation) << i;
  }
  EXPECT_LT(table.draw(0), counts.size());
  EXPECT_LT(table.draw(~std::uint64_t{0}), counts.size());
}

TEST(Word2VecSubsampling, KeepsByThePublishedFormula) {
  const std::vector<std::uint64_t> counts = {500000, 400000, 99000, 900, 100};  // of a million
  const double sample = 1e-3;
  const std::vector<std::uint64_t> thresholds = keep_thresholds(counts, sample);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double f = static_cast<double>(counts[i]) / 1e6;
    const double keep = std::min(1.0, std::sqrt(sample / f) + sample / f);
    EXPECT_NEAR(static_cast<double>(thresholds[i]) * 0x1p-32, keep, 1e-9) << i;
  }
  EXPECT_EQ(thresholds[4], std::uint64_t{1} << 32);  // rare words always
  for (const std::uint64_t threshold : keep_thresholds(counts, 0)) {
    EXPECT_EQ(threshold, std::uint64_t{1} << 32);
  }
}

TEST(Word2VecRandom, BelowIsUniformAndInRange) {
  Random random(1);
  std::vector<double> seen(7);
  constexpr int kDraws = 700000;
  for (int i = 0; i < kDraws; ++i) ++seen.at(random.below(7));
  for (const double count : seen) EXPECT_NEAR(count, 100000, 5 * std::sqrt(100000.0));
}

}  // namespace
}  // namespace glassgpt::testing
