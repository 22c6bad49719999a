#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;
using kernels::UnaryFn;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Oracle = double(double);

// Every step-th of all 2^32 floats (subnormals, infinities and NaN among them) on every ISA,
// against double.
void expect_ulp_over_all_floats(UnaryFn* KernelTable::*function, Oracle* oracle, double max_ulp,
                                std::uint64_t step) {
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
        if (std::isnan(expected[i]) ? std::isnan(y[i]) : ulp_error(y[i], expected[i]) <= max_ulp)
          continue;
        FAIL() << "at " << x[i] << ": got " << y[i] << ", expected " << expected[i] << ", error "
               << ulp_error(y[i], expected[i]) << " ULP";
      }
    }
    x.clear();
  };
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += step) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    if (x.size() < kBlock) continue;
    check();
    if (testing::Test::HasFatalFailure() || testing::Test::HasFailure()) return;
  }
  check();
}

constexpr std::uint64_t kSampled = 4099;
constexpr double kExpUlp = 1.02;
constexpr double kTanhUlp = 1.5;
constexpr double kErfUlp = 1.5;

double exp_oracle(double x) { return std::exp(x); }
double tanh_oracle(double x) { return std::tanh(x); }
double erf_oracle(double x) { return std::erf(x); }

TEST(Exp, KeepsItsErrorBudgetOnEveryIsa) {
  expect_ulp_over_all_floats(&KernelTable::exp, exp_oracle, kExpUlp, kSampled);
}
TEST(Tanh, IsWithinOneAndAHalfUlpOfDoubleOnEveryIsa) {
  expect_ulp_over_all_floats(&KernelTable::tanh, tanh_oracle, kTanhUlp, kSampled);
}
TEST(Erf, IsWithinOneAndAHalfUlpOfDoubleOnEveryIsa) {
  expect_ulp_over_all_floats(&KernelTable::erf, erf_oracle, kErfUlp, kSampled);
}

TEST(ExpLong, KeepsItsErrorBudgetForEveryFloat) {
  if (!long_tests()) GTEST_SKIP() << "takes minutes; set GLASSGPT_LONG_TESTS=1 to run it";
  expect_ulp_over_all_floats(&KernelTable::exp, exp_oracle, kExpUlp, 1);
}
TEST(TanhLong, IsWithinOneAndAHalfUlpForEveryFloat) {
  if (!long_tests()) GTEST_SKIP() << "takes minutes; set GLASSGPT_LONG_TESTS=1 to run it";
  expect_ulp_over_all_floats(&KernelTable::tanh, tanh_oracle, kTanhUlp, 1);
}
TEST(ErfLong, IsWithinOneAndAHalfUlpForEveryFloat) {
  if (!long_tests()) GTEST_SKIP() << "takes minutes; set GLASSGPT_LONG_TESTS=1 to run it";
  expect_ulp_over_all_floats(&KernelTable::erf, erf_oracle, kErfUlp, 1);
}

struct Special {
  float x, y;
};

void expect_specials(UnaryFn* KernelTable::*function, const std::vector<Special>& specials) {
  for_each_isa([&](const KernelTable& table) {
    for (const Special& special : specials) {
      float y = 7.0f;
      (table.*function)(1, &special.x, &y);
      EXPECT_EQ(y, special.y) << "at " << special.x;
    }
    float y = 7.0f;
    (table.*function)(1, &kNan, &y);
    EXPECT_TRUE(std::isnan(y));
  });
}

TEST(Exp, OverflowsUnderflowsAndPassesNan) {
  expect_specials(&KernelTable::exp, {{0.0f, 1.0f},
                                      {-0.0f, 1.0f},
                                      {kInfinity, kInfinity},
                                      {-kInfinity, 0.0f},
                                      {88.7228f, std::exp(88.7228f)},
                                      {88.7229f, kInfinity},
                                      {3e38f, kInfinity},
                                      {-3e38f, 0.0f},
                                      {-103.98f, 0.0f},
                                      {-103.9f, 0x1p-149f}});
}
TEST(Tanh, SaturatesAndPassesNan) {
  expect_specials(&KernelTable::tanh, {{0.0f, 0.0f},
                                       {kInfinity, 1.0f},
                                       {-kInfinity, -1.0f},
                                       {20.0f, 1.0f},
                                       {-20.0f, -1.0f},
                                       {0x1p-149f, 0x1p-149f}});
}
TEST(Erf, SaturatesAndPassesNan) {
  expect_specials(
      &KernelTable::erf,
      {{0.0f, 0.0f}, {kInfinity, 1.0f}, {-kInfinity, -1.0f}, {20.0f, 1.0f}, {-20.0f, -1.0f}});
}

TEST(Exp, TreatsEveryElementAlike) {
  for_each_isa([](const KernelTable& t) { expect_elementwise(t.exp, t.lanes, -100.0f, 88.0f); });
}
TEST(Tanh, TreatsEveryElementAlike) {
  for_each_isa([](const KernelTable& t) { expect_elementwise(t.tanh, t.lanes, -3.0f, 3.0f); });
}
TEST(Erf, TreatsEveryElementAlike) {
  for_each_isa([](const KernelTable& t) { expect_elementwise(t.erf, t.lanes, -3.0f, 3.0f); });
}

}  // namespace
}  // namespace glassgpt::test
