// Loss in nats per token and bits per byte.
#include "glassgpt/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glassgpt/model.h"
#include "tests/train/reference_loss.h"
#include "tests/train/tiny_models.h"
#include "tests/train/tiny_run.h"
#include "train/validation.h"

namespace glassgpt::testing {
namespace {

class EvaluateTest : public ::testing::Test {
 protected:
  Model model_of(const std::vector<float>& parameters) const {
    auto buffer = std::make_shared<std::vector<float>>(parameters);
    const float* data = buffer->data();
    return make_model(config_, TensorLayout(config_).tensors(data), buffer);
  }

  TemporaryDirectory directory_;
  TinyRun run_{directory_.path()};
  Tokenizer tokenizer_ = Tokenizer::load(directory_ / "tokenizer");
  ModelConfig config_ = TinyRun::config();
};

TEST_F(EvaluateTest, AUniformModelHasTheClosedFormsLoss) {
  std::vector<float> parameters(TensorLayout(config_).size, 0.0f);
  const Model model = model_of(parameters);
  const std::string text =
      "The cat sits on the mat and sings. \xE7\x8C\xAB, the river and the hill.";
  const std::string_view texts[] = {text};
  const EvaluationResult result = evaluate(model, tokenizer_, texts);
  EXPECT_EQ(result.tokens, tokenizer_.encode(text).size());
  EXPECT_EQ(result.bytes, text.size());
  EXPECT_NEAR(result.nats_per_token(), std::log(300.0), 1e-6);
  EXPECT_NEAR(
      result.bits_per_byte(),
      static_cast<double>(result.tokens) * std::log2(300.0) / static_cast<double>(text.size()),
      1e-6);
}

// The definition, window by window, in double: half overlap, each token predicted once.
TEST_F(EvaluateTest, LongTextsAreReadInWindowsWithHalfOverlap) {
  const std::vector<float> parameters = random_parameters(config_, 1);
  const Model model = model_of(parameters);
  const std::string text = tiny_corpus(8);
  const std::string_view texts[] = {text, "", "A dog"};
  const EvaluationResult result = evaluate(model, tokenizer_, texts);

  const ReferenceLoss reference(config_, {parameters.begin(), parameters.end()});
  double nats = 0;
  std::size_t tokens = 0;
  for (const std::string_view one : texts) {
    std::vector<TokenId> ids = tokenizer_.encode(one);
    ids.insert(ids.begin(), *tokenizer_.special_id("<|endoftext|>"));
    tokens += ids.size() - 1;
    for (std::size_t target = 1; target < ids.size(); ++target) {
      // The first window that reaches it.
      std::size_t begin = 0;
      while (begin + 16 < target) begin += 8;
      const std::vector<TokenId> window(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                        ids.begin() + static_cast<std::ptrdiff_t>(target));
      std::vector<TokenId> targets(window.size(), kernels::kIgnoreTarget);
      targets.back() = ids[target];
      const std::vector<std::size_t> offsets{0, window.size()};
      nats += reference.sum({window, offsets}, targets);
    }
  }
  EXPECT_GT(tokens, 100u);
  EXPECT_EQ(result.tokens, tokens);
  EXPECT_EQ(result.bytes, text.size() + 5);
  EXPECT_NEAR(result.nats, nats, 1e-5 * nats);
}

TEST_F(EvaluateTest, TheBatchDoesNotChangeTheResult) {
  const Model model = model_of(random_parameters(config_, 1));
  const std::string text = tiny_corpus(20);
  const std::string_view texts[] = {text, "Who has seen the wind?"};
  const double expected = evaluate(model, tokenizer_, texts).nats;
  std::size_t calls = 0;
  for (const std::size_t batch : {1u, 100u, 1000u}) {
    EvaluationOptions options;
    options.batch_tokens = batch;
    options.threads = 2;
    options.progress = [&](std::size_t done, std::size_t total) {
      EXPECT_LE(done, total);
      ++calls;
    };
    EXPECT_EQ(evaluate(model, tokenizer_, texts, options).nats, expected) << batch;
  }
  EXPECT_GT(calls, 10u);
}

TEST_F(EvaluateTest, NothingIsPredictedOfNothing) {
  const Model model = model_of(random_parameters(config_, 1));
  const std::string_view texts[] = {""};
  const EvaluationResult result = evaluate(model, tokenizer_, texts);
  EXPECT_EQ(result.tokens, 0u);
  EXPECT_EQ(result.nats_per_token(), 0.0);
  EXPECT_EQ(result.bits_per_byte(), 0.0);
}

TEST_F(EvaluateTest, RefusesATokenizerThatDoesNotFit) {
  config_.vocab_size = 200;
  const Model model = model_of(random_parameters(config_, 1));
  const std::string_view texts[] = {"A dog"};
  EXPECT_THROW(evaluate(model, tokenizer_, texts), std::invalid_argument);
}

TEST_F(EvaluateTest, BFloat16RoundsTheOutputMatrixTooAsInTraining) {
  const std::vector<float> parameters = random_parameters(config_, 1);
  const Model model = model_of(parameters);
  const std::string_view texts[] = {"A dog runs"};
  const double exact = evaluate(model, tokenizer_, texts).nats;
  EvaluationOptions options;
  options.compute = ComputeType::kBFloat16;
  const double rounded = evaluate(model, tokenizer_, texts, options).nats;
  EXPECT_GT(std::abs(rounded - exact), 1e-6 * exact);

  std::vector<TokenId> ids = tokenizer_.encode(texts[0]);
  const std::size_t rows = ids.size();
  ids.insert(ids.begin(), *tokenizer_.special_id("<|endoftext|>"));
  const std::vector<std::size_t> offsets{0, rows};
  training::Learner learner(config_, parameters, {},
                            gemm_options({1, GemmChoice::kAuto, ComputeType::kBFloat16}));
  std::vector<float> losses(rows);
  learner.losses({std::span(ids).first(rows), offsets}, std::span(ids).subspan(1), losses.data());
  double sum = 0;
  for (const float loss : losses) sum += loss;
  EXPECT_NEAR(rounded, sum, 1e-9 * sum);
}

// What the trainer reports while it trains: windows side by side.
TEST_F(EvaluateTest, ValidationWindowsLieSideBySide) {
  const training::TokenFilePlan plan{{directory_ / "corpus.txt"}, {directory_ / "corpus.txt"}, 0.0};
  const auto file =
      training::TokenFile::open_or_make(directory_ / "tokens.bin", plan, tokenizer_, 1, nullptr);
  const training::Validator validator(file, {{"corpus.txt", 1}}, 201,
                                      training::token_byte_counts(tokenizer_));
  const std::vector<float> parameters = random_parameters(config_, 1);
  training::Learner learner(config_, parameters, {}, {kernels::GemmBackend::kAuto, 1});
  const ValidationReport report = validator.run(learner, 64);

  std::vector<TokenId> ids(201);
  file.read(1, 0, ids);
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at < 200; at += 16) offsets.push_back(at);
  offsets.push_back(200);
  const ReferenceLoss reference(config_, {parameters.begin(), parameters.end()});
  const double nats =
      reference.sum({std::span(ids).first(200), offsets}, std::span(ids).subspan(1));
  std::size_t bytes = 0;
  for (std::size_t i = 1; i < ids.size(); ++i)
    if (!tokenizer_.is_special(ids[i])) bytes += tokenizer_.token_bytes(ids[i]).size();
  EXPECT_NEAR(report.nats_per_token, nats / 200, 1e-5 * nats / 200);
  EXPECT_NEAR(report.bits_per_byte, nats / std::log(2.0) / static_cast<double>(bytes),
              1e-5 * report.bits_per_byte);
  ASSERT_EQ(report.sources.size(), 1u);
  EXPECT_EQ(report.sources[0].tokens, 200u);
}

}  // namespace
}  // namespace glassgpt::testing
