// The hand-written backward pass against finite differences of an independent forward pass in
// double.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "tests/train/reference_loss.h"
#include "tests/train/tiny_models.h"

namespace glassgpt::testing {
namespace {

using training::AdamWOptions;
using training::Learner;

// Central differences, one parameter at a time, of the loss that the reference computes.
std::vector<double> numeric_gradient(ReferenceLoss& reference, const TinyBatch& batch,
                                     double d_loss) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient(reference.parameters().size());
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    double& parameter = reference.parameters()[i];
    const double value = parameter;
    parameter = value + kStep;
    const double above = reference.sum(batch.batch(), batch.targets);
    parameter = value - kStep;
    const double below = reference.sum(batch.batch(), batch.targets);
    parameter = value;
    gradient[i] = d_loss * (above - below) / (2 * kStep);
  }
  return gradient;
}

// Largest error of one tensor, in units of its largest gradient.
double relative_error(const TensorLayout::Entry& entry, const std::vector<float>& actual,
                      const std::vector<double>& expected) {
  double largest = 0, error = 0;
  for (std::size_t i = entry.offset; i < entry.offset + entry.size; ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    const double difference = std::abs(expected[i] - double{actual[i]});
    if (std::isnan(difference)) return difference;
    error = std::max(error, difference);
  }
  return error / largest;
}

// Which values of a row are left out, as the library's own function says: what it says is tested in
// dropout_test.cpp, here it is what becomes of it.
double mask_of(const Dropout& dropout, const ModelConfig& config, const TinyBatch& batch,
               std::size_t place, std::size_t sequence, std::size_t t, std::size_t c) {
  const std::size_t row = batch.offsets[sequence] + t;
  const std::vector<float> ones((row + 1) * config.n_embd, 1.0f);
  std::vector<float> masked(ones.size());
  dropout.apply(place, batch.batch(), config.n_embd, row, row + 1, ones.data(), masked.data());
  return masked[row * config.n_embd + c];
}

void expect_gradients_match(const ModelConfig& config, const TinyBatch& batch,
                            const Dropout* dropout = nullptr) {
  const std::vector<float> parameters = random_parameters(config, 5);
  constexpr float kLossScale = 0.125f;
  Learner learner(config, parameters, AdamWOptions{}, {kernels::GemmBackend::kAuto, 2});
  const double loss = learner.accumulate(batch.batch(), batch.targets, kLossScale, dropout);
  ReferenceLoss reference(config, {parameters.begin(), parameters.end()});
  if (dropout != nullptr) {
    reference.mask = [&](std::size_t place, std::size_t sequence, std::size_t t, std::size_t c) {
      return mask_of(*dropout, config, batch, place, sequence, t, c);
    };
  }
  const double expected_loss = reference.sum(batch.batch(), batch.targets);
  EXPECT_NEAR(loss, expected_loss, 1e-6 * expected_loss);

  const std::vector<double> expected = numeric_gradient(reference, batch, kLossScale);
  for (const TensorLayout::Entry& entry : learner.layout().entries) {
    if (!entry.trained) {
      for (std::size_t i = 0; i < entry.size; ++i)
        EXPECT_EQ(learner.gradients()[entry.offset + i], 0.0f) << entry.name << " is not trained";
      continue;
    }
    EXPECT_LT(relative_error(entry, learner.gradients(), expected), 2e-5) << entry.name;
  }
}

TEST(Backward, EveryParameterMatchesFiniteDifferencesSinusoidal) {
  const ModelConfig config = tiny_sinusoidal();
  expect_gradients_match(config, random_batch(config, {9, 1, 4}, 1));
}

TEST(Backward, EveryParameterMatchesFiniteDifferencesLearned) {
  const ModelConfig config = tiny_learned();
  expect_gradients_match(config, random_batch(config, {3, 7}, 2));
}

TEST(Backward, EveryParameterMatchesFiniteDifferencesWithOtherScalesOfAttention) {
  ModelConfig config = tiny_sinusoidal();
  config.scale_attn_by_inverse_layer_idx = true;
  expect_gradients_match(config, random_batch(config, {9, 1, 4}, 1));
  config.scale_attn_weights = false;
  expect_gradients_match(config, random_batch(config, {9, 1, 4}, 1));
}

TEST(Backward, EveryParameterMatchesFiniteDifferencesWithDropout) {
  const Dropout dropout(0.4f, {11, 12, 13});
  expect_gradients_match(tiny_sinusoidal(), random_batch(tiny_sinusoidal(), {9, 1, 4}, 1),
                         &dropout);
  expect_gradients_match(tiny_learned(), random_batch(tiny_learned(), {3, 7, 2}, 2), &dropout);
}

TEST(Backward, IgnoredTargetsContributeNothing) {
  const ModelConfig config = tiny_sinusoidal();
  TinyBatch batch = random_batch(config, {6, 5}, 3);
  batch.targets[2] = batch.targets[7] = batch.targets[10] = kernels::kIgnoreTarget;
  expect_gradients_match(config, batch);
}

TEST(Backward, RepeatedIdsAddUpAndEmptySequencesAreAllowed) {
  const ModelConfig config = tiny_sinusoidal();
  TinyBatch batch = random_batch(config, {5, 0, 5}, 4);
  for (TokenId& id : batch.ids) id = 7;
  expect_gradients_match(config, batch);
}

// The comparison itself: it must see what it is there to see.
TEST(Backward, ComparisonRejectsAWrongGradient) {
  TensorLayout::Entry entry;
  entry.offset = 0;
  entry.size = 3;
  const std::vector<double> expected{1.0, -2.0, 0.5};
  EXPECT_LT(relative_error(entry, {1.0f, -2.0f, 0.5f}, expected), 1e-9);
  EXPECT_GT(relative_error(entry, {1.0f, 2.0f, 0.5f}, expected), 1.0);
  EXPECT_GT(relative_error(entry, {1.0f, -2.0f, 0.501f}, expected), 2e-5);
  EXPECT_GT(relative_error(entry, {0.0f, 0.0f, 0.0f}, expected), 0.9);
  EXPECT_FALSE(relative_error(entry, {1.0f, NAN, 0.5f}, expected) < 2e-5);
}

TEST(Backward, BytesDoNotDependOnThreads) {
  const ModelConfig config = small_model();
  const TinyBatch batch = random_batch(config, {48, 48, 31, 48, 7, 48}, 6);
  for (const ComputeType compute : {ComputeType::kFloat32, ComputeType::kBFloat16}) {
    std::vector<float> expected;
    for (const int threads : {1, 2, 3, 4}) {
      Learner learner(config, random_parameters(config, 7), AdamWOptions{},
                      gemm_options({threads, GemmChoice::kAuto, compute}));
      for (std::size_t step = 1; step <= 3; ++step) {
        learner.accumulate(batch.batch(), batch.targets, 1e-3f);
        learner.update(step, 1e-2);
      }
      if (expected.empty()) expected = learner.parameters();
      EXPECT_EQ(std::memcmp(expected.data(), learner.parameters().data(),
                            expected.size() * sizeof(float)),
                0)
          << threads << " threads";
    }
  }
}

// Each factor is rounded to 8 bits, which changes a product by 2^-8 of it at most, and the longest
// way to a gradient goes through about a dozen. Exactly float32's gradients would mean that the
// option does nothing.
TEST(Backward, BFloat16IsNearFloat32AndNotFloat32) {
  const ModelConfig config = small_model();
  const TinyBatch batch = random_batch(config, {48, 48, 31}, 10);
  const auto run = [&](ComputeType compute) {
    auto learner = std::make_unique<Learner>(config, random_parameters(config, 11), AdamWOptions{},
                                             gemm_options({2, GemmChoice::kAuto, compute}));
    learner->accumulate(batch.batch(), batch.targets, 1e-2f);
    return learner;
  };
  const auto exact = run(ComputeType::kFloat32), rounded = run(ComputeType::kBFloat16);
  const std::vector<double> expected(exact->gradients().begin(), exact->gradients().end());
  for (const TensorLayout::Entry& entry : exact->layout().entries) {
    if (!entry.trained) continue;
    double difference = 0, size = 0;
    for (std::size_t i = entry.offset; i < entry.offset + entry.size; ++i) {
      difference += std::pow(expected[i] - double{rounded->gradients()[i]}, 2);
      size += expected[i] * expected[i];
    }
    const double error = std::sqrt(difference / size);
    EXPECT_LT(error, 12.0 / 256) << entry.name;
    EXPECT_GT(error, 1e-4) << entry.name;
  }
}

TEST(Backward, TwoHalfBatchesAddUpToTheWhole) {
  const ModelConfig config = small_model();
  const TinyBatch whole = random_batch(config, {48, 48, 48, 48}, 8);
  const std::vector<float> parameters = random_parameters(config, 9);
  Learner at_once(config, parameters, AdamWOptions{}, {kernels::GemmBackend::kAuto, 2});
  const double loss = at_once.accumulate(whole.batch(), whole.targets, 1.0f / 192);
  Learner in_halves(config, parameters, AdamWOptions{}, {kernels::GemmBackend::kAuto, 2});
  double loss_of_halves = 0;
  const std::vector<std::size_t> offsets{0, 48, 96};
  for (const std::size_t begin : {0, 96}) {
    const std::span ids = std::span(whole.ids).subspan(begin, 96);
    loss_of_halves += in_halves.accumulate({ids, offsets},
                                           std::span(whole.targets).subspan(begin, 96), 1.0f / 192);
  }
  EXPECT_NEAR(loss, loss_of_halves, 1e-9 * loss);
  const std::vector<double> expected(at_once.gradients().begin(), at_once.gradients().end());
  for (const TensorLayout::Entry& entry : at_once.layout().entries) {
    if (!entry.trained) continue;
    EXPECT_LT(relative_error(entry, in_halves.gradients(), expected), 1e-5) << entry.name;
  }
}

TEST(Learner, RefusesTargetsThatDoNotFit) {
  const ModelConfig config = tiny_sinusoidal();
  TinyBatch batch = random_batch(config, {4}, 1);
  Learner learner(config, random_parameters(config, 1), AdamWOptions{}, {});
  batch.targets[1] = 23;
  EXPECT_THROW(learner.accumulate(batch.batch(), batch.targets, 1.0f), std::invalid_argument);
  batch.targets.pop_back();
  EXPECT_THROW(learner.accumulate(batch.batch(), batch.targets, 1.0f), std::invalid_argument);
}

}  // namespace
}  // namespace glassgpt::testing
