// A run on a file system that is really full: a small tmpfs of the test's own, where it may mount
// one.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "glassgpt/error.h"
#include "tests/train/tiny_run.h"
#include "train/checkpoint.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;

class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(disk());
    mounted_ = ::mount("tmpfs", disk().c_str(), "tmpfs", 0, "size=2m") == 0;
    if (!mounted_) GTEST_SKIP() << "no tmpfs can be mounted here: " << std::strerror(errno);
  }
  void TearDown() override {
    if (mounted_) ::umount(disk().c_str());
  }

  fs::path disk() const { return directory_ / "disk"; }
  // Until nothing goes in.
  void fill() const {
    std::ofstream filler(disk() / "filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler.write(block.data(), 4096).flush()) continue;
  }
  void free() const { fs::remove(disk() / "filler"); }

  const TemporaryDirectory directory_;
  const TinyRun run_{directory_.path()};
  bool mounted_ = false;
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
