// What dropout leaves out, and that nothing but the seed decides it.
#include "model/dropout.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <set>

#include "tests/train/tiny_run.h"

namespace glassgpt::testing {
namespace {

constexpr std::size_t kWidth = 256;

// Rows of ones after dropout, for sequences of the given lengths.
std::vector<float> dropped(const Dropout& dropout, std::size_t place,
                           const std::vector<std::size_t>& offsets) {
  const std::vector<TokenId> ids(offsets.back());
  std::vector<float> x(ids.size() * kWidth, 1.0f);
  dropout.apply(place, {ids, offsets}, kWidth, 0, ids.size(), x.data(), x.data());
  return x;
}

TEST(Dropout, LeavesOutItsShareAndKeepsTheMean) {
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    const std::vector<float> x = dropped(Dropout(rate, {5}), 3, {0, 400});
    double kept = 0, sum = 0;
    for (const float value : x) {
      kept += value != 0;
      sum += value;
      if (value != 0) {
        ASSERT_NEAR(value, 1 / (1 - rate), 1e-3f * value);
      }
    }
    const double n = static_cast<double>(x.size());
    EXPECT_NEAR(kept / n, 1 - rate, 4 * std::sqrt(0.25 / n)) << rate;
    EXPECT_NEAR(sum / n, 1, 4 * std::sqrt(rate / (1 - rate) / n) + 1e-3) << rate;
  }
}

TEST(Dropout, RateZeroChangesNothing) {
  for (const float value : dropped(Dropout(0.0f, {5}), 0, {0, 9})) ASSERT_EQ(value, 1.0f);
}

TEST(Dropout, RowsPlacesAndSequencesDiffer) {
  const Dropout dropout(0.5f, {1, 2});
  std::set<std::vector<float>> rows;
  for (std::size_t place = 0; place < 5; ++place) {
    const std::vector<float> x = dropped(dropout, place, {0, 10, 20});
    for (std::size_t row = 0; row < 20; ++row)
      rows.emplace(x.begin() + static_cast<std::ptrdiff_t>(row * kWidth),
                   x.begin() + static_cast<std::ptrdiff_t>((row + 1) * kWidth));
  }
  EXPECT_EQ(rows.size(), 100u);
}

TEST(Dropout, ASequenceIsTreatedAlikeInAnyBatch) {
  const std::vector<float> alone = dropped(Dropout(0.3f, {7}), 2, {0, 6});
  const std::vector<float> second = dropped(Dropout(0.3f, {9, 7}), 2, {0, 4, 10});
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), second.begin() + 4 * kWidth));
}

TEST(Dropout, RunsEndWithTheSameBytesForAnyThreadsAndInterruption) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  const auto options_of = [&](const std::string& name, int threads) {
    TrainingOptions options = run.options(name);
    options.dropout = 0.2f;
    options.threads = threads;
    return options;
  };
  train(options_of("one", 1));
  train(options_of("three", 3));
  EXPECT_EQ(run.model_bytes("one"), run.model_bytes("three"));
  train(run.options("without"));
  EXPECT_NE(run.model_bytes("one"), run.model_bytes("without"));

  std::atomic<bool> stop = false;
  TrainingCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_progress = [&](const TrainingProgress& now) { stop = now.step == 12; };
  EXPECT_TRUE(train(options_of("stopped", 1), callbacks).interrupted);
  TrainingOptions stored = load_training_options(directory / "stopped");
  EXPECT_EQ(stored.dropout, 0.2f);
  stored.resume = true;
  train(stored);
  EXPECT_EQ(run.model_bytes("one"), run.model_bytes("stopped"));
}

}  // namespace
}  // namespace glassgpt::testing
