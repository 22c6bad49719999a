// Whole runs: same bytes for any number of threads, stopped, killed or not.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>

#include "glassgpt/model.h"
#include "io/json.h"
#include "tests/train/tiny_run.h"
#include "train/checkpoint.h"
#include "train/training_data.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;

std::vector<nlohmann::json> log_lines(const fs::path& run) {
  std::ifstream file(run / "log.jsonl");
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(Trainer, SameSeedGivesTheSameBytesForAnyNumberOfThreads) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  for (const int threads : {1, 2, 4}) {
    TrainingOptions options = run.options("run" + std::to_string(threads));
    options.threads = threads;
    train(options);
  }
  EXPECT_EQ(run.model_bytes("run1"), run.model_bytes("run2"));
  EXPECT_EQ(run.model_bytes("run1"), run.model_bytes("run4"));
  EXPECT_EQ(run.checkpoint_bytes("run1", "00000030"), run.checkpoint_bytes("run4", "00000030"));
  TrainingOptions options = run.options("other");
  options.seed = 2;
  train(options);
  EXPECT_NE(run.model_bytes("run1"), run.model_bytes("other"));
}

TEST(Trainer, StoppedAndResumedEndsWithTheSameBytes) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("whole"));

  std::atomic<bool> stop = false;
  TrainingCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_progress = [&](const TrainingProgress& now) {
    if (now.step == 8 || now.step == 20) stop = true;
  };
  TrainingOptions options = run.options("stopped");
  options.resume = true;
  int calls = 0;
  TrainingSummary summary;
  do {
    stop = false;
    summary = train(options, callbacks);
    ++calls;
  } while (summary.interrupted && calls < 10);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(summary.first_step, 20u);
  EXPECT_EQ(summary.tokens, 30u * 128u);
  EXPECT_EQ(run.model_bytes("whole"), run.model_bytes("stopped"));
  EXPECT_EQ(run.checkpoint_bytes("whole", "00000030"), run.checkpoint_bytes("stopped", "00000030"));
  const auto whole = log_lines(directory / "whole"), stopped = log_lines(directory / "stopped");
  ASSERT_EQ(whole.size(), stopped.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(whole[i]["step"], stopped[i]["step"]);
    EXPECT_EQ(whole[i]["loss"], stopped[i]["loss"]);
  }
}

// A real process, killed at random moments until one call comes through.
TEST(Trainer, KilledAtAnyMomentAndResumedEndsWithTheSameBytes) {
  const TemporaryDirectory directory;
  const auto start = [&](const char* output) {
    const std::string place = directory.path().string();
    std::string program = GLASSGPT_TRAIN_HELPER, out = output;
    char* arguments[] = {program.data(), const_cast<char*>(place.c_str()), out.data(), nullptr};
    pid_t child = -1;
    EXPECT_EQ(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ), 0);
    return child;
  };
  const auto exit_status = [](pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  };
  ASSERT_EQ(exit_status(start("whole")), 0);
  std::mt19937 random(1);
  int kills = 0;
  bool done = false;
  while (!done && kills < 200) {
    const pid_t child = start("killed");
    // Longer from time to time, so that a slow machine gets through as well.
    std::uniform_int_distribution<useconds_t> microseconds(
        10'000, 200'000u + 20'000u * kills + 1'000u * kills * kills);
    ::usleep(microseconds(random));
    ::kill(child, SIGKILL);
    const int status = exit_status(child);
    done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!done) {
      ASSERT_TRUE(WIFSIGNALED(status)) << "a resumed run failed";
      ++kills;
    }
  }
  EXPECT_TRUE(done);
  const TinyRun run(directory.path());
  EXPECT_EQ(run.model_bytes("whole"), run.model_bytes("killed"));
  EXPECT_EQ(run.checkpoint_bytes("whole", "00000200"), run.checkpoint_bytes("killed", "00000200"));
}

TEST(Trainer, ADamagedCheckpointCostsOnlyTheStepsSinceTheOneBefore) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("run"));
  const std::string expected = run.model_bytes("run");
  const std::vector<fs::path> checkpoints = training::list_checkpoints(directory / "run");
  ASSERT_EQ(checkpoints.size(), 2u);
  fs::resize_file(checkpoints[0], fs::file_size(checkpoints[0]) / 2);
  io::write_file(directory / "run" / "checkpoints" / ".glassgpt-1-1.tmp", "half a checkpoint");
  fs::remove(directory / "run" / "model.safetensors");

  TrainingOptions options = run.options("run");
  options.resume = true;
  std::vector<std::string> warnings;
  TrainingCallbacks callbacks;
  callbacks.on_warning = [&](std::string_view line) { warnings.emplace_back(line); };
  const TrainingSummary summary = train(options, callbacks);
  EXPECT_EQ(summary.first_step, 28u);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("step_00000030"), std::string::npos);
  EXPECT_EQ(run.model_bytes("run"), expected);
  EXPECT_FALSE(fs::exists(directory / "run" / "checkpoints" / ".glassgpt-1-1.tmp"));
}

// A full disk, say: here a directory stands where the file should go.
TEST(Trainer, ACheckpointThatCannotBeWrittenIsAWarningAndTheRunGoesOn) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("whole"));
  std::vector<std::string> warnings, written;
  TrainingCallbacks callbacks;
  callbacks.on_warning = [&](std::string_view line) { warnings.emplace_back(line); };
  callbacks.on_checkpoint = [&](const fs::path& file) {
    written.push_back(file.filename().string());
    fs::create_directories(training::checkpoint_path(directory / "run", 14) / "in the way");
  };
  train(run.options("run"), callbacks);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("step_00000014"), std::string::npos) << warnings[0];
  EXPECT_EQ(written.front(), "step_00000007.safetensors");
  EXPECT_EQ(written.back(), "step_00000030.safetensors");
  EXPECT_EQ(run.model_bytes("whole"), run.model_bytes("run"));

  // At the end it is an error.
  callbacks.on_checkpoint = [&](const fs::path&) {
    fs::create_directories(training::checkpoint_path(directory / "last", 30) / "in the way");
  };
  expect_error([&] { train(run.options("last"), callbacks); }, ErrorCode::kUnwritable,
               "step_00000030");
}

TEST(Trainer, AModelThatCannotBeWrittenDoesNotCostTheCheckpoint) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  std::vector<std::string> warnings, written;
  TrainingCallbacks callbacks;
  callbacks.on_warning = [&](std::string_view line) { warnings.emplace_back(line); };
  callbacks.on_checkpoint = [&](const fs::path& file) {
    written.push_back(file.filename().string());
    fs::remove_all(directory / "run" / "model.safetensors");
    if (written.size() == 1)
      fs::create_directories(directory / "run" / "model.safetensors" / "in the way");
  };
  TrainingOptions options = run.options("run");
  options.steps = 28;
  train(options, callbacks);
  EXPECT_EQ(written,
            (std::vector<std::string>{"step_00000007.safetensors", "step_00000014.safetensors",
                                      "step_00000021.safetensors", "step_00000028.safetensors"}));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("the checkpoint was written, but not the model"), std::string::npos)
      << warnings[0];
  EXPECT_NE(warnings[0].find("model.safetensors"), std::string::npos) << warnings[0];
}

TEST(Trainer, WritesAModelDirectoryALogAndTheBestModel) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  const TrainingSummary summary = train(run.options("run"));
  EXPECT_FALSE(summary.interrupted);
  EXPECT_EQ(summary.steps, 30u);
  ASSERT_TRUE(summary.validation.has_value());
  EXPECT_GT(summary.best_bits_per_byte, 0);
  for (const char* model : {"run", "run/best"}) {
    const Model loaded = Model::load(directory / model);
    EXPECT_EQ(loaded.config().n_embd, 16u);
    EXPECT_EQ(Tokenizer::load(directory / model).vocab_size(), 300u);
  }
  const auto lines = log_lines(directory / "run");
  std::vector<int> steps, evaluated;
  for (const nlohmann::json& line : lines) {
    for (const char* key : {"step", "tokens", "loss", "lr", "tokens_per_second"})
      EXPECT_TRUE(line.contains(key)) << line;
    steps.push_back(line["step"]);
    if (line.contains("valid_bits_per_byte")) evaluated.push_back(line["step"]);
  }
  EXPECT_EQ(steps, (std::vector<int>{4, 8, 10, 12, 16, 20, 24, 28, 30}));
  EXPECT_EQ(evaluated, (std::vector<int>{10, 20, 30}));
  EXPECT_LT(lines.back()["loss"].get<double>(), lines.front()["loss"].get<double>());
}

TEST(Trainer, TheLastStepIsReportedAndAFinishedRunHasNoLossToReport) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  for (const std::size_t log_every : {4u, 0u}) {
    TrainingOptions options = run.options("run" + std::to_string(log_every));
    options.valid_fraction = 0;  // nothing is held out, so that no evaluation makes the last line
    options.log_every = log_every;
    const TrainingSummary summary = train(options);
    EXPECT_FALSE(summary.validation.has_value());
    const auto lines = log_lines(options.output);
    EXPECT_EQ(lines.size(), log_every == 0 ? 1u : 8u);
    EXPECT_EQ(lines.back()["step"], 30);
    EXPECT_EQ(lines.back()["loss"], summary.loss.value());
    options.resume = true;
    const TrainingSummary again = train(options);
    EXPECT_EQ(again.first_step, 30u);
    EXPECT_FALSE(again.loss.has_value());
  }
}

TEST(Trainer, HeldOutSourcesOfOneNameAreToldApart) {
  EXPECT_EQ(training::source_names({"/a/x.txt", "/a/b/", "/a/c/.."}),
            (std::vector<std::string>{"x.txt", "b", "a"}));
  EXPECT_EQ(training::source_names({"/a/x.txt", "/b/x.txt", "/b/y.txt", "/b/c/x.txt", "/b/x.txt"}),
            (std::vector<std::string>{"a/x.txt", "b/x.txt", "y.txt", "b/c/x.txt", "b/x.txt 2"}));
  EXPECT_EQ(training::source_names({"README.md", "kernels/README.md", "docs"}),
            (std::vector<std::string>{"README.md", "kernels/README.md", "docs"}));

  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("run");
  for (const char* folder : {"one", "two"}) {
    fs::create_directory(directory / folder);
    fs::copy_file(directory / "corpus.txt", directory / folder / "valid.txt");
    options.valid.push_back(directory / folder / "valid.txt");
  }
  train(options);
  const nlohmann::json valid = log_lines(directory / "run").back()["valid"];
  EXPECT_EQ(valid.size(), 2u);
  EXPECT_TRUE(valid.contains("one/valid.txt") && valid.contains("two/valid.txt")) << valid;
}

TEST(Trainer, OverfitsATinyCorpus) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  io::write_file(directory / "line.txt", "The cat sits on the mat and sings of the green hill.\n");
  TrainingOptions options = run.options("run");
  options.corpus = {{directory / "line.txt", 1.0}};
  options.valid_fraction = 0;
  options.steps = 300;
  options.batch_tokens = 32;
  options.log_every = 20;
  options.checkpoint_every = 0;
  options.weight_decay = 0;
  const TrainingSummary summary = train(options);
  EXPECT_LT(summary.loss.value(), 0.05);
  EXPECT_FALSE(summary.validation.has_value());
}

TEST(Trainer, FineTuningStartsFromTheModelGiven) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  const TrainingSummary first = train(run.options("first"));
  TrainingOptions options = run.options("second");
  options.init = directory / "first";
  options.config.reset();
  options.tokenizer.clear();
  options.steps = 1;
  options.learning_rate = 1e-6f;
  options.warmup_steps = 0;
  const TrainingSummary second = train(options);
  ASSERT_TRUE(first.validation && second.validation);
  EXPECT_NEAR(second.validation->bits_per_byte, first.validation->bits_per_byte, 1e-3);
}

TEST(Trainer, AResumedRunNeedsNeitherItsInitialModelNorItsOptions) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("first"));
  TrainingOptions options = run.options("second");
  options.init = directory / "first";
  options.config.reset();
  options.tokenizer.clear();
  options.schedule = LearningRateSchedule::kConstant;
  train(options);
  const std::string expected = run.model_bytes("second");
  fs::remove_all(directory / "first");

  TrainingOptions stored = load_training_options(directory / "second");
  EXPECT_EQ(stored.steps, 30u);
  EXPECT_EQ(stored.learning_rate, 1e-2f);
  EXPECT_EQ(stored.schedule, LearningRateSchedule::kConstant);
  EXPECT_EQ(stored.corpus.at(0).path, directory / "corpus.txt");
  fs::remove(training::checkpoint_path(directory / "second", 30));
  stored.resume = true;
  stored.threads = 2;
  EXPECT_EQ(train(stored).first_step, 28u);
  EXPECT_EQ(run.model_bytes("second"), expected);
}

TEST(Trainer, AResumedRunNeedsNotTheTokenizersFolder) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("run"));
  const std::string expected = run.model_bytes("run");
  fs::remove(training::checkpoint_path(directory / "run", 30));
  fs::remove_all(directory / "tokenizer");
  for (int times = 1; times <= 2; ++times) {
    TrainingOptions stored = load_training_options(directory / "run");
    EXPECT_EQ(stored.tokenizer, directory / "tokenizer");
    stored.resume = true;
    EXPECT_EQ(train(stored).first_step, times == 1 ? 28u : 30u);
  }
  EXPECT_EQ(run.model_bytes("run"), expected);
}

TEST(Trainer, AnotherInitialModelIsNotReadByAResumedRunWhichSaysSo) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("first"));
  TrainingOptions options = run.options("second");
  options.init = directory / "first";
  options.steps = 2;
  train(options);
  std::vector<std::string> warnings;
  TrainingCallbacks callbacks;
  callbacks.on_warning = [&](std::string_view line) { warnings.emplace_back(line); };
  options.resume = true;
  for (const char* same : {"first", "first/", "second/../first"}) {
    options.init = directory / same;
    ++options.steps;
    train(options, callbacks);
    EXPECT_EQ(load_training_options(options.output).init.lexically_normal(),
              options.init.lexically_normal());
  }
  EXPECT_TRUE(warnings.empty()) << warnings[0];
  options.init = directory / "other";
  train(options, callbacks);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("other is not read"), std::string::npos) << warnings[0];
}

TEST(Trainer, GoingOnWithAnotherArithmeticIsAWarning) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("run");
  options.steps = 4;
  train(options);
  std::vector<std::string> warnings;
  TrainingCallbacks callbacks;
  callbacks.on_warning = [&](std::string_view line) { warnings.emplace_back(line); };
  options.resume = true;
  options.gemm = GemmChoice::kReference;
  train(options, callbacks);
  EXPECT_TRUE(warnings.empty()) << "nothing was left to compute: " << warnings[0];
  options.steps = 6;
  train(options, callbacks);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("was auto so far, now it is reference"), std::string::npos);
  EXPECT_NE(warnings[0].find("--gemm"), std::string::npos);
  options.steps = 8;
  train(options, callbacks);
  EXPECT_EQ(warnings.size(), 1u) << "it goes on as before: " << warnings.back();
  options.steps = 10;
  options.gemm = GemmChoice::kSimd;
  options.compute = ComputeType::kBFloat16;
  train(options, callbacks);
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_NE(warnings[2].find("was float32 so far, now it is bfloat16"), std::string::npos);
}

TEST(Trainer, BFloat16IsKeptByAResumedRunAndLearnsAsMuch) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  const double loss = train(run.options("float32")).loss.value();
  TrainingOptions options = run.options("bfloat16");
  options.compute = ComputeType::kBFloat16;
  const double rounded_loss = train(options).loss.value();
  EXPECT_NEAR(rounded_loss, loss, 0.02 * loss);
  const std::string expected = run.model_bytes("bfloat16");
  EXPECT_NE(expected, run.model_bytes("float32"));

  fs::remove(training::checkpoint_path(directory / "bfloat16", 30));
  TrainingOptions stored = load_training_options(directory / "bfloat16");
  EXPECT_EQ(stored.compute, ComputeType::kBFloat16);
  stored.resume = true;
  stored.threads = 2;
  EXPECT_EQ(train(stored).first_step, 28u);
  EXPECT_EQ(run.model_bytes("bfloat16"), expected);
}

TEST(Trainer, RefusesWhatMakesNoSense) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  const auto expect_invalid = [&](const char* part, const auto& change) {
    TrainingOptions options = run.options("bad");
    change(options);
    try {
      train(options);
      ADD_FAILURE() << "nothing was thrown, expected: " << part;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect_invalid("corpus", [](TrainingOptions& o) { o.corpus.clear(); });
  expect_invalid("steps", [](TrainingOptions& o) { o.steps = 0; });
  expect_invalid("learning_rate", [](TrainingOptions& o) { o.learning_rate = -1; });
  expect_invalid("final_learning_rate", [](TrainingOptions& o) { o.final_learning_rate = 0.1f; });
  expect_invalid("final_learning_rate", [](TrainingOptions& o) {
    o.final_learning_rate = 0.1f;
    o.resume = true;  // of nothing: a new run all the same
  });
  expect_invalid("beta2", [](TrainingOptions& o) { o.beta2 = 1; });
  expect_invalid("weight", [](TrainingOptions& o) { o.corpus[0].weight = 0; });
  expect_invalid("config", [](TrainingOptions& o) { o.config.reset(); });
  expect_invalid("compute", [](TrainingOptions& o) {
    o.compute = ComputeType::kBFloat16;
    o.gemm = GemmChoice::kBlas;
  });

  TrainingOptions options = run.options("bad");
  options.corpus[0].path = directory / "nothing";
  expect_error([&] { train(options); }, ErrorCode::kNotFound, "no such file");
  options = run.options("bad");
  options.config->vocab_size = 200;
  expect_error([&] { train(options); }, ErrorCode::kUnsupported, "vocab_size");
  io::write_file(directory / "empty.txt", "\n \n\n");
  options = run.options("bad");
  options.corpus[0].path = directory / "empty.txt";
  expect_error([&] { train(options); }, ErrorCode::kMalformed, "no text");
}

TEST(Trainer, PathsAndPromptsThatAreNotUtf8AreRefusedByName) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  const std::string latin1 = "caf\xE9.txt";
  fs::copy_file(directory / "corpus.txt", directory / latin1);
  TrainingOptions options = run.options("run");
  options.corpus = {{directory / latin1, 1.0}};
  expect_error([&] { train(options); }, ErrorCode::kUnsupported, "not UTF-8",
               (directory / latin1).string());
  options = run.options("run");
  options.sample_prompt = latin1;
  expect_error([&] { train(options); }, ErrorCode::kUnsupported, "prompt");
  EXPECT_FALSE(fs::exists(options.output));
}

TEST(Trainer, RefusesToOverwriteARunAndToResumeAnother) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("run");
  options.steps = 5;
  train(options);
  expect_error([&] { train(options); }, ErrorCode::kUnwritable, "holds a run already");
  options.resume = true;
  options.seed = 2;
  expect_error([&] { train(options); }, ErrorCode::kUnsupported, "seed");
  options.seed = 1;
  io::write_file(directory / "corpus.txt", tiny_corpus(201));
  expect_error([&] { train(options); }, ErrorCode::kUnsupported, "corpus");
}

TEST(Trainer, RefusesToOverwriteAFinishedModel) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  train(run.options("run"));
  fs::create_directory(directory / "model");
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
    fs::copy_file(directory / "run" / file, directory / "model" / file);
  TrainingOptions options = run.options("model");
  for (const bool resume : {false, true}) {
    options.resume = resume;
    expect_error([&] { train(options); }, ErrorCode::kUnwritable,
                 "holds a model and no checkpoint");
  }
  EXPECT_EQ(run.model_bytes("model"), run.model_bytes("run"));
  EXPECT_FALSE(fs::exists(directory / "model" / ".lock"));

  // A tokenizer alone is none: who makes one puts the model beside it.
  fs::remove(directory / "model" / "model.safetensors");
  options.steps = 1;
  EXPECT_EQ(train(options).steps, 1u);
}

TEST(Trainer, ARunThatWasBegunWithARisingRateGoesOn) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("run");
  options.steps = 5;
  options.schedule = LearningRateSchedule::kConstant;
  options.final_learning_rate = 0.1f;  // a constant rate has no floor
  train(options);
  options.schedule = LearningRateSchedule::kCosine;
  options.steps = 7;
  options.resume = true;
  EXPECT_EQ(train(options).first_step, 5u);
  EXPECT_EQ(load_training_options(options.output).final_learning_rate, 0.1f);
}

TEST(Trainer, DivergenceIsAnErrorThatKeepsTheLastCheckpoint) {
  const TemporaryDirectory directory;
  const TinyRun run(directory.path());
  TrainingOptions options = run.options("run");
  options.checkpoint_every = 1;
  options.learning_rate = 1e30f;
  options.clip_norm = 0;
  options.warmup_steps = 0;
  expect_error([&] { train(options); }, ErrorCode::kOutOfRange, "not finite at step 2");
  EXPECT_EQ(training::list_checkpoints(directory / "run"),
            std::vector{training::checkpoint_path(directory / "run", 1)});
  // It is whole: a resumed run gets as far, from there.
  std::vector<std::string> messages;
  TrainingCallbacks callbacks;
  callbacks.on_message = [&](std::string_view line) { messages.emplace_back(line); };
  options.resume = true;
  expect_error([&] { train(options, callbacks); }, ErrorCode::kOutOfRange, "not finite at step 2");
  EXPECT_NE(messages.at(0).find("step_00000001"), std::string::npos) << messages[0];
}

}  // namespace
}  // namespace glassgpt::testing
