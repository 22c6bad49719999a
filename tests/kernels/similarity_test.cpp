#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;

long double cosine_oracle(const float* a, const float* b, std::size_t n) {
  long double dot = 0;
  long double aa = 0;
  long double bb = 0;
  for (std::size_t i = 0; i < n; ++i) {
    dot += static_cast<long double>(a[i]) * b[i];
    aa += static_cast<long double>(a[i]) * a[i];
    bb += static_cast<long double>(b[i]) * b[i];
  }
  return aa == 0 || bb == 0 ? 0 : dot / std::sqrt(aa) / std::sqrt(bb);
}

TEST(CosineSimilarity, MatchesDoubleOnEveryIsaSizeAndMagnitude) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      for (float scale : {1.0f, 1e-25f, 1e30f}) {
        constexpr std::size_t kRows = 3;
        const std::vector<float> query = random_floats(n, 1, -scale, scale);
        const std::vector<float> x = random_floats(kRows * n, 2, -scale, scale);
        std::vector<float> cosine(kRows, 7.0f);
        table.cosine_similarity(kRows, n, query.data(), x.data(), n, cosine.data());
        // Three sums, each with a rounding per addition of a lane's chain; |q| |x| bounds sum |q
        // x|.
        const double bound = kUnitRoundoff * (10.0 + static_cast<double>(n) /
                                                         (2.0 * static_cast<double>(table.lanes)));
        for (std::size_t r = 0; r < kRows; ++r)
          ASSERT_NEAR(static_cast<double>(cosine[r]),
                      static_cast<double>(cosine_oracle(query.data(), x.data() + r * n, n)), bound)
              << "n = " << n << ", scale " << scale;
      }
    }
  });
}

TEST(CosineSimilarity, ARowsBytesDependOnItsValuesAlone) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : small_sizes(table.lanes)) {
      const std::vector<float> query_values = random_floats(n, 3);
      const std::vector<float> values = random_floats(4 * n, 4);
      std::vector<float> alone(4);
      for (std::size_t r = 0; r < 4; ++r)
        table.cosine_similarity(1, n, query_values.data(), values.data() + r * n, n, &alone[r]);
      for (std::size_t offset : {0, 1, 6}) {
        GuardedBuffer<> query(n, offset, query_values);
        GuardedBuffer<> x(4, n, n + 3, offset + 1);
        GuardedBuffer<> cosine(4, offset);
        x.assign(values);
        table.cosine_similarity(4, n, query.data(), x.data(), x.stride(), cosine.data());
        ASSERT_TRUE(same_bytes(cosine.values(), alone)) << n;
        ASSERT_TRUE(query.intact() && x.intact() && cosine.intact());
      }
    }
  });
}

TEST(CosineSimilarity, IsZeroForZeroVectorsOneForItselfAndNanForNan) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : {std::size_t{1}, table.lanes + 1, 9 * table.lanes + 2}) {
      const std::vector<float> query = random_floats(n, 5, 0.5f, 1.0f);
      std::vector<float> x(n, 0.0f);
      float cosine = 7.0f;
      table.cosine_similarity(1, n, query.data(), x.data(), n, &cosine);
      EXPECT_EQ(cosine, 0.0f);
      table.cosine_similarity(1, n, x.data(), query.data(), n, &cosine);
      EXPECT_EQ(cosine, 0.0f);
      table.cosine_similarity(1, n, query.data(), query.data(), n, &cosine);
      EXPECT_NEAR(cosine, 1.0f, 2e-7f);
      for (std::size_t i = 0; i < n; ++i) x[i] = -3.0f * query[i];
      table.cosine_similarity(1, n, query.data(), x.data(), n, &cosine);
      EXPECT_NEAR(cosine, -1.0f, 4e-7f);
      x[n - 1] = std::numeric_limits<float>::quiet_NaN();
      table.cosine_similarity(1, n, query.data(), x.data(), n, &cosine);
      EXPECT_TRUE(std::isnan(cosine));
    }
  });
}

}  // namespace
}  // namespace glassgpt::test
