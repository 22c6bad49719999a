// The real program, started several times by mpirun: same results, and one clear end when something
// goes wrong.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/cli/program.h"
#include "tests/train/tiny_run.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Ended {
  int code = -1;
  std::string out, err;
  double seconds = 0;

  // Our error lines; the launcher has its own.
  std::vector<std::string> errors() const {
    std::vector<std::string> found;
    std::istringstream lines(err);
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("glassgpt: error: ", 0) == 0) found.push_back(line);
    }
    return found;
  }
};

class Mpirun : public Program {
 protected:
  void SetUp() override {
    if (std::string(GLASSGPT_MPIRUN).empty())
      GTEST_SKIP() << "built without MPI (-DGLASSGPT_MPI=ON, Debian: libopenmpi-dev openmpi-bin)";
    Program::SetUp();
    // More processes than cores, as root or not, and none tied to a core that another test has.
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    ::setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
    ::setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 1);
    ::setenv("GLASSGPT_THREADS", "1", 1);
    // A folder of its own for what mpirun keeps while it runs: several that share one can remove it
    // under each other.
    ::setenv("TMPDIR", directory_.path().c_str(), 1);
  }

  // `after` mpirun: "-n 2 PROGRAM embed ...". PROGRAM stands for the program. `meanwhile` is called
  // with mpirun's process id while it runs.
  Ended mpirun(std::string after, const std::function<void(pid_t)>& meanwhile = {}) const {
    for (std::size_t at; (at = after.find("PROGRAM")) != std::string::npos;)
      after.replace(at, 7, "'" GLASSGPT_PROGRAM "'");
    const std::string command = "cd '" + directory_.path().string() +
                                "' && exec timeout -k 5 200 " + GLASSGPT_MPIRUN " " + after +
                                " >mpirun.out 2>mpirun.err";
    const auto start = Clock::now();
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    if (meanwhile) meanwhile(child);
    int status = 0;
    ::waitpid(child, &status, 0);
    Ended ended;
    ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ended.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    ended.out = read("mpirun.out");
    ended.err = read("mpirun.err");
    return ended;
  }
  Ended ranks(int count, const std::string& arguments) const {
    return mpirun("-n " + std::to_string(count) + " PROGRAM " + arguments);
  }

  static void expect_one_error(const Ended& ended, const std::string& part) {
    EXPECT_NE(ended.code, 0);
    const std::vector<std::string> errors = ended.errors();
    ASSERT_EQ(errors.size(), 1u) << ended.err;
    EXPECT_NE(errors[0].find(part), std::string::npos) << errors[0];
    EXPECT_LT(ended.seconds, 60) << "it should end within seconds, on a busy machine too";
  }

  // Every file of a folder.
  std::map<std::string, std::string> files(const std::string& folder) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(path(folder))) {
      const std::string name = entry.path().filename().string();
      all[name] = read(folder + "/" + name);
    }
    return all;
  }
  void expect_same_files(const std::string& folder, const std::string& expected) const {
    const auto got = files(folder), wanted = files(expected);
    std::vector<std::string> names, wanted_names;
    for (const auto& [name, bytes] : got) names.push_back(name);
    for (const auto& [name, bytes] : wanted) wanted_names.push_back(name);
    ASSERT_EQ(names, wanted_names);
    for (const auto& [name, bytes] : wanted) EXPECT_TRUE(got.at(name) == bytes) << name;
  }
};

// ---- embed

class MpirunEmbed : public Mpirun {
 protected:
  void SetUp() override {
    Mpirun::SetUp();
    if (IsSkipped()) return;
    // Several blocks; blank lines, texts without tokens, texts longer than the context and a block.
    std::string texts;
    for (int i = 0; i < 300; ++i) {
      nlohmann::json object = {{"text", i % 17 == 0   ? ""
                                        : i % 41 == 3 ? std::string(3000, "abcde"[i % 5])
                                        : i % 2 == 0 ? "The cat sat on the mat. 猫坐在垫子上。"
                                                     : "A bank with money " + std::to_string(i)}};
      if (i % 3 != 0) object["id"] = "text-" + std::to_string(i);
      texts += object.dump() + "\n";
      if (i % 29 == 0) texts += "\n";
    }
    write("texts.jsonl", texts);
  }

  static std::string command(const std::string& out, const std::string& more = "") {
    return "embed --quiet --input texts.jsonl --truncate window --layers 0,final --batch-tokens 64 "
           "-o " +
           out + " " + more;
  }
  // One process.
  void embed_alone(const std::string& out, const std::string& more = "") const {
    const Ended ended = mpirun("-n 1 PROGRAM " + command(out, more));
    ASSERT_EQ(ended.code, 0) << ended.err;
  }
  std::size_t blocks_done(const std::string& out) const {
    if (!exists(out + "/resume.blocks.part")) return 0;
    const std::string done = read(out + "/resume.blocks.part");
    return static_cast<std::size_t>(std::count(done.begin(), done.end(), '1'));
  }

  // mpirun's word for the program with what happens to it at one moment.
  static std::string program_with(const std::string& what) {
    return "env FAILING_DISK='" + what + "' LD_PRELOAD='" GLASSGPT_FAILING_DISK "' PROGRAM ";
  }

  // Starts two ranks; the second is killed when it has done three blocks.
  Ended kill_one(const std::string& out) const {
    const std::string arguments = command(out, "--checkpoint-seconds 0");
    return mpirun("-n 1 PROGRAM " + arguments + " : -n 1 " +
                  program_with("9 sync 3 /resume.blocks.part") + arguments);
  }
};

TEST_F(MpirunEmbed, AnyNumberOfProcessesWritesTheBytesOfOne) {
  embed_alone("one");
  for (const int count : {2, 3}) {
    const std::string out = "ranks" + std::to_string(count);
    const Ended ended = ranks(count, command(out));
    ASSERT_EQ(ended.code, 0) << ended.err;
    expect_same_files(out, "one");
  }
}

TEST_F(MpirunEmbed, WordsTextsAndHalvesToo) {
  for (const std::string more : {"--unit word --out-dtype f16", "--unit text --normalize"}) {
    const std::string name(1, more[7]);
    embed_alone("one-" + name, more);
    const Ended ended = ranks(3, command("three-" + name, more));
    ASSERT_EQ(ended.code, 0) << ended.err;
    expect_same_files("three-" + name, "one-" + name);
  }
}

TEST_F(MpirunEmbed, LinesAndDocumentsAreCutAsByOneProcess) {
  std::string lines;
  for (int i = 0; i < 400; ++i) {
    lines += "line " + std::to_string(i) + (i % 7 == 0 ? "\r\n\n" : "\n");
  }
  write("texts.txt", lines);
  for (const std::string format : {"lines", "documents", "whole"}) {
    const std::string arguments =
        "embed --quiet --input texts.txt --truncate window --input-format " + format + " -o " +
        format;
    const Ended alone = mpirun("-n 1 PROGRAM " + arguments + "1");
    ASSERT_EQ(alone.code, 0) << alone.err;
    const Ended ended = ranks(2, arguments + "2");
    ASSERT_EQ(ended.code, 0) << ended.err;
    expect_same_files(format + "2", format + "1");
  }
}

TEST_F(MpirunEmbed, OneProcessKilledEndsAllAndResumesWithAnyNumber) {
  embed_alone("one");
  for (const int count : {1, 2, 3}) {
    const std::string out = "killed" + std::to_string(count);
    const Ended killed = kill_one(out);
    EXPECT_NE(killed.code, 0);
    EXPECT_LT(killed.seconds, 150);
    ASSERT_GE(blocks_done(out), 3u) << "finished rows are kept";
    const Ended resumed = ranks(count, command(out, "--resume"));
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    expect_same_files(out, "one");
  }
}

TEST_F(MpirunEmbed, AKillAtTheBeginningOfAResumeLosesNothing) {
  embed_alone("one");
  kill_one("killed");
  ASSERT_GE(blocks_done("killed"), 3u);
  mpirun("-n 2 " + program_with("9 empty 1 /resume.blocks.part") + command("killed", "--resume"));
  const Ended resumed = ranks(1, command("killed", "--resume"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  expect_same_files("killed", "one");
}

TEST_F(MpirunEmbed, OneProcessGoesOnFromTheSameFileAlone) {
  embed_alone("one");
  kill_one("killed");
  const Ended piped = mpirun(
      "-n 1 sh -c 'exec \"$0\" embed --truncate window --layers 0,final -o killed --resume "
      "<texts.jsonl' PROGRAM");
  expect_one_error(piped, "--input FILE");
  EXPECT_EQ(piped.code, 2);
  ASSERT_EQ(mpirun("-n 1 PROGRAM " + command("killed", "--resume")).code, 0);
  expect_same_files("killed", "one");
}

TEST_F(MpirunEmbed, SeveralProcessesGoOnWithWhatOneHadBegun) {
  embed_alone("one");
  const Ended killed = mpirun("-n 1 " + program_with("9 sync 120 /final.npy.part") +
                              command("alone", "--checkpoint-seconds 0"));
  ASSERT_NE(killed.code, 0);
  const auto journal = nlohmann::json::parse(read("alone/resume.json"));
  ASSERT_GE(journal["counts"]["texts"].get<int>(), 30);
  const Ended resumed = ranks(2, command("alone", "--resume"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  expect_same_files("alone", "one");
}

TEST_F(MpirunEmbed, AFinishedFolderIsLeftAsItIs) {
  ASSERT_EQ(ranks(2, command("done")).code, 0);
  const auto before = files("done");
  const Ended again = ranks(3, command("done", "--resume"));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(files("done"), before);
  write("texts.jsonl", read("texts.jsonl") + "{\"text\": \"one more\"}\n");
  expect_one_error(ranks(2, command("done", "--resume")), "other texts");
}

TEST_F(MpirunEmbed, OneProcessWithAFullDiskEndsAllAndItsFinishedRowsStay) {
  embed_alone("one");
  // The second may write into the first 48 KiB of a file alone; its rows' place is behind them.
  const Ended full = mpirun("-n 1 PROGRAM " + command("full") +
                            " : -n 1 sh -c 'ulimit -f 96; exec PROGRAM " + command("full") + "'");
  expect_one_error(full, "process 1 on ");
  EXPECT_NE(full.err.find("free some space"), std::string::npos) << full.err;
  const Ended resumed = ranks(2, command("full", "--resume"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  expect_same_files("full", "one");
}

TEST_F(MpirunEmbed, RowsThatADiskLostAreComputedAgain) {
  embed_alone("one");
  const Ended failed =
      mpirun("-n 2 " + program_with("loss") + command("lost", "--checkpoint-seconds 0"));
  EXPECT_NE(failed.code, 0);
  EXPECT_NE(failed.err.find("Input/output error"), std::string::npos) << failed.err;
  const Ended resumed = ranks(2, command("lost", "--resume"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  expect_same_files("lost", "one");
}

TEST_F(MpirunEmbed, OtherOptionsOrOtherTextsOfOneProcessAreRefusedAtOnce) {
  expect_one_error(
      mpirun("-n 1 PROGRAM " + command("a") + " : -n 1 PROGRAM " + command("a", "--normalize")),
      "process 1 of 2 has another model, instruction set or set of options");
  write("other.jsonl", "{\"text\": \"something else\"}\n");
  expect_one_error(mpirun("-n 1 PROGRAM " + command("b") +
                          " : -n 1 PROGRAM embed --quiet --input other.jsonl --truncate window "
                          "--layers 0,final -o b"),
                   "process 1 of 2 has another input");
}

TEST_F(MpirunEmbed, WhatSeveralProcessesCannotShareIsOneErrorOfUsage) {
  const Ended npz = ranks(2, "embed --input texts.jsonl -o v.npz");
  expect_one_error(npz, "a folder of npy files");
  EXPECT_EQ(npz.code, 2);
  expect_one_error(ranks(2, "embed -o folder 'some text'"), "--input FILE");
}

TEST_F(Mpirun, OtherCommandsAreTheWorkOfOneProcess) {
  for (const std::string arguments : {"word2vec -o v.txt corpus.txt", "info",
                                      "train-tokenizer --vocab-size 300 -o t corpus.txt"}) {
    const Ended ended = ranks(2, arguments);
    expect_one_error(ended, "is the work of one process");
    EXPECT_EQ(ended.code, 2);
    EXPECT_EQ(ended.out, "");
  }
  EXPECT_FALSE(exists("v.txt"));
}

TEST_F(Mpirun, ACommonMistakeIsReportedOnce) {
  expect_one_error(ranks(3, "embed --input missing.jsonl -o x"), "missing.jsonl: cannot open");
  expect_one_error(ranks(2, "train -o x --nonsense"), "--nonsense");
}

// The launcher of a busy machine can take seconds to end the others after the first has failed;
// here it is stopped for two.
TEST_F(Mpirun, OneSpeaksThoughTheLauncherIsSlow) {
  const auto stop_launcher = [this](pid_t group) {
    const auto end = Clock::now() + std::chrono::seconds(60);
    while ((!exists("ranks.err") || read("ranks.err").empty()) && Clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    // timeout leads a group of its own, with mpirun and without the ranks.
    ::kill(-group, SIGSTOP);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    ::kill(-group, SIGCONT);
  };
  mpirun("-n 3 sh -c 'exec \"$0\" info 2>>ranks.err' PROGRAM", stop_launcher);
  const std::string said = read("ranks.err");
  const auto lines = std::count(said.begin(), said.end(), '\n');
  EXPECT_EQ(lines, 1) << said;
  EXPECT_NE(said.find("info is the work of one process"), std::string::npos) << said;
}

TEST_F(Mpirun, HelpIsPrintedOnce) {
  const Ended ended = ranks(2, "--version");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 1) << ended.out;
}

// ---- train

class MpirunTrain : public Mpirun {
 protected:
  void SetUp() override {
    Mpirun::SetUp();
    if (IsSkipped()) return;
    TinyRun run(directory_.path() / "tiny");
  }
  static std::string command(const std::string& out, const std::string& more = "") {
    std::string words =
        "train --quiet --corpus tiny/corpus.txt --tokenizer tiny/tokenizer --config "
        "tiny/config.json --micro-batch-tokens 32 --lr 1e-2 --warmup 5 --log-every 1 "
        "--eval-every 10 -o " +
        out + " " + more;
    for (const std::string usual : {"--steps 40", "--batch-tokens 112", "--checkpoint-every 10"}) {
      if (more.find(usual.substr(0, usual.find(' '))) == std::string::npos) words += " " + usual;
    }
    return words;
  }
  std::vector<double> losses(const std::string& out) const {
    std::istringstream lines(read(out + "/log.jsonl"));
    std::vector<double> losses;
    for (std::string line; std::getline(lines, line);)
      losses.push_back(nlohmann::json::parse(line).at("loss").get<double>());
    return losses;
  }
  void expect_same_curve(const std::string& got, const std::string& expected) const {
    const std::vector<double> a = losses(got), b = losses(expected);
    ASSERT_EQ(a.size(), b.size());
    ASSERT_GE(a.size(), 40u);
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_LE(std::abs(a[i] - b[i]), 1e-5 * b[i]) << i;
  }
  std::size_t checkpoints(const std::string& out) const {
    std::size_t count = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path(out) + "/checkpoints", error))
      count += entry.path().extension() == ".safetensors" ? 1 : 0;
    return count;
  }
  // Of the newest checkpoint.
  std::size_t last_step(const std::string& out) const {
    std::size_t last = 0;
    for (const auto& entry : fs::directory_iterator(path(out) + "/checkpoints")) {
      if (entry.path().extension() != ".safetensors") continue;
      last = std::max(last, std::stoul(entry.path().stem().string().substr(5)));
    }
    return last;
  }

  const std::string last_ = "/checkpoints/step_00000040.safetensors";
};

TEST_F(MpirunTrain, ProcessesGiveTheLossOfOneAndTheSameBytesEveryTime) {
  ASSERT_EQ(mpirun("-n 1 PROGRAM " + command("one")).code, 0);
  for (const std::string out : {"two", "again"}) {
    const Ended ended = ranks(2, command(out));
    ASSERT_EQ(ended.code, 0) << ended.err;
  }
  expect_same_curve("two", "one");
  EXPECT_TRUE(read("again" + last_) == read("two" + last_));
  const Ended sharded = ranks(2, command("sharded", "--shard-optimizer"));
  ASSERT_EQ(sharded.code, 0) << sharded.err;
  EXPECT_TRUE(read("sharded" + last_) == read("two" + last_));
}

TEST_F(MpirunTrain, OneProcessKilledEndsAllAndItsCheckpointResumesWithAnyNumber) {
  // Of a run that would go on for long.
  const auto long_run = [&](const std::string& out) {
    return command(out, "--shard-optimizer --steps 2000000");
  };
  const Ended killed =
      mpirun("-n 1 PROGRAM " + long_run("run") + " : -n 1 sh -c 'echo $$ >victim; exec PROGRAM " +
                 long_run("run") + "'",
             [&](pid_t) {
               const auto start = Clock::now();
               while (checkpoints("run") < 2 && Clock::now() - start < std::chrono::minutes(2))
                 std::this_thread::sleep_for(std::chrono::milliseconds(5));
               ::kill(static_cast<pid_t>(std::stol(read("victim"))), SIGKILL);
             });
  EXPECT_NE(killed.code, 0);
  EXPECT_LT(killed.seconds, 150);
  EXPECT_NE(killed.err.find("signal 9"), std::string::npos) << killed.err;
  ASSERT_GE(checkpoints("run"), 1u);
  // Any number of processes can read it and go on.
  std::size_t steps = last_step("run");
  for (const int count : {3, 1, 2}) {
    steps += 10;
    const Ended resumed =
        ranks(count, "train --quiet -o run --resume --steps " + std::to_string(steps));
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(last_step("run"), steps);
  }
}

TEST_F(MpirunTrain, AFullDiskOfTheWriterEndsAllWithOneError) {
  // The first process may write files of 40 KiB: no checkpoint, which at the end is an error.
  const Ended full =
      mpirun("-n 1 sh -c 'ulimit -f 80; exec PROGRAM " + command("full", "--checkpoint-every 0") +
             "' : -n 1 PROGRAM " + command("full", "--checkpoint-every 0"));
  expect_one_error(full, "cannot be written: File too large");
}

TEST_F(MpirunTrain, OtherOptionsOfOneProcessAreRefusedAtOnce) {
  expect_one_error(
      mpirun("-n 1 PROGRAM " + command("run") + " : -n 1 PROGRAM " + command("run", "--seed 2")),
      "process 1 of 2 has another set of options");
  EXPECT_EQ(checkpoints("run"), 0u);
}

TEST_F(MpirunTrain, ABatchThatCannotBeSharedOutIsOneError) {
  expect_one_error(ranks(3, command("run", "--batch-tokens 32")), "cannot be shared out among 3");
}

}  // namespace
}  // namespace glassgpt::testing
