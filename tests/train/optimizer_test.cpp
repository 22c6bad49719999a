// AdamW, clipping and the schedule against their formulas in double.
#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "tests/train/tiny_models.h"

namespace glassgpt::testing {
namespace {

using training::AdamWOptions;
using training::learning_rate_at;
using training::Optimizer;

TEST(Schedule, WarmsUpLinearlyThenFallsAlongHalfACosine) {
  TrainingOptions options;
  options.steps = 110;
  options.warmup_steps = 10;
  options.learning_rate = 1e-2f;
  options.final_learning_rate = 1e-3f;
  const double peak = options.learning_rate, floor = *options.final_learning_rate;
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 1), 0.1 * peak);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 5), 0.5 * peak);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 10), peak);
  EXPECT_NEAR(learning_rate_at(options, 60), (peak + floor) / 2, 1e-15);
  EXPECT_NEAR(learning_rate_at(options, 35), floor + (peak - floor) * (1 + std::sqrt(0.5)) / 2,
              1e-15);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 110), floor);
}

TEST(Schedule, ConstantStaysAtThePeakAndWithoutWarmUpStartsThere) {
  TrainingOptions options;
  options.steps = 100;
  options.warmup_steps = 0;
  options.schedule = LearningRateSchedule::kConstant;
  for (const std::size_t step : {1, 50, 100})
    EXPECT_DOUBLE_EQ(learning_rate_at(options, step), options.learning_rate);
  options.schedule = LearningRateSchedule::kCosine;
  options.warmup_steps = 200;  // longer than the run: only the rise is seen
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 100), 0.5 * options.learning_rate);
}

TEST(Schedule, WithoutAFloorFallsToATenthOfThePeakAndNoMoreThan1e4) {
  TrainingOptions options;
  options.steps = 100;
  options.warmup_steps = 10;
  const std::pair<float, double> rates[] = {
      {5e-5f, 5e-6}, {5e-4f, 5e-5}, {1e-3f, 1e-4}, {1e-2f, 1e-4}};
  for (const auto& [peak, floor] : rates) {
    options.learning_rate = peak;
    EXPECT_NEAR(learning_rate_at(options, 100), floor, 1e-6 * floor) << peak;
    for (std::size_t step = 11; step <= 100; ++step)
      EXPECT_LT(learning_rate_at(options, step), learning_rate_at(options, step - 1)) << peak;
  }
  // Bit for bit what a floor given as 1e-4 does: runs with this peak have it stored.
  TrainingOptions given = options;
  given.learning_rate = options.learning_rate = 1e-3f;
  given.final_learning_rate = 1e-4f;
  for (std::size_t step = 1; step <= 100; ++step)
    EXPECT_EQ(learning_rate_at(options, step), learning_rate_at(given, step));
}

// Loshchilov and Hutter 2019, algorithm 2, one number at a time.
class ReferenceAdamW {
 public:
  ReferenceAdamW(const ModelConfig& config, const AdamWOptions& options,
                 const std::vector<float>& parameters)
      : layout_(config),
        options_(options),
        parameters_(parameters.begin(), parameters.end()),
        m_(parameters.size()),
        v_(parameters.size()) {}

  void update(int step, double learning_rate, const std::vector<float>& gradients) {
    double squares = 0;
    for_each_trained([&](std::size_t i, bool) { squares += double{gradients[i]} * gradients[i]; });
    norm_ = std::sqrt(squares);
    const double clip = options_.clip_norm;
    const double scale = clip > 0 && norm_ > clip ? clip / norm_ : 1;
    for_each_trained([&](std::size_t i, bool decays) {
      const double g = scale * gradients[i], b1 = options_.beta1, b2 = options_.beta2;
      m_[i] = b1 * m_[i] + (1 - b1) * g;
      v_[i] = b2 * v_[i] + (1 - b2) * g * g;
      const double m = m_[i] / (1 - std::pow(b1, step)), v = v_[i] / (1 - std::pow(b2, step));
      const double decay = decays ? double{options_.weight_decay} * parameters_[i] : 0;
      parameters_[i] -= learning_rate * (m / (std::sqrt(v) + options_.epsilon) + decay);
    });
  }

  double norm() const { return norm_; }
  const std::vector<double>& parameters() const { return parameters_; }

 private:
  template <class Visit>
  void for_each_trained(const Visit& visit) {
    for (const TensorLayout::Entry& entry : layout_.entries) {
      if (!entry.trained) continue;
      for (std::size_t i = 0; i < entry.size; ++i) visit(entry.offset + i, entry.decays);
    }
  }

  TensorLayout layout_;
  AdamWOptions options_;
  std::vector<double> parameters_, m_, v_;
  double norm_ = 0;
};

void expect_matches_reference(const AdamWOptions& options, float gradient_size) {
  const ModelConfig config = small_model();
  std::vector<float> parameters = random_parameters(config, 1);
  ReferenceAdamW reference(config, options, parameters);
  Optimizer optimizer(TensorLayout(config), options);
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal(0.0f, gradient_size);
  std::vector<float> gradients(parameters.size());
  for (int step = 1; step <= 5; ++step) {
    for (float& gradient : gradients) gradient = normal(random);
    const double norm = optimizer.update(static_cast<std::size_t>(step), 0.01, gradients.data(),
                                         parameters.data(), 2);
    reference.update(step, 0.01, gradients);
    EXPECT_NEAR(norm, reference.norm(), 1e-12 * reference.norm());
  }
  for (std::size_t i = 0; i < parameters.size(); ++i)
    ASSERT_NEAR(parameters[i], reference.parameters()[i], 2e-6) << i;
}

TEST(Optimizer, MatchesAdamWInDoubleWithClipping) {
  expect_matches_reference({0.9f, 0.95f, 1e-8f, 0.1f, 1.0f}, 1.0f);
}

TEST(Optimizer, MatchesAdamWInDoubleWithoutClipping) {
  expect_matches_reference({0.8f, 0.99f, 1e-6f, 0.3f, 0.0f}, 1.0f);
}

TEST(Optimizer, ShortGradientsAreNotScaledUp) {
  expect_matches_reference({0.9f, 0.95f, 1e-8f, 0.0f, 1.0f}, 1e-5f);
}

TEST(Optimizer, WithoutGradientOnlyMatricesDecay) {
  const ModelConfig config = tiny_sinusoidal();
  const std::vector<float> before = random_parameters(config, 1);
  std::vector<float> after = before;
  const TensorLayout layout(config);
  Optimizer optimizer(layout, {.weight_decay = 0.5f});
  const std::vector<float> gradients(before.size(), 0.0f);
  optimizer.update(1, 0.1, gradients.data(), after.data(), 1);
  for (const TensorLayout::Entry& entry : layout.entries) {
    const bool is_matrix = entry.shape.size() == 2 && entry.name != "wpe.weight";
    for (std::size_t i = entry.offset; i < entry.offset + entry.size; ++i) {
      if (is_matrix) {
        ASSERT_NEAR(after[i], 0.95f * before[i], 1e-6f) << entry.name;
      } else {
        ASSERT_EQ(after[i], before[i]) << entry.name;
      }
    }
  }
}

TEST(Optimizer, AGradientThatIsNotFiniteChangesNothing) {
  const ModelConfig config = tiny_sinusoidal();
  const std::vector<float> before = random_parameters(config, 1);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> after = before;
    Optimizer optimizer(TensorLayout(config), {});
    std::vector<float> gradients(before.size(), 0.1f);
    gradients[5] = bad;
    EXPECT_FALSE(std::isfinite(optimizer.update(1, 0.1, gradients.data(), after.data(), 2)));
    EXPECT_EQ(before, after);
  }
}

}  // namespace
}  // namespace glassgpt::testing
