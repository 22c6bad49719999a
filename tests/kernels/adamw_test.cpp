#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::AdamWStep;
using kernels::KernelTable;

AdamWStep make_step(int number) {
  AdamWStep step{};
  step.learning_rate = 3e-3f;
  step.beta1 = 0.9f;
  step.beta2 = 0.95f;
  step.epsilon = 1e-8f;
  step.weight_decay = 0.1f;
  step.bias_correction1 = static_cast<float>(1.0 - std::pow(0.9, number));
  step.bias_correction2 = static_cast<float>(1.0 - std::pow(0.95, number));
  step.gradient_scale = 0.25f;
  return step;
}

struct State {
  std::vector<float> p, g, m, v;
  State(std::size_t n, std::uint32_t seed)
      : p(random_floats(n, seed)),
        g(random_floats(n, seed + 1, -2.0f, 2.0f)),
        m(random_floats(n, seed + 2)),
        v(random_floats(n, seed + 3, 0.0f, 1.0f)) {}
};

TEST(AdamW, MatchesDoubleOnEveryIsaAndSize) {
  const AdamWStep step = make_step(7);
  const auto wide = [](float value) { return static_cast<double>(value); };
  for_each_isa([&](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      const State start(n, static_cast<std::uint32_t>(n));
      State s = start;
      table.adamw(n, s.p.data(), s.g.data(), s.m.data(), s.v.data(), step);
      EXPECT_TRUE(same_bytes(s.g, start.g));
      for (std::size_t i = 0; i < n; ++i) {
        const double g = wide(step.gradient_scale) * wide(start.g[i]);
        const double m = wide(step.beta1) * wide(start.m[i]) + (1.0 - wide(step.beta1)) * g;
        const double v = wide(step.beta2) * wide(start.v[i]) + (1.0 - wide(step.beta2)) * g * g;
        const double update =
            wide(step.learning_rate) *
            (m / wide(step.bias_correction1) /
                 (std::sqrt(v / wide(step.bias_correction2)) + wide(step.epsilon)) +
             wide(step.weight_decay) * wide(start.p[i]));
        // m and g may cancel: the bound is relative to their magnitudes.
        const double m_magnitude = std::fabs(wide(start.m[i])) + std::fabs(g);
        ASSERT_NEAR(wide(s.m[i]), m, 2.0 * kUnitRoundoff * m_magnitude);
        ASSERT_LE(ulp_error(s.v[i], v), 2.0);
        const double m_error = m_magnitude / (std::sqrt(v) + 1e-8);
        ASSERT_NEAR(wide(s.p[i]), wide(start.p[i]) - update,
                    kUnitRoundoff * (std::fabs(wide(start.p[i])) +
                                     8.0 * wide(step.learning_rate) * (1.0 + m_error)));
      }
    }
  });
}

TEST(AdamW, FirstStepMovesByTheLearningRateAgainstTheGradientsSign) {
  AdamWStep step = make_step(1);
  step.weight_decay = 0.0f;
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> p = {1.0f, 1.0f, 1.0f};
    const std::vector<float> g = {5.0f, -0.01f, 0.0f};
    std::vector<float> m(3, 0.0f);
    std::vector<float> v(3, 0.0f);
    table.adamw(3, p.data(), g.data(), m.data(), v.data(), step);
    EXPECT_NEAR(p[0], 1.0f - 3e-3f, 2e-7f);
    EXPECT_NEAR(p[1], 1.0f + 3e-3f, 2e-7f);
    EXPECT_EQ(p[2], 1.0f);
  });
}

TEST(AdamW, DecayIsDecoupledFromTheGradient) {
  const AdamWStep step = make_step(3);
  for_each_isa([&](const KernelTable& table) {
    float p = 2.0f;
    const float g = 0.0f;
    float m = 0.0f;
    float v = 0.0f;
    table.adamw(1, &p, &g, &m, &v, step);
    EXPECT_FLOAT_EQ(p, 2.0f * (1.0f - 3e-3f * 0.1f));
    EXPECT_EQ(m, 0.0f);
    EXPECT_EQ(v, 0.0f);
  });
}

TEST(AdamW, TreatsEveryElementAlikeAndTouchesNothingElse) {
  const AdamWStep step = make_step(2);
  for_each_isa([&](const KernelTable& table) {
    for (std::size_t n : small_sizes(table.lanes)) {
      const State start(n, 5);
      State alone = start;
      for (std::size_t i = 0; i < n; ++i)
        table.adamw(1, &alone.p[i], &alone.g[i], &alone.m[i], &alone.v[i], step);
      GuardedBuffer<> p(n, 1, start.p);
      GuardedBuffer<> g(n, 2, start.g);
      GuardedBuffer<> m(n, 3, start.m);
      GuardedBuffer<> v(n, 0, start.v);
      table.adamw(n, p.data(), g.data(), m.data(), v.data(), step);
      ASSERT_TRUE(same_bytes(p.values(), alone.p));
      ASSERT_TRUE(same_bytes(m.values(), alone.m) && same_bytes(v.values(), alone.v));
      ASSERT_TRUE(p.intact() && g.intact() && m.intact() && v.intact());
    }
  });
}

TEST(AdamW, ANanGradientPoisonsItsOwnParameterOnly) {
  const AdamWStep step = make_step(2);
  for_each_isa([&](const KernelTable& table) {
    const std::size_t n = table.lanes + 2;
    State s(n, 6);
    s.g[1] = std::numeric_limits<float>::quiet_NaN();
    table.adamw(n, s.p.data(), s.g.data(), s.m.data(), s.v.data(), step);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(std::isnan(s.p[i]), i == 1);
  });
}

}  // namespace
}  // namespace glassgpt::test
