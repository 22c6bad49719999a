// The shim's operations on every ISA, against the C++ of one float.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/built_isas.h"
#include "kernels/dispatch.h"
#include "tests/kernels/compare.h"
#include "tests/kernels/simd_probe.h"

namespace glassgpt::test {

#define GLASSGPT_DECLARE_PROBE(name) extern const SimdProbe simd_probe_##name;
GLASSGPT_FOR_EACH_ISA(GLASSGPT_DECLARE_PROBE)
#undef GLASSGPT_DECLARE_PROBE

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<const SimdProbe*> supported_probes() {
#define GLASSGPT_PROBE_ADDRESS(name) &simd_probe_##name,
  const SimdProbe* const built[] = {GLASSGPT_FOR_EACH_ISA(GLASSGPT_PROBE_ADDRESS)};
#undef GLASSGPT_PROBE_ADDRESS
  std::vector<const SimdProbe*> probes;
  for (const kernels::KernelTable* table : kernels::supported_kernels())
    for (const SimdProbe* probe : built)
      if (std::string(probe->isa) == table->isa) probes.push_back(probe);
  return probes;
}

class SimdOnIsa : public testing::TestWithParam<const SimdProbe*> {
 protected:
  const SimdProbe& probe() const { return *GetParam(); }
  std::size_t lanes() const { return GetParam()->lanes; }

  // The values, one vector at a time, through f(x, y).
  template <class F>
  std::vector<float> map(std::vector<float> x, F&& f) const {
    const std::size_t n = x.size();
    x.resize((n + lanes() - 1) / lanes() * lanes());
    std::vector<float> y(x.size());
    for (std::size_t i = 0; i < x.size(); i += lanes()) f(x.data() + i, y.data() + i);
    y.resize(n);
    return y;
  }
};

const std::vector<float> kValues = {0.0f,       -0.0f,    1.0f,   -1.0f,  0.5f,   1.5f,
                                    2.5f,       -2.5f,    -0.5f,  0.49f,  1e-40f, -1e-40f,
                                    0x1p-126f,  3.3e38f,  kInf,   -kInf,  100.3f, -77.7f,
                                    4194303.5f, 12345.5f, 1e-10f, -3.25f, 7.0f,   0.1f};

TEST_P(SimdOnIsa, LoadsAndStoresWhatIsThereAndNoMore) {
  for (std::size_t offset = 0; offset < 4; ++offset) {
    const std::vector<float> x = random_floats(lanes(), 1);
    GuardedBuffer<> from(lanes(), offset, x), to(lanes(), offset);
    probe().copy(from.data(), to.data());
    EXPECT_TRUE(compare_exact(to.data(), x.data(), lanes()));
    EXPECT_TRUE(to.intact());
  }
}

TEST_P(SimdOnIsa, StreamsAWholeVector) {
  const std::vector<float> x = random_floats(lanes(), 9);
  GuardedBuffer<> to(lanes());  // ends at a page, so it begins at a vector's boundary
  probe().stream(x.data(), to.data());
  EXPECT_TRUE(compare_exact(to.data(), x.data(), lanes()));
  EXPECT_TRUE(to.intact());
}

TEST_P(SimdOnIsa, PartialLoadsAndStoresTouchNothingBehindThem) {
  for (std::size_t n = 0; n < lanes(); ++n)
    for (std::size_t offset = 0; offset < 2; ++offset) {
      const std::vector<float> x = random_floats(n, 2);
      GuardedBuffer<> from(n, offset, x), to(n, offset);
      std::vector<float> loaded(lanes()), expected(lanes(), 9.0f);
      std::copy(x.begin(), x.end(), expected.begin());
      probe().copy_partial(from.data(), to.data(), n, 9.0f, loaded.data());
      EXPECT_TRUE(compare_exact(to.data(), x.data(), n)) << n;
      EXPECT_TRUE(compare_exact(loaded.data(), expected.data(), lanes())) << n;
      EXPECT_TRUE(to.intact()) << n;
    }
}

TEST_P(SimdOnIsa, FmaRoundsOnceWhereTheInstructionExists) {
  // (1 + e)(1 - e) - 1 = -e^2, which two roundings lose.
  const std::vector<float> a(lanes(), 1.0f + 0x1p-13f), b(lanes(), 1.0f - 0x1p-13f);
  const std::vector<float> c(lanes(), -1.0f);
  std::vector<float> y(lanes());
  probe().fma(a.data(), b.data(), c.data(), y.data());
  for (const float value : y) EXPECT_EQ(value, probe().fuses ? -0x1p-26f : 0.0f);
}

TEST_P(SimdOnIsa, FmaMultipliesAndAdds) {
  const std::vector<float> a = random_integers(lanes(), 3, 50), b = random_integers(lanes(), 4, 50);
  const std::vector<float> c = random_integers(lanes(), 5, 50);
  std::vector<float> y(lanes());
  probe().fma(a.data(), b.data(), c.data(), y.data());
  for (std::size_t i = 0; i < lanes(); ++i) EXPECT_EQ(y[i], a[i] * b[i] + c[i]);
}

TEST_P(SimdOnIsa, MaxAndMinKeepANaNOfTheSecond) {
  for (const float first : kValues)
    for (const float second : kValues) {
      const std::vector<float> a(lanes(), first), b(lanes(), second);
      std::vector<float> high(lanes()), low(lanes());
      probe().max(a.data(), b.data(), high.data());
      probe().min(a.data(), b.data(), low.data());
      EXPECT_EQ(high.back(), std::max(first, second));
      EXPECT_EQ(low.front(), std::min(first, second));
    }
  const std::vector<float> one(lanes(), 1.0f), nan(lanes(), kNaN);
  std::vector<float> y(lanes());
  probe().max(one.data(), nan.data(), y.data());
  EXPECT_TRUE(std::isnan(y.front()));
}

TEST_P(SimdOnIsa, AbsAndSqrtAreThoseOfTheStandardLibrary) {
  const auto absolute = map(kValues, [&](const float* x, float* y) { probe().abs(x, y); });
  const auto root = map(absolute, [&](const float* x, float* y) { probe().sqrt(x, y); });
  for (std::size_t i = 0; i < kValues.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(absolute[i]),
              std::bit_cast<std::uint32_t>(std::fabs(kValues[i])));
    EXPECT_EQ(root[i], std::sqrt(absolute[i]));
  }
}

TEST_P(SimdOnIsa, SelectTakesLaneByLane) {
  const std::vector<float> a = random_floats(lanes(), 6), b = random_floats(lanes(), 7);
  std::vector<float> y(lanes());
  probe().select_less(a.data(), b.data(), y.data());
  for (std::size_t i = 0; i < lanes(); ++i) EXPECT_EQ(y[i], std::min(a[i], b[i]));
}

TEST_P(SimdOnIsa, RoundsToTheNearestIntegerTiesToEven) {
  std::vector<float> values;
  for (const float value : kValues)
    if (std::fabs(value) < 4e6f) values.push_back(value);
  for (int i = -9; i <= 9; ++i) values.push_back(static_cast<float>(i) / 2);
  const auto y = map(values, [&](const float* a, float* b) { probe().round(a, b); });
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(y[i], std::nearbyint(values[i])) << values[i];
}

TEST_P(SimdOnIsa, BitsGoThereAndBack) {
  const std::vector<float> values = {1.0f, 0.1f, -3.0f, 0x1p-149f, 1e30f};
  const auto y = map(values, [&](const float* a, float* b) { probe().next_bits(a, b); });
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(std::bit_cast<std::uint32_t>(y[i]), std::bit_cast<std::uint32_t>(values[i]) + 1);
}

TEST_P(SimdOnIsa, ScalesByPowersOfTwoRoundedOnce) {
  for (int n = -252; n <= 254; ++n) {
    std::vector<float> a = random_floats(lanes(), static_cast<std::uint32_t>(n + 300), 0.5f, 2.0f);
    const std::vector<float> power(lanes(), static_cast<float>(n));
    std::vector<float> y(lanes());
    probe().scale(a.data(), power.data(), y.data());
    for (std::size_t i = 0; i < lanes(); ++i) EXPECT_EQ(y[i], std::ldexp(a[i], n)) << n;
  }
}

TEST_P(SimdOnIsa, ReducesAllLanes) {
  for (std::size_t position = 0; position < lanes(); ++position) {
    std::vector<float> x(lanes(), 0.0f);
    x[position] = 5.0f;
    EXPECT_EQ(probe().reduce_sum(x.data()), 5.0f);
    double wide = 0;
    probe().widen(x.data(), &wide);
    EXPECT_EQ(wide, 5.0);
    std::vector<float> low(lanes(), -kInf);
    low[position] = -2.0f;
    EXPECT_EQ(probe().reduce_max(low.data()), -2.0f);
  }
  const std::vector<float> x = random_integers(lanes(), 8, 99);
  float expected = 0;
  for (const float value : x) expected += value;
  EXPECT_EQ(probe().reduce_sum(x.data()), expected);
}

INSTANTIATE_TEST_SUITE_P(Every, SimdOnIsa, testing::ValuesIn(supported_probes()),
                         [](const auto& instance) { return std::string(instance.param->isa); });

}  // namespace
}  // namespace glassgpt::test
