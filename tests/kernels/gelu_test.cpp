#include <cmath>
#include <numbers>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::GeluBackwardFn;
using kernels::GeluFn;
using kernels::KernelTable;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kCubic = 0.044715;

double twice_u(double x) {
  return 2.0 * std::sqrt(2.0 / std::numbers::pi) * (x + kCubic * x * x * x);
}
// In the forms that do not cancel; at -inf the limit.
double gelu_tanh_oracle(double x) {
  const double gate = 1.0 / (1.0 + std::exp(-twice_u(x)));
  return gate == 0.0 ? 0.0 : x * gate;
}
double gelu_erf_oracle(double x) {
  const double gate = 0.5 * std::erfc(-x / std::numbers::sqrt2);
  return gate == 0.0 ? 0.0 : x * gate;
}

// The bounds of gelu.h. |2u| scales the tanh form's because rounding an exponent by a part in 2^24
// moves its exponential by |exponent| parts in 2^24.
double gelu_tanh_ulp(double x) { return x >= 0.0 ? 3.0 : 4.0 + 3.0 * std::min(-twice_u(x), 110.0); }
double gelu_erf_ulp(double x) { return x >= -1.0 ? 6.0 : 10.0; }
constexpr double kNegativeAbsolute = 7e-8;  // for all x < 0, both forms

void expect_budget_over_all_floats(GeluFn* KernelTable::*function, double (*oracle)(double),
                                   double (*max_ulp)(double), std::uint64_t step) {
  constexpr std::size_t kBlock = 1 << 14;
  std::vector<float> x;
  std::vector<float> y(kBlock);
  std::vector<double> expected(kBlock);
  const std::vector<const KernelTable*> tables = step == 1 ? long_test_tables() : all_tables();
  const auto check = [&] {
    for (std::size_t i = 0; i < x.size(); ++i) expected[i] = oracle(static_cast<double>(x[i]));
    for (const KernelTable* table : tables) {
      SCOPED_TRACE(std::string("ISA ") + table->isa);
      (table->*function)(x.size(), x.data(), y.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const auto at = static_cast<double>(x[i]);
        // Below 2^-126 e^(-x^2 / 2) itself has lost its last bits: 16 of the smallest subnormals
        // are allowed.
        const double error = ulp_error(y[i], expected[i]);
        const double absolute = std::fabs(static_cast<double>(y[i]) - expected[i]);
        const bool good = std::isnan(expected[i])
                              ? std::isnan(y[i])
                              : (error <= max_ulp(at) || absolute <= 16 * 0x1p-149) &&
                                    (!(at < 0.0) || absolute <= kNegativeAbsolute);
        if (!good)
          FAIL() << "at " << x[i] << ": got " << y[i] << ", expected " << expected[i] << ", error "
                 << error << " ULP, " << absolute;
      }
    }
    x.clear();
  };
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += step) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    if (x.size() < kBlock) continue;
    check();
    if (testing::Test::HasFailure()) return;
  }
  check();
}

constexpr std::uint64_t kSampled = 4099;

TEST(GeluTanh, KeepsItsErrorBudgetOnEveryIsa) {
  expect_budget_over_all_floats(&KernelTable::gelu_tanh, gelu_tanh_oracle, gelu_tanh_ulp, kSampled);
}
TEST(GeluErf, KeepsItsErrorBudgetOnEveryIsa) {
  expect_budget_over_all_floats(&KernelTable::gelu_erf, gelu_erf_oracle, gelu_erf_ulp, kSampled);
}
TEST(GeluTanhLong, KeepsItsErrorBudgetForEveryFloat) {
  if (!long_tests()) GTEST_SKIP() << "takes minutes; set GLASSGPT_LONG_TESTS=1 to run it";
  expect_budget_over_all_floats(&KernelTable::gelu_tanh, gelu_tanh_oracle, gelu_tanh_ulp, 1);
}
TEST(GeluErfLong, KeepsItsErrorBudgetForEveryFloat) {
  if (!long_tests()) GTEST_SKIP() << "takes minutes; set GLASSGPT_LONG_TESTS=1 to run it";
  expect_budget_over_all_floats(&KernelTable::gelu_erf, gelu_erf_oracle, gelu_erf_ulp, 1);
}

TEST(Gelu, MatchesPublishedValues) {
  // The erf form by PyTorch 1.13 in float64, the tanh form by its formula in Python.
  const std::vector<float> x = {-2.0f, -1.0f, 0.5f, 1.0f, 3.0f};
  const std::vector<double> erf_form = {-0.0455002638963584, -0.158655253931457, 0.345731230637007,
                                        0.841344746068543, 2.99595030590511};
  const std::vector<double> tanh_form = {-0.0454023059122249, -0.158808009391723, 0.345714009825144,
                                         0.841191990608277, 2.99636260791823};
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> y(x.size());
    table.gelu_erf(x.size(), x.data(), y.data());
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(static_cast<double>(y[i]), erf_form[i], 3e-7);
    table.gelu_tanh(x.size(), x.data(), y.data());
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(static_cast<double>(y[i]), tanh_form[i], 3e-7);
  });
}

TEST(Gelu, HasTheLimitsOfItsEnds) {
  const std::vector<float> x = {kInfinity, 3e38f, 100.0f, -100.0f, -3e38f, -kInfinity, 0.0f};
  const std::vector<float> y = {kInfinity, 3e38f, 100.0f, 0.0f, 0.0f, 0.0f, 0.0f};
  const std::vector<float> slope = {1.0f, 1.0f, 1.0f, 0.0f, 0.0f, 0.0f, 0.5f};
  const std::vector<float> ones(x.size(), 1.0f);
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> got(x.size());
    for (GeluFn* f : {table.gelu_tanh, table.gelu_erf}) {
      f(x.size(), x.data(), got.data());
      for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(got[i], y[i]) << "at " << x[i];
    }
    for (GeluBackwardFn* f : {table.gelu_tanh_backward, table.gelu_erf_backward}) {
      f(x.size(), x.data(), ones.data(), got.data());
      for (std::size_t i = 0; i < x.size(); ++i)
        EXPECT_NEAR(got[i], slope[i], 1e-7f) << "at " << x[i];
      f(1, &kNan, ones.data(), got.data());
      EXPECT_TRUE(std::isnan(got[0]));
    }
  });
}

long double difference_quotient(double (*f)(double), double x) {
  // Sixth order in double: the quotient is good to 1e-12 or so.
  constexpr double h = 0x1p-7;
  const auto d = [&](double k) { return static_cast<long double>(f(x + k * h)) - f(x - k * h); };
  return (45.0L * d(1) - 9.0L * d(2) + d(3)) / (60.0L * h);
}

void expect_finite_differences(GeluBackwardFn* KernelTable::*function, double (*forward)(double)) {
  constexpr double kAbsolute = 2.5e-7;  // of a slope between -0.13 and 1.13
  std::vector<float> x;
  for (int i = -12 * 512; i <= 12 * 512; ++i) x.push_back(static_cast<float>(i) / 512.0f);
  const std::vector<float> d_y = random_floats(x.size(), 5, 0.5f, 1.0f);
  std::vector<float> d_x(x.size());
  for_each_isa([&](const KernelTable& table) {
    (table.*function)(x.size(), x.data(), d_y.data(), d_x.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto expected =
          static_cast<double>(d_y[i] * difference_quotient(forward, static_cast<double>(x[i])));
      ASSERT_NEAR(static_cast<double>(d_x[i]), expected, kAbsolute) << "at " << x[i];
    }
  });
}

TEST(GeluTanhBackward, MatchesFiniteDifferences) {
  expect_finite_differences(&KernelTable::gelu_tanh_backward, gelu_tanh_oracle);
}
TEST(GeluErfBackward, MatchesFiniteDifferences) {
  expect_finite_differences(&KernelTable::gelu_erf_backward, gelu_erf_oracle);
}

TEST(Gelu, TreatsEveryElementAlike) {
  for_each_isa([](const KernelTable& t) {
    expect_elementwise(t.gelu_tanh, t.lanes, -6.0f, 6.0f);
    expect_elementwise(t.gelu_erf, t.lanes, -6.0f, 6.0f);
  });
}
TEST(GeluBackward, TreatsEveryElementAlike) {
  for_each_isa([](const KernelTable& t) {
    expect_elementwise(BinaryFn(t.gelu_tanh_backward), t.lanes);
    expect_elementwise(BinaryFn(t.gelu_erf_backward), t.lanes);
  });
}

}  // namespace
}  // namespace glassgpt::test
