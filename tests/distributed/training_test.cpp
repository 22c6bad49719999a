// Training by several ranks: one rank's loss, one rank's files, whatever their number.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "glassgpt/error.h"
#include "in_process_ranks.h"
#include "tests/train/tiny_run.h"
#include "train/trainer.h"

namespace glassgpt::testing {
namespace {

using distributed::Communicator;

class DistributedTraining : public ::testing::Test {
 protected:
  TrainingOptions options(const std::string& output) const {
    TrainingOptions options = run_.options(output);
    // A batch that two and three ranks share unevenly, in passes of two windows.
    options.batch_tokens = 7 * 16;
    options.micro_batch_tokens = 2 * 16;
    options.log_every = 1;
    return options;
  }

  void train(const TrainingOptions& options, int ranks) {
    InProcessRanks run(ranks);
    run.run([&](Communicator& me) { training::train(options, {}, me); });
  }

  std::vector<double> losses(const std::string& output) const {
    std::istringstream lines(io::read_file(run_.directory() / output / "log.jsonl"));
    std::vector<double> losses;
    for (std::string line; std::getline(lines, line);) {
      const auto object = nlohmann::json::parse(line);
      losses.push_back(object.at("loss").get<double>());
      if (object.contains("valid_bits_per_byte"))
        losses.push_back(object.at("valid_bits_per_byte").get<double>());
    }
    return losses;
  }

  void expect_same_curve(const std::string& a, const std::string& b) const {
    const std::vector<double> one = losses(a), other = losses(b);
    ASSERT_EQ(one.size(), other.size());
    ASSERT_GE(one.size(), 30u);
    for (std::size_t i = 0; i < one.size(); ++i)
      EXPECT_LE(std::abs(one[i] - other[i]), 1e-5 * std::abs(one[i])) << i;
  }

  std::string last_checkpoint(const std::string& output) const {
    return run_.checkpoint_bytes(output, "00000030");
  }

  TemporaryDirectory directory_;
  TinyRun run_{directory_.path()};
};

TEST_F(DistributedTraining, RanksGiveTheLossCurveOfOne) {
  glassgpt::train(options("one"));
  for (const int ranks : {2, 3, 7}) {
    const std::string output = "ranks" + std::to_string(ranks);
    train(options(output), ranks);
    expect_same_curve("one", output);
  }
}

TEST_F(DistributedTraining, DropoutLeavesOutWhatItDoesInOneProcess) {
  TrainingOptions one = options("one"), two = options("two");
  one.dropout = two.dropout = 0.2f;
  glassgpt::train(one);
  train(two, 2);
  expect_same_curve("one", "two");
}

TEST_F(DistributedTraining, ARunOfOneRankHasTheBytesOfAPlainOne) {
  glassgpt::train(options("plain"));
  train(options("one"), 1);
  EXPECT_EQ(last_checkpoint("one"), last_checkpoint("plain"));
}

TEST_F(DistributedTraining, RepeatedRunsHaveTheSameBytes) {
  train(options("first"), 3);
  train(options("second"), 3);
  EXPECT_EQ(last_checkpoint("second"), last_checkpoint("first"));
}

TEST_F(DistributedTraining, AShardedOptimizerChangesNoByteAndItsCheckpointsAreWhole) {
  TrainingOptions sharded = options("sharded");
  sharded.shard_optimizer = true;
  train(options("whole"), 3);
  train(sharded, 3);
  EXPECT_EQ(last_checkpoint("sharded"), last_checkpoint("whole"));
}

TEST_F(DistributedTraining, ResumesWithAnotherNumberOfRanks) {
  glassgpt::train(options("one"));
  struct Part {
    std::size_t stop_after;
    int ranks;
    bool sharded;
  };
  for (const Part& part :
       {Part{8, 3, true}, Part{15, 1, false}, Part{22, 2, true}, Part{30, 2, false}}) {
    TrainingOptions some = options("parts");
    some.resume = true;
    some.shard_optimizer = part.sharded;
    std::atomic<bool> stop{false};
    TrainingCallbacks callbacks;
    callbacks.stop = &stop;
    callbacks.on_progress = [&](const TrainingProgress& now) {
      if (now.step >= part.stop_after) stop = true;
    };
    InProcessRanks run(part.ranks);
    run.run([&](Communicator& me) { training::train(some, callbacks, me); });
  }
  expect_same_curve("one", "parts");
}

TEST_F(DistributedTraining, OneRankThatIsToldToStopStopsAll) {
  std::atomic<bool> stop{false};
  const std::atomic<bool> never{false};
  TrainingCallbacks told, others;
  told.stop = &stop;
  others.stop = &never;
  others.on_progress = [&](const TrainingProgress& now) { stop = now.step >= 4; };
  InProcessRanks run(3);
  run.run([&](Communicator& me) {
    const TrainingSummary summary =
        training::train(options("stopped"), me.rank() == 2 ? told : others, me);
    EXPECT_TRUE(summary.interrupted);
    EXPECT_GE(summary.steps, 4u);
    EXPECT_LT(summary.steps, 30u);
  });
}

void expect_refusal(const std::function<void()>& work, const std::string& part) {
  try {
    work();
    ADD_FAILURE() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST_F(DistributedTraining, RefusesRanksWithOtherOptions) {
  TrainingOptions other = options("run");
  other.learning_rate *= 2;
  InProcessRanks run(2);
  expect_refusal(
      [&] {
        run.run([&](Communicator& me) {
          training::train(me.rank() == 1 ? other : options("run"), {}, me);
        });
      },
      "process 1 of 2 has another set of options");
}

TEST_F(DistributedTraining, RefusesABatchThatCannotBeSharedOut) {
  expect_refusal([&] { train(options("run"), 8); },
                 "a batch of 7 windows cannot be shared out among 8 processes");
}

}  // namespace
}  // namespace glassgpt::testing
