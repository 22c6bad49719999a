#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;
using kernels::kIgnoreTarget;
using kernels::TokenId;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class T>
long double loss_oracle(const T* x, std::size_t n, std::size_t target) {
  long double max = x[0];
  for (std::size_t i = 0; i < n; ++i) max = std::max(max, static_cast<long double>(x[i]));
  long double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[i] - max);
  return max - x[target] + std::log(sum);
}

TEST(CrossEntropy, MatchesDoubleOnEveryIsaAndVocabulary) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      if (n == 0) continue;
      for (float scale : {0.5f, 8.0f, 40.0f}) {
        const std::vector<float> x =
            random_floats(n, static_cast<std::uint32_t>(n) + 1, -scale, scale);
        const auto target = static_cast<TokenId>(n / 3);
        const float d_loss = 0.125f;
        float loss = -1;
        std::vector<float> d_x(n);
        table.cross_entropy(1, n, x.data(), n, &target, d_loss, &loss, d_x.data(), n);
        const long double expected = loss_oracle(x.data(), n, target);
        // The sum of exponentials is good to a few parts in 2^24, its logarithm to that,
        // absolutely.
        EXPECT_NEAR(static_cast<double>(loss), static_cast<double>(expected),
                    1e-6 + 2e-7 * static_cast<double>(expected));
        const float max = *std::max_element(x.begin(), x.end());
        for (std::size_t i = 0; i < n; ++i) {
          const auto probability =
              static_cast<double>(std::exp(static_cast<long double>(x[i]) - x[target] - expected));
          const double d = static_cast<double>(d_loss) * (probability - (i == target ? 1.0 : 0.0));
          const double bound = static_cast<double>(d_loss) * kUnitRoundoff *
                                   (probability * (12.0 + 2.0 * static_cast<double>(max - x[i])) +
                                    (i == target ? 1.0 : 0.0)) +
                               0x1p-149;
          ASSERT_NEAR(static_cast<double>(d_x[i]), d, bound) << "n = " << n << ", element " << i;
        }
        float alone = -1;
        table.cross_entropy(1, n, x.data(), n, &target, d_loss, &alone, nullptr, 0);
        EXPECT_EQ(alone, loss);
      }
    }
  });
}

TEST(CrossEntropy, GradientMatchesFiniteDifferences) {
  constexpr std::size_t kN = 41;
  const std::vector<float> x = random_floats(kN, 8, -3.0f, 3.0f);
  const TokenId target = 17;
  const auto perturbed = [&](std::size_t at, long double step) {
    std::vector<long double> v(x.begin(), x.end());
    v[at] += step;
    return loss_oracle(v.data(), kN, target);
  };
  for_each_isa([&](const KernelTable& table) {
    float loss = 0;
    std::vector<float> d_x(kN);
    table.cross_entropy(1, kN, x.data(), kN, &target, 0.5f, &loss, d_x.data(), kN);
    for (std::size_t i = 0; i < kN; ++i) {
      const long double expected = 0.5L * (perturbed(i, 1e-5L) - perturbed(i, -1e-5L)) / 2e-5L;
      ASSERT_NEAR(static_cast<double>(d_x[i]), static_cast<double>(expected), 6e-8);
    }
  });
}

TEST(CrossEntropy, ARowsBytesDependOnItsValuesAloneAndInPlaceIsTheSame) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : small_sizes(table.lanes)) {
      if (n == 0) continue;
      const std::vector<TokenId> targets = {static_cast<TokenId>(n - 1), kIgnoreTarget, 0};
      const std::vector<float> x = random_floats(3 * n, 9, -4.0f, 4.0f);
      std::vector<float> alone(3 * n);
      std::vector<float> alone_loss(3);
      for (std::size_t r = 0; r < 3; ++r)
        table.cross_entropy(1, n, x.data() + r * n, n, &targets[r], 0.25f, &alone_loss[r],
                            alone.data() + r * n, n);
      GuardedBuffer<> in(3, n, n + 3, 1);
      GuardedBuffer<> out(3, n, n + 5, 2);
      GuardedBuffer<> loss(3, 1);
      in.assign(x);
      table.cross_entropy(3, n, in.data(), in.stride(), targets.data(), 0.25f, loss.data(),
                          out.data(), out.stride());
      ASSERT_TRUE(same_bytes(out.values(), alone) && same_bytes(loss.values(), alone_loss));
      table.cross_entropy(3, n, in.data(), in.stride(), targets.data(), 0.25f, loss.data(),
                          in.data(), in.stride());
      ASSERT_TRUE(same_bytes(in.values(), alone) && same_bytes(loss.values(), alone_loss));
      ASSERT_TRUE(in.intact() && out.intact() && loss.intact());
    }
  });
}

TEST(CrossEntropy, HandlesIgnoredImpossibleCertainAndNanRows) {
  for_each_isa([](const KernelTable& table) {
    const std::size_t n = 3 * table.lanes + 1;
    std::vector<float> x(n, kNan);
    std::vector<float> d_x(n, 7.0f);
    float loss = 7.0f;
    TokenId target = kIgnoreTarget;
    table.cross_entropy(1, n, x.data(), n, &target, 1.0f, &loss, d_x.data(), n);
    EXPECT_EQ(loss, 0.0f);
    for (float v : d_x) EXPECT_EQ(v, 0.0f);

    target = 1;
    table.cross_entropy(1, n, x.data(), n, &target, 1.0f, &loss, d_x.data(), n);
    EXPECT_TRUE(std::isnan(loss) && std::isnan(d_x[0]));

    x.assign(n, -kInfinity);  // only the target is possible
    x[1] = -5.0f;
    table.cross_entropy(1, n, x.data(), n, &target, 1.0f, &loss, d_x.data(), n);
    EXPECT_EQ(loss, 0.0f);
    for (float v : d_x) EXPECT_EQ(v, 0.0f);

    target = 0;  // the target is impossible
    table.cross_entropy(1, n, x.data(), n, &target, 1.0f, &loss, d_x.data(), n);
    EXPECT_EQ(loss, kInfinity);
    EXPECT_EQ(d_x[0], -1.0f);
    EXPECT_EQ(d_x[1], 1.0f);

    x.assign(n, 3e38f);  // no overflow
    table.cross_entropy(1, n, x.data(), n, &target, 1.0f, &loss, d_x.data(), n);
    EXPECT_FLOAT_EQ(loss, std::log(static_cast<float>(n)));
    table.cross_entropy(0, n, nullptr, n, nullptr, 1.0f, nullptr, nullptr, n);
  });
}

}  // namespace
}  // namespace glassgpt::test
