#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kEpsilon = 1e-5f;

struct Statistics {
  long double mean, rstd;
};

template <class T>
Statistics statistics(const T* x, std::size_t n) {
  long double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += x[i];
  mean /= static_cast<long double>(n);
  long double variance = 0;
  for (std::size_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
  variance /= static_cast<long double>(n);
  return {mean, 1.0L / std::sqrt(variance + kEpsilon)};
}

// Roundings in a lane's chain of additions, and a few in joining lanes.
double chain(std::size_t n, std::size_t lanes) {
  return 6.0 + static_cast<double>(n) / (4.0 * static_cast<double>(lanes));
}

TEST(LayerNorm, MatchesDoubleOnEveryIsaAndSizeAlsoFarFromZero) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      if (n == 0) continue;
      const std::vector<float> gamma = random_floats(n, 2, 0.5f, 1.5f);
      const std::vector<float> beta = random_floats(n, 3);
      for (float mean_value : {0.0f, 3.0f, -1000.0f}) {
        const std::vector<float> x =
            random_floats(n, static_cast<std::uint32_t>(n), mean_value - 1.0f, mean_value + 1.0f);
        const Statistics s = statistics(x.data(), n);
        std::vector<float> y(n);
        float mean = 0;
        float rstd = 0;
        table.layer_norm(1, n, x.data(), n, gamma.data(), beta.data(), kEpsilon, y.data(), n, &mean,
                         &rstd);
        EXPECT_LE(
            ulp_error(mean, static_cast<double>(s.mean)) * float_ulp(static_cast<double>(s.mean)),
            1e-7 * (1.0 + std::fabs(static_cast<double>(mean_value))));
        EXPECT_NEAR(static_cast<double>(rstd) / static_cast<double>(s.rstd), 1.0,
                    kUnitRoundoff * chain(n, table.lanes));
        for (std::size_t i = 0; i < n; ++i) {
          const long double x_hat = (x[i] - s.mean) * s.rstd;
          const auto expected = static_cast<double>(x_hat * gamma[i] + beta[i]);
          // x_hat to a few parts of itself; near zero to what its subtraction leaves of the spacing
          // at x - shift.
          const double bound =
              kUnitRoundoff * ((4.0 + chain(n, table.lanes)) *
                                   (std::fabs(static_cast<double>(x_hat * gamma[i])) + 1.0) +
                               2.0 * std::fabs(expected));
          ASSERT_NEAR(static_cast<double>(y[i]), expected, bound)
              << "n = " << n << ", mean " << mean_value << ", element " << i;
        }
      }
    }
  });
}

TEST(LayerNorm, DoesNotCancelWhereTheMeanIsLarge) {
  // E[x^2] - mean^2 in float would give 0 or negative here: the spacing of floats at 10^8 is 8.
  const std::vector<float> x = {10000.0f, 10000.5f, 9999.5f,   10001.0f,
                                9999.0f,  10000.0f, 10000.25f, 9999.75f};
  const std::vector<float> ones(x.size(), 1.0f);
  const std::vector<float> zeros(x.size(), 0.0f);
  const Statistics s = statistics(x.data(), x.size());
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> y(x.size());
    table.layer_norm(1, x.size(), x.data(), x.size(), ones.data(), zeros.data(), kEpsilon, y.data(),
                     x.size(), nullptr, nullptr);
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(static_cast<double>(y[i]), static_cast<double>((x[i] - s.mean) * s.rstd), 1e-6);
  });
}

TEST(LayerNorm, ARowsBytesDependOnItsValuesAlone) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : small_sizes(table.lanes)) {
      constexpr std::size_t kRows = 3;
      const std::vector<float> x = random_floats(kRows * n, 11, -5.0f, 5.0f);
      const std::vector<float> gamma_values = random_floats(n, 12);
      const std::vector<float> beta_values = random_floats(n, 13);
      std::vector<float> alone(kRows * n);
      std::vector<float> alone_mean(kRows, 0.0f);
      std::vector<float> alone_rstd(kRows, 0.0f);
      for (std::size_t r = 0; r < kRows; ++r)
        table.layer_norm(1, n, x.data() + r * n, n, gamma_values.data(), beta_values.data(),
                         kEpsilon, alone.data() + r * n, n, &alone_mean[r], &alone_rstd[r]);
      for (std::size_t offset : {0, 1, 5}) {
        GuardedBuffer<> in(kRows, n, n + 3, offset);
        GuardedBuffer<> out(kRows, n, n + 7, offset + 1);
        GuardedBuffer<> gamma(n, offset + 2, gamma_values);
        GuardedBuffer<> beta(n, offset + 3, beta_values);
        GuardedBuffer<> mean(kRows, offset);
        GuardedBuffer<> rstd(kRows, offset);
        in.assign(x);
        table.layer_norm(kRows, n, in.data(), in.stride(), gamma.data(), beta.data(), kEpsilon,
                         out.data(), out.stride(), mean.data(), rstd.data());
        ASSERT_TRUE(same_bytes(out.values(), alone)) << n;
        if (n > 0) {
          ASSERT_TRUE(same_bytes(mean.values(), alone_mean));
          ASSERT_TRUE(same_bytes(rstd.values(), alone_rstd));
        }
        table.layer_norm(kRows, n, in.data(), in.stride(), gamma.data(), beta.data(), kEpsilon,
                         in.data(), in.stride(), nullptr, nullptr);
        ASSERT_TRUE(same_bytes(in.values(), alone)) << n;
        ASSERT_TRUE(in.intact() && out.intact() && gamma.intact() && beta.intact());
        ASSERT_TRUE(mean.intact() && rstd.intact());
      }
    }
  });
}

TEST(LayerNorm, GivesBetaForConstantRowsAndNanForNanAndInfinity) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : {std::size_t{1}, table.lanes + 1, 9 * table.lanes}) {
      const std::vector<float> gamma(n, 2.0f);
      const std::vector<float> beta(n, 0.25f);
      std::vector<float> x(n, 3.5f);
      std::vector<float> y(n);
      table.layer_norm(1, n, x.data(), n, gamma.data(), beta.data(), kEpsilon, y.data(), n, nullptr,
                       nullptr);
      for (float v : y) ASSERT_EQ(v, 0.25f);
      for (float odd : {kNan, kInfinity, -kInfinity}) {
        for (std::size_t at : {std::size_t{0}, n - 1}) {
          x.assign(n, 1.0f);
          x[at] = odd;
          table.layer_norm(1, n, x.data(), n, gamma.data(), beta.data(), kEpsilon, y.data(), n,
                           nullptr, nullptr);
          for (float v : y) ASSERT_TRUE(std::isnan(v));
        }
      }
    }
  });
}

struct BackwardCase {
  std::size_t rows, n;
  std::vector<float> x, gamma, d_y, mean, rstd;
  BackwardCase(std::size_t row_count, std::size_t cols)
      : rows(row_count),
        n(cols),
        x(random_floats(rows * n, 41, -2.0f, 3.0f)),
        gamma(random_floats(n, 42, 0.5f, 1.5f)),
        d_y(random_floats(rows * n, 43)) {
    for (std::size_t r = 0; r < rows; ++r) {
      const Statistics s = statistics(x.data() + r * n, n);
      mean.push_back(static_cast<float>(s.mean));
      rstd.push_back(static_cast<float>(s.rstd));
    }
  }
};

TEST(LayerNormBackward, MatchesFiniteDifferences) {
  constexpr std::size_t kN = 37;
  const BackwardCase c(1, kN);
  const auto loss = [&](std::size_t at, long double step) {
    std::vector<long double> v(c.x.begin(), c.x.end());
    v[at] += step;
    const Statistics s = statistics(v.data(), kN);
    long double sum = 0;
    for (std::size_t i = 0; i < kN; ++i) sum += c.d_y[i] * c.gamma[i] * (v[i] - s.mean) * s.rstd;
    return sum;
  };
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> d_x(kN, 0.5f);  // the gradient is added
    table.layer_norm_backward(1, kN, c.d_y.data(), kN, c.x.data(), kN, c.gamma.data(),
                              c.mean.data(), c.rstd.data(), d_x.data(), kN);
    for (std::size_t i = 0; i < kN; ++i) {
      const long double expected = 0.5L + (loss(i, 1e-5L) - loss(i, -1e-5L)) / 2e-5L;
      ASSERT_NEAR(static_cast<double>(d_x[i]), static_cast<double>(expected), 4e-7);
    }
  });
}

TEST(LayerNormBackward, MatchesDoubleOnEveryIsaAndSizeAndLayout) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      if (n == 0) continue;
      const BackwardCase c(n > 10000 ? 1 : 2, n);
      GuardedBuffer<> x(c.rows, n, n + 3, 1);
      GuardedBuffer<> d_y(c.rows, n, n + 1, 2);
      GuardedBuffer<> d_x(c.rows, n, n + 2, 3);
      x.assign(c.x);
      d_y.assign(c.d_y);
      d_x.fill(0.25f);
      table.layer_norm_backward(c.rows, n, d_y.data(), d_y.stride(), x.data(), x.stride(),
                                c.gamma.data(), c.mean.data(), c.rstd.data(), d_x.data(),
                                d_x.stride());
      ASSERT_TRUE(x.intact() && d_y.intact() && d_x.intact());
      for (std::size_t r = 0; r < c.rows; ++r) {
        long double g_sum = 0;
        long double gx_sum = 0;
        long double magnitude = 0;
        const auto g = [&](std::size_t i) {
          return static_cast<long double>(c.d_y[r * n + i]) * c.gamma[i];
        };
        const auto x_hat = [&](std::size_t i) {
          return (static_cast<long double>(c.x[r * n + i]) - c.mean[r]) * c.rstd[r];
        };
        for (std::size_t i = 0; i < n; ++i) {
          g_sum += g(i);
          gx_sum += g(i) * x_hat(i);
          magnitude += std::fabs(g(i)) + 3.0L * std::fabs(g(i) * x_hat(i));
        }
        const auto count = static_cast<long double>(n);
        for (std::size_t i = 0; i < n; ++i) {
          const auto expected = static_cast<double>(
              0.25L + c.rstd[r] * (g(i) - g_sum / count - x_hat(i) * gx_sum / count));
          const double bound =
              kUnitRoundoff *
              static_cast<double>(
                  c.rstd[r] * (5.0L * std::fabs(g(i)) + chain(n, table.lanes) * magnitude / count *
                                                            (1.0L + std::fabs(x_hat(i)))) +
                  0.5L + std::fabs(expected));
          ASSERT_NEAR(static_cast<double>(d_x.row(r)[i]), expected, bound) << "n = " << n;
        }
      }
    }
  });
}

TEST(LayerNormBackwardParameters, MatchesDoubleAndDoesNotDependOnHowColumnsAreSplit) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t rows : {1, 3, 31, 32, 33, 130}) {
      const std::size_t n = rows == 33 ? 1027 : 5 * table.lanes + 3;
      const BackwardCase c(rows, n);
      std::vector<double> d_gamma(n, 1.0);
      std::vector<double> d_beta(n, -1.0);
      std::vector<double> gamma_magnitude(n, 1.0);
      std::vector<double> beta_magnitude(n, 1.0);
      for (std::size_t i = 0; i < rows * n; ++i) {
        const auto d = static_cast<double>(c.d_y[i]);
        const double x_hat = (static_cast<double>(c.x[i]) - static_cast<double>(c.mean[i / n])) *
                             static_cast<double>(c.rstd[i / n]);
        d_gamma[i % n] += d * x_hat;
        gamma_magnitude[i % n] += std::fabs(d * x_hat);
        d_beta[i % n] += d;
        beta_magnitude[i % n] += std::fabs(d);
      }
      GuardedBuffer<> gamma_out(n, 1);
      GuardedBuffer<> beta_out(n, 2);
      const auto run = [&](std::size_t step) {
        gamma_out.fill(1.0f);
        beta_out.fill(-1.0f);
        for (std::size_t begin = 0; begin < n; begin += step)
          table.layer_norm_backward_parameters(
              rows, std::min(step, n - begin), c.d_y.data() + begin, n, c.x.data() + begin, n,
              c.mean.data(), c.rstd.data(), gamma_out.data() + begin, beta_out.data() + begin);
      };
      run(n);
      const std::vector<float> whole_gamma = gamma_out.values();
      const std::vector<float> whole_beta = beta_out.values();
      // Two roundings in x_hat, one per product, 32 rows in a block, one addition per block.
      const std::size_t terms = 36 + rows / 32;
      expect_reduction(gamma_out.data(), d_gamma.data(), gamma_magnitude.data(), terms, n, 1.0);
      expect_reduction(beta_out.data(), d_beta.data(), beta_magnitude.data(), terms, n, 1.0);
      run(7);
      ASSERT_TRUE(same_bytes(gamma_out.values(), whole_gamma));
      ASSERT_TRUE(same_bytes(beta_out.values(), whole_beta));
      ASSERT_TRUE(gamma_out.intact() && beta_out.intact());
    }
  });
}

}  // namespace
}  // namespace glassgpt::test
