#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<double> softmax_oracle(const std::vector<float>& x) {
  long double max = -std::numeric_limits<long double>::infinity();
  for (float v : x) max = std::max(max, static_cast<long double>(v));
  long double sum = 0;
  for (float v : x) sum += std::exp(v - max);
  std::vector<double> y;
  for (float v : x) y.push_back(static_cast<double>(std::exp(v - max) / sum));
  return y;
}

// x - max rounds by up to |x - max| 2^-24, which moves its exponential by as many parts of itself.
double max_ulp(float x, float max) { return 5.0 + static_cast<double>(max - x); }

TEST(Softmax, MatchesDoubleOnEveryIsaAndSize) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      if (n == 0) continue;
      for (float scale : {0.1f, 10.0f, 60.0f}) {
        const std::vector<float> x =
            random_floats(n, static_cast<std::uint32_t>(n) + 3, -scale, scale);
        const std::vector<double> expected = softmax_oracle(x);
        const float max = *std::max_element(x.begin(), x.end());
        std::vector<float> y(n);
        table.softmax(1, n, x.data(), n, y.data(), n);
        for (std::size_t i = 0; i < n; ++i)
          ASSERT_LE(ulp_error(y[i], expected[i]), max_ulp(x[i], max))
              << "n = " << n << ", element " << i << ": " << y[i] << ", expected " << expected[i];
      }
    }
  });
}

TEST(Softmax, ARowsBytesDependOnItsValuesAlone) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : small_sizes(table.lanes)) {
      constexpr std::size_t kRows = 3;
      const std::vector<float> x = random_floats(kRows * n, 11, -5.0f, 5.0f);
      std::vector<float> alone(kRows * n);
      for (std::size_t r = 0; r < kRows; ++r)
        table.softmax(1, n, x.data() + r * n, n, alone.data() + r * n, n);
      for (std::size_t offset : {0, 1, 5}) {
        GuardedBuffer<> in(kRows, n, n + 3, offset);
        GuardedBuffer<> out(kRows, n, n + 7, offset + 1);
        in.assign(x);
        table.softmax(kRows, n, in.data(), in.stride(), out.data(), out.stride());
        ASSERT_TRUE(same_bytes(out.values(), alone)) << n;
        table.softmax(kRows, n, in.data(), in.stride(), in.data(), in.stride());
        ASSERT_TRUE(same_bytes(in.values(), alone)) << n;
        ASSERT_TRUE(in.intact() && out.intact());
      }
    }
  });
}

TEST(Softmax, HandlesMaskedInfiniteAndNanRows) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : {std::size_t{1}, std::size_t{2}, table.lanes + 1, 8 * table.lanes + 3}) {
      std::vector<float> x(n, -kInfinity);
      std::vector<float> y(n, 7.0f);
      table.softmax(1, n, x.data(), n, y.data(), n);
      for (float v : y) ASSERT_EQ(v, 0.0f);

      for (std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
        x.assign(n, -kInfinity);
        x[at] = 2.0f;
        table.softmax(1, n, x.data(), n, y.data(), n);
        for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y[i], i == at ? 1.0f : 0.0f);

        for (float fill : {-kInfinity, 1.0f}) {
          for (float odd : {kNan, kInfinity}) {
            x.assign(n, fill);
            x[at] = odd;
            table.softmax(1, n, x.data(), n, y.data(), n);
            for (float v : y) ASSERT_TRUE(std::isnan(v)) << "n " << n << " at " << at;
          }
        }
      }
      x.assign(n, 3e38f);
      table.softmax(1, n, x.data(), n, y.data(), n);
      for (float v : y) ASSERT_FLOAT_EQ(v, 1.0f / static_cast<float>(n));
    }
    table.softmax(0, 5, nullptr, 5, nullptr, 5);
  });
}

TEST(SoftmaxBackward, MatchesFiniteDifferences) {
  constexpr std::size_t kN = 37;
  const std::vector<float> x = random_floats(kN, 21, -2.0f, 2.0f);
  const std::vector<float> d_y = random_floats(kN, 22);
  const auto loss = [&](std::size_t at, long double step) {
    std::vector<long double> v(x.begin(), x.end());
    v[at] += step;
    long double sum = 0;
    long double weighted = 0;
    for (std::size_t i = 0; i < kN; ++i) {
      sum += std::exp(v[i]);
      weighted += d_y[i] * std::exp(v[i]);
    }
    return weighted / sum;
  };
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> y(kN);
    std::vector<float> d_x(kN);
    table.softmax(1, kN, x.data(), kN, y.data(), kN);
    table.softmax_backward(1, kN, y.data(), kN, d_y.data(), kN, d_x.data(), kN);
    for (std::size_t i = 0; i < kN; ++i) {
      const long double expected = (loss(i, 1e-5L) - loss(i, -1e-5L)) / 2e-5L;
      ASSERT_NEAR(static_cast<double>(d_x[i]), static_cast<double>(expected), 2e-8);
    }
  });
}

TEST(SoftmaxBackward, MatchesDoubleOnEveryIsaAndSizeAndLayout) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      const std::vector<float> x = random_floats(n, 31, -3.0f, 3.0f);
      const std::vector<float> g = random_floats(n, 32);
      const std::vector<double> p = softmax_oracle(x);
      GuardedBuffer<> y(n, 1);
      GuardedBuffer<> d_y(n, 2, g);
      GuardedBuffer<> d_x(n, 0);
      for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(p[i]);
      table.softmax_backward(1, n, y.data(), n, d_y.data(), n, d_x.data(), n);
      long double dot = 0;
      long double magnitude = 0;
      for (std::size_t i = 0; i < n; ++i) {
        dot += static_cast<long double>(y[i]) * g[i];
        magnitude += std::fabs(static_cast<long double>(y[i]) * g[i]);
      }
      const double chain = 4.0 + static_cast<double>(n) / (4.0 * static_cast<double>(table.lanes));
      for (std::size_t i = 0; i < n; ++i) {
        const auto expected = static_cast<double>(y[i] * (g[i] - dot));
        const double bound =
            static_cast<double>(y[i]) * kUnitRoundoff *
            (3.0 * std::fabs(static_cast<double>(g[i]) - static_cast<double>(dot)) +
             chain * static_cast<double>(magnitude));
        ASSERT_LE(std::fabs(static_cast<double>(d_x[i]) - expected), bound + 1e-45) << n;
      }
      const std::vector<float> separate = d_x.values();
      table.softmax_backward(1, n, y.data(), n, d_y.data(), n, d_y.data(), n);
      ASSERT_TRUE(same_bytes(d_y.values(), separate));
      for (std::size_t i = 0; i < n; ++i) d_y[i] = g[i];
      table.softmax_backward(1, n, y.data(), n, d_y.data(), n, y.data(), n);
      ASSERT_TRUE(same_bytes(y.values(), separate));
      ASSERT_TRUE(y.intact() && d_y.intact() && d_x.intact());
    }
  });
}

}  // namespace
}  // namespace glassgpt::test
