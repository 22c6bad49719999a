// A run on a file system that is really full: a small tmpfs of the test's own, where it may mount
// one.
#include <gtest/gtest.h>

#include <fstream>

#include "glassgpt/error.h"
#include "glassgpt/model.h"
#include "io/json.h"
#include "tests/io/small_disk.h"
#include "tests/train/tiny_run.h"
#include "train/checkpoint.h"
#include "train/training_log.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;

class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "no tmpfs can be mounted here: " << disk_.why();
  }

  // Until nothing goes in.
  void fill() const {
    std::ofstream filler(disk_.path() / "filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler.write(block.data(), 4096).flush()) continue;
  }
  void free() const { fs::remove(disk_.path() / "filler"); }

  const TemporaryDirectory directory_;
  const SmallDisk disk_{directory_ / "disk", "2m"};
  const TinyRun run_{directory_.path()};
};

TEST_F(FullDisk, CostsNeitherTheRunNorTheLastGoodCheckpoint) {
  train(run_.options("whole"));
  TrainingOptions options = run_.options("disk/run");
  std::vector<std::string> warnings;
  std::vector<fs::path> while_full;
  TrainingCallbacks callbacks;
  callbacks.on_warning = [&](std::string_view line) { warnings.emplace_back(line); };
  callbacks.on_progress = [&](const TrainingProgress& now) {
    if (now.step == 8) fill();
    if (now.step == 20) {
      while_full = training::list_checkpoints(options.output);
      free();
    }
  };
  train(options, callbacks);
  EXPECT_FALSE(warnings.empty());
  ASSERT_FALSE(while_full.empty());
  EXPECT_EQ(while_full.front(), training::checkpoint_path(options.output, 7));
  EXPECT_EQ(run_.model_bytes("whole"), run_.model_bytes("disk/run"));
}

// The held-out text is like nothing in the corpus: the more is learned, the worse it is predicted,
// and the first evaluation, which meets the full disk, is the best.
TEST_F(FullDisk, TheBestModelThatFitsIsKept) {
  const fs::path alien = directory_ / "alien.txt";
  std::string text;
  for (int i = 0; i < 500; ++i) text += static_cast<char>('!' + i * i % 31 % 13);
  io::write_file(alien, text);
  TrainingOptions options = run_.options("disk/run");
  options.valid = {alien};
  options.learning_rate = 3e-3f;
  std::vector<ValidationReport> reports;
  TrainingCallbacks callbacks;
  callbacks.on_progress = [&](const TrainingProgress& now) {
    if (now.step == 8) fill();
    if (now.step == 20) free();
  };
  callbacks.on_validation = [&](const ValidationReport& report) { reports.push_back(report); };
  const TrainingSummary summary = train(options, callbacks);
  ASSERT_EQ(reports.size(), 3u);
  ASSERT_LT(reports[0].bits_per_byte, reports[1].bits_per_byte);
  ASSERT_LT(reports[1].bits_per_byte, reports[2].bits_per_byte);
  EXPECT_EQ(summary.best_bits_per_byte, reports[1].bits_per_byte);
  EXPECT_EQ(Model::load(options.output / "best").config().n_embd, 16u);
  EXPECT_NE(io::read_file(options.output / "best" / "model.safetensors"),
            run_.model_bytes("disk/run"));
}

TEST_F(FullDisk, LeavesNoHalfLineInTheLog) {
  const fs::path file = disk_.path() / "log.jsonl";
  training::TrainingLog log(file, 0);
  TrainingProgress now{};
  const auto append = [&] {
    ++now.step;
    log.append(now, nullptr, "A sample, so that no number of lines fills a page exactly.");
  };
  append();
  fill();
  const auto until_it_is_full = [&] {
    for (int line = 0; line < 100; ++line) append();
  };
  expect_error(until_it_is_full, ErrorCode::kUnwritable, "No space left", file.string());
  const std::size_t lost = now.step;
  free();
  append();
  std::ifstream lines(file);
  std::size_t step = 0;
  for (std::string line; std::getline(lines, line);) {
    if (++step == lost) ++step;
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(row.is_object()) << line;
    ASSERT_EQ(row["step"], step) << line;
  }
  EXPECT_EQ(step, now.step);
  EXPECT_GT(step, 3u);
}

TEST_F(FullDisk, AtTheEndIsAnErrorAndTheRunGoesOnWhenThereIsRoom) {
  train(run_.options("whole"));
  TrainingOptions options = run_.options("disk/run");
  TrainingCallbacks callbacks;
  callbacks.on_progress = [&](const TrainingProgress& now) {
    if (now.step == 16) fill();
  };
  EXPECT_THROW(train(options, callbacks), Error);
  free();
  options.resume = true;
  EXPECT_EQ(train(options).first_step, 14u);
  EXPECT_EQ(run_.model_bytes("whole"), run_.model_bytes("disk/run"));
}

}  // namespace
}  // namespace glassgpt::testing
