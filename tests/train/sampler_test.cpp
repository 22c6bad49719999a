#include "train/sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

namespace glassgpt::testing {
namespace {

using training::permuted;
using training::Window;
using training::WindowSampler;

TEST(Permutation, IsOneForEverySizeAndDiffersByKey) {
  for (const std::uint64_t size : {1u, 2u, 3u, 4u, 5u, 17u, 64u, 1000u, 1025u}) {
    std::set<std::uint64_t> seen;
    std::uint64_t moved = 0;
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::uint64_t place = permuted(i, size, 42);
      EXPECT_LT(place, size);
      seen.insert(place);
      moved += place != permuted(i, size, 43);
    }
    EXPECT_EQ(seen.size(), size);
    if (size >= 64) {
      EXPECT_GT(moved, size / 2);
    }
  }
}

TEST(Sampler, AnEpochTakesEveryWindowOnce) {
  constexpr std::size_t kContext = 8;
  const WindowSampler sampler({{1000, 1.0}, {83, 1.0}}, kContext, 7);
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::map<std::size_t, std::set<std::uint64_t>> starts;
    for (std::uint64_t n = 0; n < sampler.windows_per_epoch(); ++n) {
      const Window w = sampler.window(epoch * sampler.windows_per_epoch() + n);
      EXPECT_EQ(w.length, kContext);
      EXPECT_LE(w.begin + w.length + 1, w.stream == 0 ? 1000u : 83u);
      EXPECT_TRUE(starts[w.stream].insert(w.begin).second) << "a window came twice";
    }
    for (const auto& [stream, begins] : starts) {
      // Side by side: no token twice, and nearly all of them.
      for (const std::uint64_t begin : begins) {
        EXPECT_EQ((begin - *begins.begin()) % kContext, 0u);
      }
      EXPECT_EQ(begins.size(), stream == 0 ? 123u : 9u);
    }
  }
}

TEST(Sampler, WeightsDecideHowOftenASourceIsSeen) {
  const WindowSampler sampler({{8001, 0.5}, {8001, 3.0}, {801, 1.0}}, 8, 1);
  std::map<std::size_t, std::map<std::uint64_t, int>> seen;
  for (std::uint64_t n = 0; n < 2 * sampler.windows_per_epoch(); ++n) {
    const Window w = sampler.window(n);
    ++seen[w.stream][w.begin / 8];
  }
  const auto total = [&](std::size_t stream) {
    int sum = 0;
    for (const auto& [place, times] : seen[stream]) sum += times;
    return sum;
  };
  EXPECT_EQ(total(0), 1000);  // rounding 499.5 up
  EXPECT_EQ(total(1), 2 * 2997);
  EXPECT_EQ(total(2), 2 * 99);
  // Two epochs of half the windows: nearly every place once.
  EXPECT_GT(seen[0].size(), 990u);
}

TEST(Sampler, IsAFunctionOfSeedAndNumber) {
  const WindowSampler a({{5000, 1.0}}, 16, 1), b({{5000, 1.0}}, 16, 1), c({{5000, 1.0}}, 16, 2);
  int same_as_c = 0;
  for (std::uint64_t n = 500; n-- > 0;) {
    EXPECT_EQ(a.window(n).begin, b.window(n).begin);
    same_as_c += a.window(n).begin == c.window(n).begin;
  }
  EXPECT_LT(same_as_c, 50);
}

TEST(Sampler, ShortSourcesAreOneShortWindow) {
  const WindowSampler sampler({{5, 1.0}}, 16, 1);
  const Window w = sampler.window(3);
  EXPECT_EQ(w.begin, 0u);
  EXPECT_EQ(w.length, 4u);
  EXPECT_THROW(WindowSampler({{1, 1.0}}, 16, 1), std::invalid_argument);
}

}  // namespace
}  // namespace glassgpt::testing
