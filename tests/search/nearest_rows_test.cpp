// Exact search: the oracle compares every row in double and sorts.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "glassgpt/nearest.h"
#include "io/half.h"

namespace glassgpt::testing {
namespace {

using Found = std::vector<std::pair<std::size_t, double>>;

double cosine_in_double(const float* a, const float* b, std::size_t cols) {
  long double dot = 0, aa = 0, bb = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    dot += static_cast<long double>(a[c]) * b[c];
    aa += static_cast<long double>(a[c]) * a[c];
    bb += static_cast<long double>(b[c]) * b[c];
  }
  if (aa == 0 || bb == 0) return 0;
  return static_cast<double>(dot / (std::sqrt(aa) * std::sqrt(bb)));
}

std::vector<float> random_values(std::size_t count, unsigned seed, double shift = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(shift, 1.0);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(normal(random));
  return values;
}

Found pairs(const std::vector<Neighbour>& list) {
  Found found;
  for (const Neighbour& one : list) found.emplace_back(one.row, one.cosine);
  return found;
}

// The best rows by the definition, ties to the smaller row.
Found best_rows(const std::vector<float>& x, std::size_t cols, const float* query,
                std::size_t count) {
  Found all;
  for (std::size_t r = 0; r < x.size() / cols; ++r) {
    const double cosine = exact_cosine(query, x.data() + r * cols, cols);
    if (!std::isnan(cosine)) all.emplace_back(r, cosine);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  all.resize(std::min(all.size(), count));
  return all;
}

TEST(NearestRows, AreThoseOfComparingAllInDouble) {
  for (const std::size_t cols : {1, 3, 17, 64, 200}) {
    for (const std::size_t rows : {0, 1, 5, 1000, 9000}) {
      const auto x = random_values(rows * cols, 1);
      for (const std::size_t queries : {1, 4, 5, 40}) {
        const auto q = random_values(queries * cols, 2);
        for (const std::size_t count : {1, 10, 1200}) {
          const auto found = nearest_rows({x.data(), rows, cols, cols, false}, q, count, 2);
          ASSERT_EQ(found.size(), queries);
          for (std::size_t i = 0; i < queries; i += 7) {
            EXPECT_EQ(pairs(found[i]), best_rows(x, cols, q.data() + i * cols, count))
                << rows << "x" << cols << " " << queries << " " << count;
          }
        }
      }
    }
  }
}

TEST(NearestRows, CosinesAreThoseOfLongDouble) {
  const std::size_t cols = 300;
  const auto x = random_values(50 * cols, 3), q = random_values(cols, 4);
  const auto found = nearest_rows({x.data(), 50, cols, cols, false}, q, 50, 1);
  for (const Neighbour& one : found[0]) {
    EXPECT_NEAR(one.cosine, cosine_in_double(q.data(), x.data() + one.row * cols, cols), 1e-14);
  }
}

// Vectors of a language model share a large part: cosines that differ in their last digits only.
TEST(NearestRows, AreExactWhereFloatCannotTellRowsApart) {
  const std::size_t cols = 96, rows = 3000;
  auto x = random_values(rows * cols, 5);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = 1 + x[i] * 1e-4F + static_cast<float>(i % cols);
  }
  for (const std::size_t queries : {2, 9}) {
    const std::vector<float> q(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(queries * cols));
    const auto found = nearest_rows({x.data(), rows, cols, cols, false}, q, 20, 2);
    for (std::size_t i = 0; i < queries; ++i) {
      EXPECT_EQ(pairs(found[i]), best_rows(x, cols, q.data() + i * cols, 20));
      EXPECT_EQ(found[i][0].row, i);
    }
  }
}

TEST(NearestRows, DoNotDependOnThreadsOrOtherQueries) {
  const std::size_t cols = 48, rows = 20000;
  const auto x = random_values(rows * cols, 6, 0.5), q = random_values(33 * cols, 7, 0.5);
  const RowsView view{x.data(), rows, cols, cols, false};
  const auto together = nearest_rows(view, q, 15, 1);
  const auto threads = nearest_rows(view, q, 15, 3);
  for (std::size_t i = 0; i < 33; ++i) {
    EXPECT_EQ(pairs(together[i]), pairs(threads[i]));
    const auto alone = nearest_rows(view, std::span(q).subspan(i * cols, cols), 15, 2);
    EXPECT_EQ(pairs(together[i]), pairs(alone[0]));
  }
}

TEST(NearestRows, OfEqualCosinesTheSmallerRowComesFirst) {
  const std::size_t cols = 8;
  std::vector<float> x;
  const auto row = random_values(cols, 8), other = random_values(cols, 9);
  for (int i = 0; i < 5000; ++i) {
    const float scale = i % 3 == 0 ? 1.0F : 0.0F;
    for (std::size_t c = 0; c < cols; ++c) x.push_back(scale > 0 ? row[c] : other[c]);
  }
  const auto found = nearest_rows({x.data(), 5000, cols, cols, false}, row, 4, 3)[0];
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(found[i].row, 3 * i);
}

TEST(NearestRows, StridedAndHalfRowsAreTheSameRows) {
  const std::size_t cols = 19, stride = 23, rows = 700;
  const auto wide = random_values(rows * stride, 10);
  std::vector<float> x;
  std::vector<std::uint16_t> halves(wide.size());
  io::floats_to_halves(wide.data(), wide.size(), halves.data());
  std::vector<float> rounded;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) {
      x.push_back(wide[r * stride + c]);
      rounded.push_back(io::half_to_float(halves[r * stride + c]));
    }
  }
  for (const std::size_t queries : {1, 6}) {
    const auto q = random_values(queries * cols, 11);
    const auto strided = nearest_rows({wide.data(), rows, cols, stride, false}, q, 9, 2);
    const auto half = nearest_rows({halves.data(), rows, cols, stride, true}, q, 9, 2);
    for (std::size_t i = 0; i < queries; ++i) {
      EXPECT_EQ(pairs(strided[i]), best_rows(x, cols, q.data() + i * cols, 9));
      EXPECT_EQ(pairs(half[i]), best_rows(rounded, cols, q.data() + i * cols, 9));
    }
  }
}

TEST(NearestRows, ZerosAndExtremesAndNaNAreDefined) {
  const std::size_t cols = 4;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {1,  0, 0, 0, nan,   1,     1, 1, inf,    0, 0, 0, 0, 0,      0, 0,
                                -1, 0, 0, 0, 1e30F, 1e30F, 0, 0, 1e-30F, 0, 0, 0, 0, 1e-40F, 0, 0};
  const RowsView view{x.data(), x.size() / cols, cols, cols, false};
  for (const std::size_t queries : {1, 6}) {
    std::vector<float> q;
    for (std::size_t i = 0; i < queries; ++i) q.insert(q.end(), {2, 0, 0, 0});
    const auto found = nearest_rows(view, q, 10, 1)[queries - 1];
    ASSERT_EQ(found.size(), 6u);  // neither NaN nor infinity
    EXPECT_EQ(found[0].row, 0u);
    EXPECT_EQ(found[1].row, 6u);
    EXPECT_EQ(found[1].cosine, 1.0);
    EXPECT_EQ(found[2].row, 5u);
    EXPECT_NEAR(found[2].cosine, std::sqrt(0.5), 1e-12);
    EXPECT_EQ(found[3].row, 3u);
    EXPECT_EQ(found[3].cosine, 0.0);
    EXPECT_EQ(found[4].row, 7u);
    EXPECT_EQ(found[5].cosine, -1.0);
  }
  const std::vector<float> zero(cols, 0.0F), bad = {nan, 0, 0, 0}, tiny = {1e-40F, 0, 0, 0};
  EXPECT_EQ(nearest_rows(view, zero, 3, 1)[0].front().cosine, 0.0);
  EXPECT_TRUE(nearest_rows(view, bad, 3, 1)[0].empty());
  EXPECT_EQ(nearest_rows(view, tiny, 1, 1)[0][0].row, 0u);
}

// In kilobytes, of this process so far.
long peak_memory() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(NearestRows, MemoryDoesNotGrowWithTheQueries) {
  const std::size_t cols = 2, rows = 1 << 16, queries = 4096;
  const auto x = random_values(rows * cols, 12), q = random_values(queries * cols, 13);
  const long before = peak_memory();
  const auto found = nearest_rows({x.data(), rows, cols, cols, false}, q, 1, 1);
  // A score for each row and query would be 1 GiB.
  EXPECT_LT(peak_memory() - before, 200 * 1024);
  ASSERT_EQ(found.size(), queries);
  for (std::size_t i = 0; i < queries; i += 1023) {
    EXPECT_EQ(pairs(found[i]), best_rows(x, cols, q.data() + i * cols, 1)) << i;
  }
}

TEST(NearestRows, WrongShapesAreRefused) {
  const std::vector<float> x(12, 1.0F);
  EXPECT_THROW(nearest_rows({x.data(), 3, 4, 4, false}, std::span(x).first(5), 1, 1),
               std::invalid_argument);
  EXPECT_THROW(nearest_rows({x.data(), 3, 4, 3, false}, std::span(x).first(4), 1, 1),
               std::invalid_argument);
  EXPECT_THROW(nearest_rows({x.data(), 3, 0, 0, false}, {}, 1, 1), std::invalid_argument);
}

}  // namespace
}  // namespace glassgpt::testing
