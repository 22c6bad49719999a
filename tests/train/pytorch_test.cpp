// The same model, batches and optimizer in PyTorch: tests/golden/make_training_golden.py wrote what
// it got.
#include <gtest/gtest.h>

#include <cmath>

#include "io/safetensors.h"
#include "tests/train/tiny_models.h"
#include "train/learner.h"

namespace glassgpt::testing {
namespace {

using training::Learner;

class Golden {
 public:
  explicit Golden(const std::string& name)
      : file_(std::string(GLASSGPT_SOURCE_DIR) + "/tests/golden/training_" + name +
              ".safetensors") {}

  std::vector<float> floats(const std::string& name) const {
    const io::TensorView* tensor = file_.find(name);
    if (tensor == nullptr) throw std::runtime_error("the golden file has no " + name);
    std::vector<float> values(tensor->elements());
    io::to_float(*tensor, values.data());
    return values;
  }
  std::vector<TokenId> ids(const std::string& name) const {
    const std::vector<float> values = floats(name);
    return {values.begin(), values.end()};
  }

 private:
  io::SafetensorsFile file_;
};

// As in the script.
ModelConfig golden_sinusoidal() {
  ModelConfig config;
  config.vocab_size = 40;
  config.n_positions = 12;
  config.n_embd = 16;
  config.n_layer = 2;
  config.n_head = 4;
  config.position_encoding = PositionEncoding::kSinusoidal;
  config.embedding_scale = 4.0f;
  return config;
}

ModelConfig golden_learned() {
  ModelConfig config;
  config.vocab_size = 31;
  config.n_positions = 9;
  config.n_embd = 12;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_inner = 40;
  config.activation = ActivationFunction::kGeluErf;
  config.tie_word_embeddings = false;
  return config;
}

std::vector<float> initial_parameters(const ModelConfig& config, const Golden& golden) {
  const TensorLayout layout(config);
  std::vector<float> parameters(layout.size);
  for (const TensorLayout::Entry& entry : layout.entries) {
    const std::vector<float> values = golden.floats("initial." + entry.name);
    EXPECT_EQ(values.size(), entry.size) << entry.name;
    std::copy(values.begin(), values.end(),
              parameters.begin() + static_cast<std::ptrdiff_t>(entry.offset));
  }
  return parameters;
}

void expect_same_gradients(const Learner& learner, const Golden& golden) {
  for (const TensorLayout::Entry& entry : learner.layout().entries) {
    if (!entry.trained) continue;
    const std::vector<float> expected = golden.floats("gradient." + entry.name);
    float largest = 0;
    for (const float value : expected) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < entry.size; ++i) {
      ASSERT_NEAR(learner.gradients()[entry.offset + i], expected[i], 1e-5f * largest)
          << entry.name << " " << i;
    }
  }
}

void expect_same_training(const ModelConfig& config, const std::string& name) {
  constexpr std::size_t kSteps = 10;
  TrainingOptions schedule;
  schedule.steps = kSteps;
  schedule.warmup_steps = 3;
  schedule.learning_rate = 1e-2f;
  schedule.final_learning_rate = 1e-3f;
  const Golden golden(name);
  const std::vector<TokenId> lengths = golden.ids("lengths");
  std::vector<std::size_t> offsets{0};
  for (const TokenId length : lengths) offsets.push_back(offsets.back() + length);
  const std::size_t rows = offsets.back();
  const std::vector<TokenId> ids = golden.ids("ids"), targets = golden.ids("targets");
  const std::vector<float> losses = golden.floats("losses"), norms = golden.floats("norms");
  ASSERT_EQ(losses.size(), kSteps);

  Learner learner(
      config, initial_parameters(config, golden),
      {.beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f, .weight_decay = 0.1f, .clip_norm = 0.5f},
      {kernels::GemmBackend::kAuto, 1});
  for (std::size_t step = 1; step <= kSteps; ++step) {
    const std::size_t at = (step - 1) * rows;
    const double loss =
        learner.accumulate({std::span(ids).subspan(at, rows), offsets},
                           std::span(targets).subspan(at, rows), 1.0f / static_cast<float>(rows)) /
        static_cast<double>(rows);
    if (step == 1) expect_same_gradients(learner, golden);
    const double norm = learner.update(step, training::learning_rate_at(schedule, step));
    EXPECT_NEAR(loss, losses[step - 1], 2e-5 * losses[step - 1]) << "step " << step;
    EXPECT_NEAR(norm, norms[step - 1], 2e-4 * norms[step - 1]) << "step " << step;
  }
  EXPECT_LT(losses.back(), losses.front());
}

TEST(PyTorch, SameGradientsAndLossesSinusoidal) {
  expect_same_training(golden_sinusoidal(), "sinusoidal");
}

TEST(PyTorch, SameGradientsAndLossesLearned) { expect_same_training(golden_learned(), "learned"); }

}  // namespace
}  // namespace glassgpt::testing
