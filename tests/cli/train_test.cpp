// train, evaluate and generate, end to end.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>
#include <regex>
#include <sstream>

#include "io/safetensors.h"
#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Training : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    std::string corpus;
    for (int i = 0; i < 60; ++i) {
      corpus += "The cat sat on the mat number " + std::to_string(i) + ".\n\n";
      corpus += "猫坐在垫子上。" + std::to_string(i * i) + "\n\n";
    }
    write("train.txt", corpus);
    write("shape.json", R"({"model_type":"gpt2","vocab_size":320,"n_positions":32,"n_embd":24,
      "n_layer":2,"n_head":2,"position_encoding":"sinusoidal","embedding_scale":4.9})");
  }

  std::vector<std::string> command(const std::string& run, const std::string& steps) const {
    return {"train",
            "--corpus",
            path("train.txt"),
            "--tokenizer",
            model(),
            "--config",
            path("shape.json"),
            "-o",
            path(run),
            "--steps",
            steps,
            "--batch-tokens",
            "128",
            "--lr",
            "3e-3",
            "--warmup",
            "5",
            "--eval-every",
            "20",
            "--checkpoint-every",
            "10"};
  }
};

TEST_F(Training, LearnsAndLogsAndMakesAModelDirectory) {
  const ProgramRun run = run_glassgpt(command("run", "40"));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "log.jsonl"}) {
    EXPECT_TRUE(exists(std::string("run/") + name)) << name;
  }
  std::istringstream log(read("run/log.jsonl"));
  std::vector<double> losses;
  bool validated = false;
  for (std::string line; std::getline(log, line);) {
    const json entry = json::parse(line);
    if (entry.contains("loss")) {
      for (const char* key : {"step", "tokens", "lr", "tokens_per_second"}) {
        EXPECT_TRUE(entry.contains(key)) << line;
      }
      losses.push_back(entry["loss"]);
    }
    validated = validated || entry.contains("valid_bits_per_byte");
  }
  ASSERT_GE(losses.size(), 2u);
  EXPECT_LT(losses.back(), losses.front() - 0.5);
  EXPECT_TRUE(validated);
  EXPECT_EQ(json_of({"embed", "--json", "-m", path("run"), "The cat"}).size(), 1u);
}

TEST_F(Training, InterruptedRunsGoOnWithResume) {
  ASSERT_EQ(run_glassgpt(command("whole", "60")).code, 0);
  auto words = command("cut", "60");
  words.insert(words.end(), {"--log-every", "1", "-q"});
  RunOptions options;
  options.environment = {"LD_PRELOAD=" GLASSGPT_FAILING_DISK,
                         "FAILING_DISK=" + std::to_string(SIGINT) + " write 5 /log.jsonl"};
  expect_failure(run_glassgpt(words, options), 1, "--resume");
  EXPECT_TRUE(exists("cut/checkpoints"));
  words.push_back("--resume");
  const ProgramRun resumed = run_glassgpt(words);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(read("cut/model.safetensors"), read("whole/model.safetensors"));
}

TEST_F(Training, AnInterruptionWhileTokenizingEndsIt) {
  // Of several batches, and of words that are all new, which takes a while.
  std::string corpus;
  std::mt19937 random(1);
  while (corpus.size() < (std::size_t{24} << 20)) {
    for (int i = 0; i < 10; ++i) corpus += static_cast<char>('a' + random() % 26);
    corpus += corpus.size() % 100 < 12 ? "\n\n" : " ";
  }
  write("train.txt", corpus);
  auto words = command("run", "60");
  words.insert(words.end(), {"-q", "--threads", "1"});
  RunOptions options;
  options.when = [&] { return exists("run/.lock"); };
  options.signal = SIGINT;
  expect_failure(run_glassgpt(words, options), 1, "not yet tokenized");
  EXPECT_FALSE(exists("run/tokens.bin"));
  EXPECT_FALSE(exists("run/model.safetensors"));
}

TEST_F(Training, StoredOptionsAreUsedUnlessTheUserSaysOtherwise) {
  ASSERT_EQ(run_glassgpt(command("run", "10")).code, 0);
  expect_failure(run_glassgpt(command("run", "10")), 1, "--resume");
  const ProgramRun more = run_glassgpt({"train", "-o", path("run"), "--resume", "--json"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(json::parse(more.out)["steps"], 10);
  EXPECT_TRUE(json::parse(more.out)["loss"].is_null()) << more.out;
  const ProgramRun in_words = run_glassgpt({"train", "-o", path("run"), "--resume"});
  EXPECT_NE(in_words.err.find("10 steps"), std::string::npos) << in_words.err;
  EXPECT_EQ(in_words.err.find("loss"), std::string::npos) << in_words.err;
}

TEST_F(Training, GoingOnWithAnotherInstructionSetIsAWarning) {
  auto words = command("run", "4");
  words.insert(words.end(), {"--isa", "scalar"});
  ASSERT_EQ(run_glassgpt(words).code, 0);
  const std::vector<std::string> more = {"train", "-o", path("run"), "-q", "--resume", "--steps"};
  const auto resumed = [&](const std::string& steps, const std::string& isa) {
    auto again = more;
    again.push_back(steps);
    if (!isa.empty()) again.insert(again.end(), {"--isa", isa});
    return run_glassgpt(again);
  };
  const ProgramRun same = resumed("6", "scalar");
  EXPECT_EQ(same.code, 0);
  EXPECT_EQ(same.err, "");
  const json info = json::parse(output_of({"info", "--json"}));
  if (info["machine"]["isa"] == "scalar") GTEST_SKIP() << "the CPU has no other instruction set";
  const ProgramRun other = resumed("8", "");
  EXPECT_EQ(other.code, 0);
  EXPECT_NE(other.err.find("instruction set was scalar so far"), std::string::npos) << other.err;
}

TEST_F(Training, TheExamplesOfItsHelpRunOneAfterTheOther) {
  std::filesystem::rename(path("train.txt"), path("texts.txt"));
  std::filesystem::create_directory_symlink(GLASSGPT_SOURCE_DIR "/weights", path("weights"));
  const std::string bin = std::filesystem::path(GLASSGPT_PROGRAM).parent_path().string();
  const std::string help = output_of({"train", "--help"});
  std::istringstream examples(help.substr(help.find("Examples:\n") + 10));
  int commands = 0;
  for (std::string line; std::getline(examples, line) && line.starts_with("  "); ++commands) {
    line = std::regex_replace(line, std::regex("--steps [0-9]+"),
                              "--steps 2 --valid-tokens 100 --sample-tokens 4");
    const std::string script = "export GLASSGPT_THREADS=1 PATH='" + bin + "':\"$PATH\"; cd '" +
                               path("") + "'; { " + line + "; } 2>errors.txt";
    EXPECT_EQ(std::system(script.c_str()), 0) << line << "\n" << read("errors.txt");
  }
  EXPECT_GE(commands, 4);
  EXPECT_TRUE(exists("my-model/model.safetensors") && exists("tuned/model.safetensors"));
}

TEST_F(Training, SnapshotsOfRunsThatWentOnFromEachOtherAreOneHistory) {
  if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0)
    GTEST_SKIP() << "scripts/snapshots.py needs python3-numpy, which is not here";
  auto words = command("first", "6");
  words.insert(words.end(), {"--snapshots", "3"});
  ASSERT_EQ(run_glassgpt(words).code, 0);
  words = command("second", "4");
  words.insert(words.end(), {"--snapshots", "2", "--init", path("first")});
  ASSERT_EQ(run_glassgpt(words).code, 0);
  const auto join = [&](const std::string& runs) {
    const std::string script = GLASSGPT_SOURCE_DIR "/scripts/snapshots.py " + runs + " " +
                               path("joined") + " --glassgpt " GLASSGPT_PROGRAM " >" +
                               path("out.txt") + " 2>&1";
    return std::system(script.c_str());
  };
  ASSERT_EQ(join(path("first") + " " + path("second")), 0) << read("out.txt");
  const io::SafetensorsFile file(path("joined"));
  const auto steps = file.find("step")->data;
  std::vector<std::int32_t> numbers(steps.size() / sizeof(std::int32_t));
  std::memcpy(numbers.data(), steps.data(), steps.size());
  EXPECT_EQ(numbers, (std::vector<std::int32_t>{0, 1, 6, 10}));
  for (const char* name : {"table", "final"}) {
    const io::TensorView& rows = *file.find(name);
    EXPECT_EQ(rows.shape, (std::vector<std::uint64_t>{4, 113, 24})) << name;
    // No moment is another one's.
    const std::size_t size = rows.data.size() / 4;
    for (std::size_t i = 1; i < 4; ++i)
      EXPECT_NE(std::memcmp(rows.data.data() + (i - 1) * size, rows.data.data() + i * size, size),
                0)
          << name << " " << i;
  }
  EXPECT_NE(join(path("first") + " " + path("model")), 0);
  EXPECT_NE(read("out.txt").find("holds no snapshots"), std::string::npos) << read("out.txt");
}

TEST_F(Training, ValuesThatMakeNoSenseAreWrongUsage) {
  const std::pair<const char*, const char*> wrong[] = {
      {"--steps", "0"},
      {"--steps", "-1"},
      {"--steps", "1.5"},
      {"--lr", "0"},
      {"--lr", "-1e-3"},
      {"--lr", "nan"},
      {"--lr", "inf"},
      {"--lr", "1e-60"},
      {"--lr", "fast"},
      {"--min-lr", "-1"},
      {"--min-lr", "1"},
      {"--dropout", "1"},
      {"--beta1", "1"},
      {"--beta2", "1"},
      {"--beta2", "0.99999999999"},
      {"--weight-decay", "-1"},
      {"--clip", "-1"},
      {"--clip", "inf"},
      {"--corpus", "a.txt:x"},
      {"--corpus", "a.txt:0"},
      {"--schedule", "up"},
      {"--warmup", "-1"},
  };
  for (const auto& [option, value] : wrong) {
    auto words = command("run", "10");
    const auto found = std::find(words.begin(), words.end(), option);
    if (found != words.end()) words.erase(found, found + 2);
    words.insert(words.end(), {option, value});
    const ProgramRun run = run_glassgpt(words);
    expect_failure(run, 2, option);
    EXPECT_NE(run.err.find(value), std::string::npos) << run.err;
    EXPECT_EQ(run.err.find("TrainingOptions"), std::string::npos) << run.err;
  }
  EXPECT_FALSE(exists("run"));
}

TEST_F(Training, MissingCorpusAndConfigAreErrors) {
  auto words = command("run", "1");
  words[2] = path("none.txt");
  expect_failure(run_glassgpt(words), 1, "none.txt");
  words = command("run", "1");
  words[6] = path("none.json");
  expect_failure(run_glassgpt(words), 1, "none.json");
  EXPECT_FALSE(exists("run/model.safetensors"));
}

TEST_F(Program, EvaluateTellsLossInBothUnits) {
  const json result = one_json_of({"evaluate", "--json"}, "The cat sat.\n\nA dog 猫\n");
  const double tokens = result["tokens"], bytes = result["bytes"];
  EXPECT_EQ(bytes, 12 + 9);
  // Random weights predict nearly evenly.
  EXPECT_NEAR(result["nats_per_token"].get<double>(), std::log(320.0), 0.5);
  EXPECT_NEAR(result["bits_per_byte"].get<double>(),
              result["nats_per_token"].get<double>() * tokens / bytes / std::log(2.0), 1e-9);
  EXPECT_EQ(one_json_of({"evaluate", "--json", ""})["tokens"], 0);
  EXPECT_NE(output_of({"evaluate", "The cat"}).find("bits per byte"), std::string::npos);
}

TEST_F(Program, EvaluateTakesSpecialTokensAsItIsTold) {
  const std::string text = "The cat<|endoftext|>A dog";
  const json ordinary = one_json_of({"evaluate", "--json", text});
  EXPECT_EQ(ordinary["bytes"], 25);
  const json special = one_json_of({"evaluate", "--json", "--special", "all", text});
  EXPECT_EQ(special["bytes"], 12);  // <|endoftext|> stands for no text
  EXPECT_EQ(special["tokens"],
            one_json_of({"tokenize", "--json", "--special", "all", text})["ids"].size());
  expect_failure(run_glassgpt({"evaluate", "--special", "error", "A dog", text}), 1, "text 1: ");
}

TEST_F(Program, GenerateIsRepeatableAndStreamsWhatItReports) {
  const std::vector<std::string> words = {"generate", "--max-tokens", "20", "--seed",
                                          "5",        "The cat"};
  const std::string streamed = output_of(words);
  EXPECT_EQ(output_of(words), streamed);
  auto json_words = words;
  json_words.push_back("--json");
  const json object = one_json_of(json_words);
  EXPECT_EQ(object["prompt"], "The cat");
  ASSERT_LE(object["ids"].size(), 20u);
  std::string ids;
  for (const json& id : object["ids"]) ids += id.dump() + " ";
  EXPECT_EQ(streamed, "The cat" + output_of({"detokenize", ids}) + "\n");
  auto other = words;
  other[4] = "6";
  EXPECT_NE(output_of(other), streamed);
}

TEST_F(Program, GenerateWithTemperatureZeroIgnoresTheSeed) {
  EXPECT_EQ(output_of({"generate", "--temperature", "0", "--seed", "1", "猫"}),
            output_of({"generate", "--temperature", "0", "--seed", "2", "猫"}));
}

TEST_F(Program, GenerateTakesAnEmptyPromptAndRefusesATooLongOne) {
  EXPECT_EQ(run_glassgpt({"generate", "--max-tokens", "3", ""}).code, 0);
  expect_failure(run_glassgpt({"generate", std::string(60, '#')}), 1,
                 "more than the model's context");
}

}  // namespace
}  // namespace glassgpt::testing
