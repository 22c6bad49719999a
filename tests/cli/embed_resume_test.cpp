// embed -o DIR that is killed, interrupted, out of disk space, or started twice.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "program.h"
#include "tests/io/small_disk.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

class ResumedEmbedding : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    const std::string parts[] = {"The cat sat on the mat. ", "猫坐在垫子上。",
                                 "A river bank, 银行 ", "naïve money "};
    for (int text = 0; text < 120; ++text) {
      for (int i = 0; i < text % 4; ++i) texts_ += parts[(text * 7 + i) % 4];
      // Two long ones, of many windows.
      if (text % 60 == 40) {
        for (int i = 0; i < 60; ++i) texts_ += parts[i * i % 4];
      }
      texts_ += "\n";
    }
  }

  // Windows and small passes.
  Words command(const std::string& out, const Words& more = {}) const {
    Words words = {"embed", "--layers", "0,2,final", "--truncate",     "window", "--stride",
                   "9",     "-o",       path(out),   "--batch-tokens", "40"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // With a checkpoint after each pass.
  Words careful_command(const std::string& out, const Words& more = {}) const {
    Words words = command(out, more);
    words.insert(words.end(), {"--checkpoint-seconds", "0", "-q"});
    return words;
  }

  // Every file of the folder, by name.
  std::map<std::string, std::string> files(const std::string& out) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(path(out))) {
      const std::string name = entry.path().filename().string();
      all[name] = read(out + "/" + name);
    }
    return all;
  }

  json journal(const std::string& out) const {
    std::ifstream file(path(out + "/resume.json"));
    return file ? json::parse(file, nullptr, false) : json();
  }
  std::uint64_t texts_done(const std::string& out) const {
    const json now = journal(out);
    return now.is_object() ? now["counts"]["texts"].get<std::uint64_t>() : 0;
  }

  // Gives it the first `bytes` bytes of the texts, and the signal once the journal says that at
  // least `texts` of them are done.
  ProgramRun stop(const std::string& out, int signal, std::size_t bytes, std::uint64_t texts,
                  const Words& more) const {
    RunOptions options;
    options.input = texts_.substr(0, bytes);
    options.signal = signal;
    options.when = [this, out, texts] { return texts_done(out) >= texts; };
    return run_glassgpt(careful_command(out, more), options);
  }

  void expect_same_after_kills(const Words& more) {
    ASSERT_EQ(run_with_input(command("whole", more), texts_).code, 0);
    Words resumed = more;
    resumed.emplace_back("--resume");
    std::size_t line = 0;
    for (const int texts : {1, 30, 41, 75, 101}) {
      std::size_t bytes = 0;
      for (line = 0; line < static_cast<std::size_t>(texts) + 12; ++line) {
        bytes = texts_.find('\n', bytes) + 1;
      }
      const ProgramRun run =
          stop("out", SIGKILL, bytes - 5, static_cast<std::uint64_t>(texts), resumed);
      EXPECT_EQ(run.code, 128 + SIGKILL) << run.err;
      EXPECT_FALSE(exists("out/manifest.json"));
      // What was written after the last checkpoint may be anything.
      for (const std::string part : {"layer_02.npy.part", "rows.jsonl.part"}) {
        std::ofstream(path("out/" + part), std::ios::app) << "half a ro";
      }
    }
    const ProgramRun last = run_with_input(command("out", resumed), texts_);
    EXPECT_EQ(last.code, 0) << last.err;
    EXPECT_NE(last.err.find("goes on after"), std::string::npos) << last.err;
    EXPECT_EQ(files("out"), files("whole"));
  }

  std::string texts_;  // 120 lines
};

TEST_F(ResumedEmbedding, OfTokensHasTheSameBytesAfterAnyKill) { expect_same_after_kills({}); }

TEST_F(ResumedEmbedding, OfWordsHasTheSameBytesAfterAnyKill) {
  expect_same_after_kills({"--unit", "word", "--normalize"});
}

TEST_F(ResumedEmbedding, OfTextsHasTheSameBytesAfterAnyKill) {
  expect_same_after_kills({"--unit", "text", "--out-dtype", "f16"});
}

TEST_F(ResumedEmbedding, GoesOnInTheMiddleOfALongText) {
  for (int i = 0; i < 60; ++i) texts_ = "riverbank " + texts_;  // text 0: some hundred tokens
  ASSERT_EQ(run_with_input(command("whole"), texts_).code, 0);
  RunOptions options;
  options.input = texts_.substr(0, texts_.find('\n') + 1);
  options.signal = SIGKILL;
  options.when = [this] {
    const json now = journal("out");
    return now.is_object() && now["windows"] > 3;
  };
  EXPECT_EQ(run_glassgpt(careful_command("out"), options).code, 128 + SIGKILL);
  EXPECT_EQ(texts_done("out"), 1u);
  EXPECT_EQ(run_with_input(command("out", {"--resume"}), texts_).code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

TEST_F(ResumedEmbedding, CtrlCKeepsAllThatWasDoneAndSaysSo) {
  ASSERT_EQ(run_with_input(command("whole"), texts_).code, 0);
  // Without checkpoints in between: the interruption itself must leave one.
  RunOptions options;
  options.input = texts_.substr(0, texts_.size() / 2);
  options.signal = SIGINT;
  options.when = [this] {
    return exists("out/rows.jsonl.part") && !read("out/rows.jsonl.part").empty();
  };
  Words words = command("out", {"-q"});
  expect_failure(run_glassgpt(words, options), 1, "--resume");
  EXPECT_GT(texts_done("out"), 0u);
  words.emplace_back("--resume");
  EXPECT_EQ(run_with_input(words, texts_).code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

// Each pass begins a checkpoint, if the one before is done, and goes on beside it, with enough rows
// for two threads to write: the thread sanitizer's test of what all these share.
TEST_F(ResumedEmbedding, CheckpointsBesideTwoThreadsChangeNoByte) {
  for (const std::string unit : {"token", "word"}) {
    const auto run = [&](const std::string& out, const Words& more) {
      Words words = {"embed",  "--layers",     "all", "--truncate", "window", "--unit",     unit,
                     "--taps", "q,mlp_hidden", "-o",  out,          "-q",     "--normalize"};
      words.insert(words.end(), more.begin(), more.end());
      const ProgramRun result = run_with_input(words, texts_);
      EXPECT_EQ(result.code, 0) << result.err;
    };
    run(path("whole"), {"--threads", "1"});
    run(path("out"), {"--threads", "2", "--batch-tokens", "300", "--checkpoint-seconds", "0.0001"});
    EXPECT_EQ(files("out"), files("whole"));
  }
}

TEST_F(ResumedEmbedding, AFileAtItsSizeLimitIsAnErrorFromWhichItGoesOn) {
  ASSERT_EQ(run_with_input(command("whole"), texts_).code, 0);
  RunOptions options;
  options.input = texts_;
  options.file_limit = fs::file_size(path("whole/final.npy")) / 2;
  const ProgramRun run = run_glassgpt(careful_command("out"), options);
  expect_failure(run, 1, "too large");
  EXPECT_NE(run.err.find("--resume"), std::string::npos) << run.err;
  EXPECT_GT(texts_done("out"), 0u);
  EXPECT_EQ(run_with_input(command("out", {"--resume"}), texts_).code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

TEST_F(ResumedEmbedding, AFullDiskIsAnErrorFromWhichItGoesOn) {
  SmallDisk disk(path("disk"), "512k");
  if (!disk.mounted()) GTEST_SKIP() << "no tmpfs can be mounted here: " << disk.why();
  ASSERT_EQ(run_with_input(command("whole"), texts_).code, 0);
  const ProgramRun run = run_with_input(command("disk/out", {"-q"}), texts_);
  expect_failure(run, 1, "No space left");
  EXPECT_NE(run.err.find("--resume"), std::string::npos) << run.err;
  EXPECT_GT(texts_done("disk/out"), 0u);
  // Still full: the same error again, and nothing is lost.
  expect_failure(run_with_input(command("disk/out", {"-q", "--resume"}), texts_), 1,
                 "No space left");
  ASSERT_TRUE(disk.resize("8m"));
  EXPECT_EQ(run_with_input(command("disk/out", {"--resume"}), texts_).code, 0);
  EXPECT_EQ(files("disk/out"), files("whole"));
}

TEST_F(ResumedEmbedding, RowsThatADiskLostAreComputedAgain) {
  ASSERT_EQ(run_with_input(command("whole"), texts_).code, 0);
  RunOptions options;
  options.input = texts_;
  options.environment = {"LD_PRELOAD=" GLASSGPT_FAILING_DISK, "FAILING_DISK=loss"};
  const ProgramRun run = run_glassgpt(careful_command("out"), options);
  expect_failure(run, 1, "Input/output error");
  EXPECT_NE(run.err.find("--resume"), std::string::npos) << run.err;
  EXPECT_GT(texts_done("out"), 0u);
  EXPECT_EQ(run_with_input(command("out", {"--resume"}), texts_).code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

TEST_F(ResumedEmbedding, GivingTheFilesTheirNamesCanBeDoneAgain) {
  ASSERT_EQ(run_with_input(command("whole"), texts_).code, 0);
  RunOptions options;
  options.input = texts_;
  options.when = [this] {
    if (texts_done("out") == 0) return false;
    fs::create_directories(path("out/layer_02.npy/in the way"));
    return true;
  };
  expect_failure(run_glassgpt(careful_command("out"), options), 1, "layer_02.npy");
  EXPECT_FALSE(exists("out/manifest.json"));
  EXPECT_TRUE(exists("out/layer_00.npy"));
  EXPECT_TRUE(exists("out/final.npy.part"));
  fs::remove_all(path("out/layer_02.npy"));
  EXPECT_EQ(run_with_input(command("out", {"--resume"}), texts_).code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

// By the system's list: trying it would take the lock for a moment.
bool is_locked(const std::string& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return false;
  const std::string inode = ":" + std::to_string(status.st_ino) + " ";
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    if (line.find("FLOCK") != std::string::npos && line.find(inode) != std::string::npos)
      return true;
  }
  return false;
}

TEST_F(ResumedEmbedding, ASecondProcessOnTheSameOutputIsRefused) {
  const std::string file = path("v.jsonl");
  for (const Words& words : {command("out"), Words{"embed", "-o", file}}) {
    RunOptions options;
    options.input = "The cat\n";
    const std::string locked = words.size() > 3 ? path("out") : path(".v.jsonl.lock");
    options.when = [&] {
      if (!is_locked(locked)) return false;
      expect_failure(run_with_input(words, "A dog\n"), 1, "another process");
      return true;
    };
    EXPECT_EQ(run_glassgpt(words, options).code, 0);
    EXPECT_EQ(run_with_input(words, "The cat\n").code, 0);  // the lock is gone
  }
  EXPECT_FALSE(exists(".v.jsonl.lock"));
}

TEST_F(ResumedEmbedding, AnotherNameOfTheOutputIsTheSameOutput) {
  write("v.jsonl", "");
  fs::create_symlink("v.jsonl", path("link.jsonl"));
  RunOptions options;
  options.input = "The cat\n";
  options.when = [&] {
    if (!is_locked(path(".v.jsonl.lock")) || !is_locked(path(".p.svg.lock"))) return false;
    expect_failure(run_with_input({"embed", "-o", path("link.jsonl")}, "A dog\n"), 1,
                   "link.jsonl: another process");
    expect_failure(run_with_input({"embed", "--plot", path("p.svg")}, "A dog\n"), 1,
                   "p.svg: another process");
    return true;
  };
  EXPECT_EQ(run_glassgpt({"embed", "-o", path("v.jsonl"), "--plot", path("p.svg")}, options).code,
            0);
}

TEST_F(ResumedEmbedding, AManifestOfAnotherProgramIsNotReplaced) {
  fs::create_directories(path("site"));
  for (const std::string bytes : {R"({"name": "an app", "icons": []})", "{", ""}) {
    write("site/manifest.json", bytes);
    for (const Words& more : {Words{}, Words{"--resume"}}) {
      expect_failure(run_with_input(command("site", more), "The cat\n"), 1,
                     "is no manifest of embed");
      EXPECT_EQ(files("site"), (std::map<std::string, std::string>{{"manifest.json", bytes}}));
    }
  }
}

TEST_F(ResumedEmbedding, ADamagedJournalIsRefusedOrReplacedWhole) {
  ASSERT_EQ(stop("out", SIGKILL, texts_.size() / 2, 20, {}).code, 128 + SIGKILL);
  auto record = nlohmann::ordered_json::parse(read("out/resume.json"));
  record["rows"] = std::uint64_t{1} << 63;
  write("out/resume.json", record.dump());
  expect_failure(run_with_input(command("out", {"--resume"}), texts_), 1, "resume.json");
  record["counts"]["rows"] = record["rows"];
  write("out/resume.json", record.dump());
  expect_failure(run_with_input(command("out", {"--resume"}), texts_), 1, "cannot have");
  write("out/resume.json", "{");
  ASSERT_EQ(run_with_input({"embed", "--layers", "1", "-o", path("out")}, "The cat\n").code, 0);
  std::vector<std::string> names;
  for (const auto& [name, bytes] : files("out")) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"layer_01.npy", "manifest.json", "rows.jsonl"}));
}

TEST_F(ResumedEmbedding, OtherSettingsOrTextsAreRefusedByName) {
  const std::size_t half = texts_.size() / 2;
  ASSERT_EQ(stop("out", SIGKILL, half, 20, {}).code, 128 + SIGKILL);
  const auto resume = [&](const Words& more, const std::string& texts) {
    Words words = command("out", more);
    words.emplace_back("--resume");
    return run_with_input(words, texts);
  };
  expect_failure(resume({"--normalize"}, texts_), 1, "options.normalize was false, now it is true");
  expect_failure(resume({}, "An" + texts_), 1, "texts are not those");
  expect_failure(resume({}, "The cat\n"), 1, "only 1");
  expect_failure(run_with_input({"embed", "--resume", "-o", path("v.npz")}, texts_), 2, "--resume");
  write("out/resume.json", "{");
  expect_failure(resume({}, texts_), 1, "without --resume");
  EXPECT_EQ(run_with_input(command("out"), "The cat\n").code, 0);
  ASSERT_EQ(run_with_input(command("whole"), "The cat\n").code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

// What the message about a text that is too long tells one to do.
TEST_F(ResumedEmbedding, AnotherTruncationGoesOnWhereATextWasTooLong) {
  const auto with = [&](const std::string& out, const Words& more) {
    Words words = {"embed", "--layers", "0,2,final", "--batch-tokens", "40", "-o", path(out)};
    words.insert(words.end(), more.begin(), more.end());
    return run_with_input(words, texts_);
  };
  for (const Words& choice : {Words{"--truncate", "left"}, Words{"--truncate", "right"},
                              Words{"--truncate", "window", "--stride", "9"}}) {
    const ProgramRun run = with("out", {"-q"});
    expect_failure(run, 1, "--truncate left, right or window; what is done stays");
    EXPECT_GT(texts_done("out"), 0u);
    Words resumed = choice;
    resumed.emplace_back("--resume");
    const ProgramRun last = with("out", resumed);
    EXPECT_EQ(last.code, 0) << last.err;
    EXPECT_NE(last.err.find("goes on after"), std::string::npos) << last.err;
    ASSERT_EQ(with("whole", choice).code, 0);
    EXPECT_EQ(files("out"), files("whole"));
  }
  // Rows that were cut, or read in windows, are not those of another truncation.
  ASSERT_EQ(stop("cut", SIGKILL, texts_.size() / 2, 20, {}).code, 128 + SIGKILL);
  Words words = careful_command("cut", {"--resume"});
  std::replace(words.begin(), words.end(), Words::value_type("window"), Words::value_type("left"));
  words.erase(std::find(words.begin(), words.end(), "--stride"),
              std::find(words.begin(), words.end(), "-o"));
  expect_failure(run_with_input(words, texts_), 1, "options.truncate was \"window\"");
}

TEST_F(ResumedEmbedding, WithoutResumeItBeginsAgainAndSaysWhatIsLost) {
  ASSERT_EQ(stop("out", SIGKILL, texts_.size() / 2, 20, {"--taps", "v.1"}).code, 128 + SIGKILL);
  const ProgramRun run = run_with_input(command("out"), "The cat\n");
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.err.find("begins again"), std::string::npos) << run.err;
  ASSERT_EQ(run_with_input(command("whole"), "The cat\n").code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

TEST_F(ResumedEmbedding, WhatIsCompleteStaysAsItIs) {
  ASSERT_EQ(run_with_input(command("out"), texts_).code, 0);
  const auto before = files("out");
  const auto time = fs::last_write_time(path("out/final.npy"));
  const ProgramRun run = run_with_input(command("out", {"--resume"}), texts_);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.err.find("complete already"), std::string::npos) << run.err;
  EXPECT_EQ(fs::last_write_time(path("out/final.npy")), time);
  EXPECT_EQ(files("out"), before);
  expect_failure(run_with_input(command("out", {"--resume"}), "The cat\n"), 1, "other texts");
  expect_failure(run_with_input(command("out", {"--resume", "--normalize"}), texts_), 1,
                 "normalize");
  EXPECT_EQ(files("out"), before);
}

TEST_F(ResumedEmbedding, WhatIsGoneFromACompleteFolderIsAnError) {
  const Words resume = command("out", {"--resume"});
  for (const std::string name : {"layer_02.npy", "rows.jsonl"}) {
    ASSERT_EQ(run_with_input(command("out"), texts_).code, 0);
    fs::remove(path("out/" + name));
    expect_failure(run_with_input(resume, texts_), 1, "out/" + name);
  }
  ASSERT_EQ(run_with_input(command("out"), texts_).code, 0);
  fs::resize_file(path("out/final.npy"), fs::file_size(path("out/final.npy")) - 1);
  expect_failure(run_with_input(resume, texts_), 1, "bytes");
}

TEST_F(ResumedEmbedding, AnEarlierResultStaysWholeUntilTheNewOneIs) {
  ASSERT_EQ(run_with_input(command("out"), "The cat\n").code, 0);
  const auto before = files("out");
  ASSERT_EQ(stop("out", SIGKILL, texts_.size() / 2, 20, {"--normalize"}).code, 128 + SIGKILL);
  auto now = files("out");
  for (const auto& [name, bytes] : before) EXPECT_EQ(now[name], bytes) << name;
  EXPECT_EQ(run_with_input(command("out", {"--normalize", "--resume"}), texts_).code, 0);
  ASSERT_EQ(run_with_input(command("whole", {"--normalize"}), texts_).code, 0);
  EXPECT_EQ(files("out"), files("whole"));
}

}  // namespace
}  // namespace glassgpt::testing
