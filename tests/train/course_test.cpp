// What shows a run's course: snapshots, samples, curves.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "glassgpt/model.h"
#include "io/json.h"
#include "tests/train/tiny_run.h"
#include "train/curve.h"
#include "train/snapshots.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;
using training::snapshot_path;
using training::snapshot_steps;

TEST(Snapshots, StepsBeginAtZeroEndAtTheLastAndGrowApart) {
  const std::vector<std::size_t> steps = snapshot_steps(8000, 12);
  ASSERT_EQ(steps.size(), 12u);
  EXPECT_EQ(steps.front(), 0u);
  EXPECT_EQ(steps.back(), 8000u);
  for (std::size_t i = 3; i < steps.size(); ++i)  // the first step after 0 is free
    EXPECT_GT(steps[i] - steps[i - 1], steps[i - 1] - steps[i - 2]) << i;
}

TEST(Snapshots, ShortRunsHaveFewerAndNoneAreTakenUnasked) {
  EXPECT_EQ(snapshot_steps(3, 12), (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(snapshot_steps(1, 12), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(snapshot_steps(50, 2), (std::vector<std::size_t>{0, 50}));
  EXPECT_TRUE(snapshot_steps(50, 0).empty());
}

TEST(Snapshots, AreModelsThatInterruptionsDoNotChange) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("whole");
  options.snapshots = 6;
  train(options);
  const std::vector<std::size_t> steps = snapshot_steps(30, 6);
  ASSERT_GE(steps.size(), 5u);
  EXPECT_EQ(io::read_file(snapshot_path(options.output, 30) / "model.safetensors"),
            run.model_bytes("whole"));
  EXPECT_EQ(Model::load(snapshot_path(options.output, 0)).config().n_embd, 16u);

  std::atomic<bool> stop = false;
  TrainingCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_progress = [&](const TrainingProgress& now) { stop = now.step == 8; };
  options = run.options("stopped");
  options.snapshots = 6;
  options.resume = true;
  EXPECT_TRUE(train(options, callbacks).interrupted);
  EXPECT_FALSE(train(options).interrupted);
  for (const std::size_t step : steps) {
    EXPECT_EQ(io::read_file(snapshot_path(directory / "whole", step) / "model.safetensors"),
              io::read_file(snapshot_path(directory / "stopped", step) / "model.safetensors"))
        << step;
  }
}

TEST(Samples, ContinueThePromptAtEveryEvaluationAndStandInTheLog) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("run");
  options.sample_prompt = "The cat";
  std::vector<std::size_t> steps;
  std::vector<std::string> samples;
  TrainingCallbacks callbacks;
  callbacks.on_sample = [&](std::size_t step, std::string_view text) {
    steps.push_back(step);
    samples.emplace_back(text);
  };
  train(options, callbacks);
  EXPECT_EQ(steps, (std::vector<std::size_t>{10, 20, 30}));
  for (const std::string& sample : samples) {
    EXPECT_TRUE(sample.starts_with("The cat")) << sample;
    EXPECT_GT(sample.size(), std::string("The cat").size());
  }
  EXPECT_NE(samples[0], samples[2]) << "the model learnt nothing";
  EXPECT_NE(io::read_file(options.output / "log.jsonl").find("\"sample\":\"The cat"),
            std::string::npos);
}

TEST(Samples, ChangeNoByteOfTheModel) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("with");
  options.sample_prompt = tiny_corpus(9);  // longer than the context
  train(options);
  options = run.options("without");
  options.sample_tokens = 0;
  train(options);
  EXPECT_EQ(run.model_bytes("with"), run.model_bytes("without"));
  EXPECT_EQ(io::read_file(options.output / "log.jsonl").find("sample"), std::string::npos);
}

TEST(Curve, HasALinePerLineOfTheLogAndBothLossesInThePlot) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("run"));
  const std::string csv = io::read_file(directory / "run" / "loss.csv");
  EXPECT_TRUE(csv.starts_with("step,tokens,loss,lr,")) << csv;
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 9);
  const std::string svg = io::read_file(directory / "run" / "loss.svg");
  EXPECT_TRUE(svg.starts_with("<svg ")) << svg;
  EXPECT_NE(svg.find(">training"), std::string::npos);
  EXPECT_NE(svg.find(">held out"), std::string::npos);
}

TEST(Curve, TakesValuesFromTheLogAndLeavesOutDamagedLines) {
  const TemporaryDirectory directory;
  io::write_file(
      directory / "log.jsonl",
      "{\"step\":1,\"tokens\":8,\"loss\":2.5,\"lr\":0.1}\n{\"step\":2,\"loss\":\n"
      "{\"step\":3,\"tokens\":24,\"loss\":1.5,\"lr\":0.2,\"valid_bits_per_byte\":0.75}\n");
  training::write_curve(directory.path());
  EXPECT_EQ(io::read_file(directory / "loss.csv"),
            "step,tokens,loss,lr,tokens_per_second,gradient_norm,valid_nats_per_token,"
            "valid_bits_per_byte\n1,8,2.5,0.1,,,,\n3,24,1.5,0.2,,,,0.75\n");
  // From the plot's upper left corner to its lower right one.
  const std::string svg = io::read_file(directory / "loss.svg");
  EXPECT_NE(svg.find("d=\"M269.3 12.0L704.0 316.0\""), std::string::npos) << svg;
}

TEST(Curve, ALogThatIsMissingGivesNothing) {
  const TemporaryDirectory directory;
  training::write_curve(directory.path());
  EXPECT_FALSE(fs::exists(directory / "loss.svg"));
}

}  // namespace
}  // namespace glassgpt::testing
