// The comparators must be able to fail: each is shown what it has to reject.
#include "tests/kernels/compare.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace glassgpt::test {
namespace {

constexpr std::size_t kCount = 37;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

using Comparison =
    std::function<testing::AssertionResult(const std::vector<float>&, const std::vector<float>&)>;

testing::AssertionResult exact(const std::vector<float>& a, const std::vector<float>& e) {
  return compare_exact(a.data(), e.data(), a.size());
}
testing::AssertionResult ulp(const std::vector<float>& a, const std::vector<float>& e) {
  return compare_ulp(a.data(), e.data(), a.size(), 2.0);
}
testing::AssertionResult reduction(const std::vector<float>& a, const std::vector<float>& e) {
  const std::vector<double> expected(e.begin(), e.end());
  std::vector<double> magnitude;
  for (const float value : e) magnitude.push_back(std::fabs(value));
  return compare_reduction(a.data(), expected.data(), magnitude.data(), 16, a.size(), 1.0);
}

class Comparator : public testing::TestWithParam<std::pair<const char*, Comparison>> {
 protected:
  testing::AssertionResult compare(const std::vector<float>& a, const std::vector<float>& e) const {
    return GetParam().second(a, e);
  }
  const std::vector<float> expected_ = random_floats(kCount, 1, 0.5f, 3.0f);
};

TEST_P(Comparator, AcceptsTheExpectation) {
  EXPECT_TRUE(compare(std::vector<float>(expected_), expected_));
}

TEST_P(Comparator, RejectsNaNInTheOutput) {
  std::vector<float> actual = expected_;
  actual.back() = kNaN;
  EXPECT_FALSE(compare(actual, expected_));
}

TEST_P(Comparator, RejectsNaNInTheExpectationAndInBoth) {
  std::vector<float> expected = expected_;
  expected.front() = kNaN;
  EXPECT_FALSE(compare(expected_, expected));
  EXPECT_FALSE(compare(std::vector<float>(expected), expected));
}

TEST_P(Comparator, RejectsZeros) {
  EXPECT_FALSE(compare(std::vector<float>(kCount, 0.0f), expected_));
}

TEST_P(Comparator, RejectsAFlippedSign) {
  std::vector<float> actual = expected_;
  actual[kCount / 2] = -actual[kCount / 2];
  EXPECT_FALSE(compare(actual, expected_));
}

TEST_P(Comparator, RejectsOneBadElementAnywhere) {
  for (std::size_t i = 0; i < kCount; ++i) {
    std::vector<float> actual = expected_;
    actual[i] *= 1.0f + 0x1p-18f;
    EXPECT_FALSE(compare(actual, expected_)) << i;
  }
}

TEST_P(Comparator, RejectsAnInfinity) {
  std::vector<float> actual = expected_;
  actual[3] = kInf;
  EXPECT_FALSE(compare(actual, expected_));
}

INSTANTIATE_TEST_SUITE_P(All, Comparator,
                         testing::Values(std::pair{"Exact", Comparison(exact)},
                                         std::pair{"Ulp", Comparison(ulp)},
                                         std::pair{"Reduction", Comparison(reduction)}),
                         [](const auto& instance) { return std::string(instance.param.first); });

TEST(Compare, RejectsAnOutputThatAliasesTheExpectation) {
  const std::vector<float> values = random_floats(kCount, 2);
  EXPECT_FALSE(compare_exact(values.data(), values.data(), kCount));
  EXPECT_FALSE(compare_exact(values.data(), values.data() + 1, kCount - 1));
  EXPECT_FALSE(compare_ulp(values.data(), values.data(), kCount, 1.0));
  std::vector<double> storage(2 * kCount, 1.0);
  const auto* actual = reinterpret_cast<const float*>(storage.data() + 4);
  EXPECT_FALSE(compare_reduction(actual, storage.data(), storage.data() + kCount, 1, kCount, 1.0));
}

TEST(Compare, ExactTellsZerosApartAndUlpDoesNot) {
  const float positive = 0.0f, negative = -0.0f;
  EXPECT_FALSE(compare_exact(&negative, &positive, 1));
  EXPECT_TRUE(compare_ulp(&negative, &positive, 1, 0.0));
}

TEST(Compare, UlpErrorCountsUnitsInTheLastPlace) {
  EXPECT_EQ(ulp_error(1.0f + 0x1p-23f, 1.0), 1.0);
  EXPECT_EQ(ulp_error(1.0f, 1.0 + 0x1p-24), 0.5);
  EXPECT_EQ(ulp_error(0x1p-149f, 0.0), 1.0);
  EXPECT_EQ(ulp_error(kInf, std::numeric_limits<double>::infinity()), 0.0);
  EXPECT_GT(ulp_error(kInf, -std::numeric_limits<double>::infinity()), 1e300);
  EXPECT_GT(ulp_error(kNaN, 0.0), 1e300);
}

TEST(Compare, ReductionOfNoMagnitudeMustBeExact) {
  const double expected = 0.0, magnitude = 0.0;
  const float zero = 0.0f, tiny = 0x1p-149f;
  EXPECT_TRUE(compare_reduction(&zero, &expected, &magnitude, 8, 1, 4.0));
  EXPECT_FALSE(compare_reduction(&tiny, &expected, &magnitude, 8, 1, 4.0));
}

TEST(GuardedBufferTest, NoticesWritesBeforeBetweenAndBehind) {
  for (const std::ptrdiff_t beside : {-1, 5, 6, 12, 19}) {
    GuardedBuffer<> buffer(3, 5, 7, 2);
    buffer.fill(1.0f);
    EXPECT_TRUE(buffer.intact());
    buffer.data()[beside] = 0.0f;
    EXPECT_FALSE(buffer.intact()) << beside;
  }
}

TEST(GuardedBufferTest, StartsAsNaNAndHoldsWhatItIsGiven) {
  GuardedBuffer<> buffer(2, 3, 4, 0);
  for (const float value : buffer.values()) EXPECT_TRUE(std::isnan(value));
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  buffer.assign(values);
  EXPECT_EQ(buffer.values(), values);
  EXPECT_EQ(buffer.row(1)[0], 4.0f);
  EXPECT_TRUE(buffer.intact());
}

TEST(GuardedBufferDeathTest, CrashesBehindItsEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  GuardedBuffer<> buffer(5, 0);
  volatile const float* behind = buffer.data() + 5;
  EXPECT_DEATH({ [[maybe_unused]] const float value = *behind; }, "");
}

}  // namespace
}  // namespace glassgpt::test
