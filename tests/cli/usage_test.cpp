// What the command line accepts, what it refuses, and how it says so.
#include "program.h"

namespace glassgpt::testing {
namespace {

const char* const kCommands[] = {"embed",       "tokenize",        "detokenize", "similar",
                                 "nearest",     "classify",        "generate",   "evaluate",
                                 "train",       "train-tokenizer", "info",       "profile",
                                 "walkthrough", "export",          "import"};

TEST_F(Program, HelpOfEveryCommandShowsAnExample) {
  for (const std::string command : kCommands) {
    const std::string help = output_of({command, "--help"});
    EXPECT_NE(help.find("Usage: glassgpt " + command), std::string::npos) << help;
    EXPECT_NE(help.find("Examples:\n  glassgpt "), std::string::npos) << help;
    for (const char* option : {"--model", "--threads", "--isa", "--gemm", "--dtype", "--json",
                               "--quiet", "--version", "--help"}) {
      EXPECT_NE(help.find(option), std::string::npos) << command << " lacks " << option;
    }
  }
}

TEST_F(Program, OverviewListsEveryCommand) {
  const std::string help = output_of({"--help"});
  for (const std::string command : kCommands) {
    EXPECT_NE(help.find("\n  " + command + " "), std::string::npos) << command;
  }
}

TEST_F(Program, VersionIsPrintedWithAndWithoutACommand) {
  EXPECT_EQ(output_of({"--version"}), "glassgpt " GLASSGPT_VERSION "\n");
  EXPECT_EQ(output_of({"embed", "--version"}), "glassgpt " GLASSGPT_VERSION "\n");
}

TEST_F(Program, WrongUsageIsExitCodeTwoWithOneLine) {
  expect_failure(run_glassgpt({}), 2, "no command");
  expect_failure(run_glassgpt({"frobnicate"}), 2, "frobnicate");
  expect_failure(run_glassgpt({"--threads", "2"}), 2, "--threads");
  expect_failure(run_glassgpt({"tokenize", "--frobnicate", "text"}), 2, "--frobnicate");
  expect_failure(run_glassgpt({"tokenize", "--threads", "0", "text"}), 2, "--threads");
  expect_failure(run_glassgpt({"tokenize", "--threads", "many", "text"}), 2, "--threads");
  expect_failure(run_glassgpt({"tokenize", "--gemm", "fast", "text"}), 2, "--gemm");
  expect_failure(run_glassgpt({"tokenize", "--special", "some", "text"}), 2, "--special");
  expect_failure(run_glassgpt({"tokenize", "--input"}), 2, "--input");
  expect_failure(run_glassgpt({"tokenize", "--input", "a.txt", "text"}), 2, "--input");
  expect_failure(run_glassgpt({"tokenize", "--ids", "--json", "text"}), 2, "--ids");
  expect_failure(run_glassgpt({"embed", "--layers", "4", "text"}), 2, "'4'");
  expect_failure(run_glassgpt({"embed", "--layers", "-5", "text"}), 2, "'-5'");
  expect_failure(run_glassgpt({"embed", "--layers", "0,,1", "text"}), 2, "''");
  expect_failure(run_glassgpt({"embed", "--layers", "last", "text"}), 2, "'last'");
  expect_failure(run_glassgpt({"embed", "--taps", "query", "text"}), 2, "'query'");
  expect_failure(run_glassgpt({"embed", "--taps", "q.3", "text"}), 2, "0 to 2");
  expect_failure(run_glassgpt({"embed", "--taps", "attention", "text"}), 2, "'attention'");
  expect_failure(run_glassgpt({"embed", "--format", "npy", "text"}), 2, "-o");
  expect_failure(run_glassgpt({"embed", "--pool", "mean", "text"}), 2, "--unit text");
  expect_failure(run_glassgpt({"embed", "--stride", "4", "text"}), 2, "--truncate window");
  expect_failure(run_glassgpt({"embed", "--json", "--format", "csv", "text"}), 2, "--json");
  expect_failure(run_glassgpt({"train"}), 2, "--output");
  expect_failure(run_glassgpt({"train", "-o", path("run")}), 2, "--corpus");
  expect_failure(run_glassgpt({"train-tokenizer", "-o", path("t")}), 2, "no files");
  expect_failure(run_glassgpt({"info", "a", "b"}), 2, "one FILE");
  expect_failure(run_glassgpt({"similar", "a"}), 2, "two texts");
  expect_failure(run_glassgpt({"nearest"}), 2, "query");
}

TEST_F(Program, ControlCharactersDoNotMakeASecondLine) {
  expect_failure(run_glassgpt({"frob\nnicate"}), 2, "frob nicate");
  expect_failure(run_glassgpt({"tokenize", "--input", "a\nb\x1b[2J"}), 1, "a b");
}

TEST_F(Program, TextAfterTwoDashesIsNeverAnOption) {
  EXPECT_EQ(output_of({"tokenize", "--ids", "--", "--json", "-q"}),
            output_of({"tokenize", "--ids"}, "--json\n-q\n"));
  // Nor standard input.
  for (const std::string command : {"tokenize", "embed", "nearest"}) {
    EXPECT_EQ(output_of({command, "--json", "--", "-"}, "The cat\n"),
              output_of({command, "--json", "-"}, "-\n"))
        << command;
  }
}

TEST_F(Program, NumbersAsIdsStayAsTheyAreWritten) {
  const auto as_lines = [&](const std::string& id) {
    return write("ids.jsonl", "{\"id\": " + id + ", \"text\": \"The\"}\n");
  };
  for (const std::string id : {"18446744073709551615", "-9223372036854775808", "1.0", "0.25", "1e2",
                               "18446744073709551617", "0.12345678901234567890"}) {
    const std::string out = output_of({"embed", "-q", "--json", "-i", as_lines(id)});
    EXPECT_EQ(out.substr(0, out.find(",\"tokens\"")), "{\"id\":" + id);
  }
  // What else is in the line is none of its business.
  const std::string line = R"({"more": {"id": 2.50}, "id": 1.50, "text": "0.5", "last": [3.50]})";
  const std::string out =
      output_of({"embed", "-q", "--json", "-i", write("ids.jsonl", line + "\n")});
  EXPECT_EQ(out.substr(0, out.find(",\"tokens\"")), "{\"id\":1.50");
}

TEST_F(Program, AnEmptyValueIsAVariableThatWasNeverSet) {
  const std::vector<std::string> options[] = {
      {"embed", "--center"},    {"embed", "-o"},           {"embed", "-i"},
      {"embed", "--plot"},      {"nearest", "--in"},       {"nearest", "--layer"},
      {"nearest", "--queries"}, {"nearest", "--word"},     {"nearest", "--center"},
      {"similar", "--word"},    {"similar", "--reference"}};
  for (std::vector<std::string> words : options) {
    const std::string option = words[1];
    words.insert(words.end(), {"", "a", "b"});
    expect_failure(run_glassgpt(words), 2, option);
  }
}

TEST_F(Program, ADashAsOutputIsStandardOutput) {
  EXPECT_EQ(output_of({"embed", "-q", "-o", "-", "The cat"}),
            output_of({"embed", "-q", "The cat"}));
  EXPECT_FALSE(std::filesystem::exists("-"));
}

TEST_F(Program, AByteOrderMarkIsNoPartOfAText) {
  const std::string mark = "\xEF\xBB\xBF";
  for (const std::string format : {"lines", "documents"}) {
    const std::vector<std::string> read = {"tokenize", "--ids", "--input-format", format};
    EXPECT_EQ(output_of(read, mark + "The cat\n\n" + mark), output_of(read, "The cat\n\n" + mark));
  }
  EXPECT_EQ(output_of({"detokenize"},
                      output_of({"tokenize", "--ids", "--input-format", "whole"}, mark + "a")),
            mark + "a");
}

TEST_F(Program, CtrlCEndsAWriteThatWaitsForAReader) {
  RunOptions options;
  options.out = RunOptions::Out::kUnread;
  options.when = [] { return true; };
  options.signal = SIGINT;
  for (int i = 0; i < 200; ++i) options.input += "The cat sat on the mat.\n";
  const ProgramRun run = run_glassgpt({"embed", "-q", "--json", "--layers", "all"}, options);
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("interrupted"), std::string::npos) << run.err;
}

TEST_F(Program, TextsAreTakenAsTheyAre) {
  // Argument parsers like to see lists, numbers, escapes and commands in such texts.
  for (const std::string text :
       {"[a,b]", "-5", "embed", "++", "{}", "a\\nb", "%s", "[", "\"", " "}) {
    EXPECT_EQ(output_of({"tokenize", "--ids", text}), output_of({"tokenize", "--ids"}, text + "\n"))
        << text;
  }
}

TEST_F(Program, UnknownInstructionSetIsOneClearError) {
  expect_failure(run_glassgpt({"info", "--isa", "mmx3"}), 1, "mmx3");
  RunOptions options;
  options.environment = {"GLASSGPT_ISA=mmx3"};
  for (const std::string command : {"info", "embed", "tokenize"}) {
    expect_failure(run_glassgpt({command, "text"}, options), 1, "mmx3");
  }
}

TEST_F(Program, ForcedInstructionSetIsTheOneInUse) {
  const auto info = nlohmann::json::parse(output_of({"info", "--json", "--isa", "scalar"}));
  EXPECT_EQ(info["machine"]["isa"], "scalar");
  EXPECT_EQ(info["machine"]["lanes"], 1);
}

TEST_F(Program, Bfloat16ChangesTheVectorsALittleAndWantsOurProduct) {
  const auto vectors = [&](const std::string& type) {
    return nlohmann::json::parse(
               output_of({"embed", "--json", "--dtype", type, "some text"}))["layers"]["final"]
        .get<std::vector<std::vector<double>>>();
  };
  const auto exact = vectors("f32"), rounded = vectors("bf16");
  ASSERT_EQ(rounded.size(), exact.size());
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < exact.size(); ++i)
    for (std::size_t j = 0; j < exact[i].size(); ++j) {
      largest = std::max(largest, std::fabs(exact[i][j]));
      difference = std::max(difference, std::fabs(rounded[i][j] - exact[i][j]));
    }
  EXPECT_GT(difference, 1e-5 * largest);
  EXPECT_LT(difference, 0.05 * largest);
  for (const std::string gemm : {"blas", "reference"})
    expect_failure(run_glassgpt({"embed", "--dtype", "bf16", "--gemm", gemm, "text"}), 2,
                   "--dtype bf16");
}

TEST_F(Program, ClosedOrFullStandardOutputIsAnError) {
  RunOptions options;
  for (const auto out :
       {RunOptions::Out::kClosed, RunOptions::Out::kClosedPipe, RunOptions::Out::kFull}) {
    options.out = out;
    for (const std::string command : {"tokenize", "embed", "info", "--help", "--version"}) {
      if (command[0] == '-') {
        expect_failure(run_glassgpt({command}, options), 1, "standard output");
      } else if (command == "info") {
        expect_failure(run_glassgpt({command}, options), 1, "standard output");
      } else {
        expect_failure(run_glassgpt({command, "The cat"}, options), 1, "standard output");
      }
    }
  }
}

TEST_F(Program, MissingAndBrokenInputsAreExitCodeOne) {
  expect_failure(run_glassgpt({"tokenize", "--input", path("none.txt")}), 1, "none.txt");
  expect_failure(run_glassgpt({"tokenize", "--input", path("model")}), 1, "model");
  const std::string bad = write("bad.jsonl", "{\"text\":\"a\"}\n{\"text\":\n");
  const ProgramRun run = run_glassgpt({"tokenize", "--ids", "-o", path("out.txt"), "--input", bad});
  expect_failure(run, 1, "line 2");
  EXPECT_FALSE(exists("out.txt"));
  expect_failure(run_glassgpt({"tokenize", "-i", write("no.jsonl", "{\"id\":1}\n")}), 1, "line 1");
  expect_failure(run_glassgpt({"tokenize", "-i", write("n.jsonl", "{\"text\":5}\n")}), 1, "text");
  expect_failure(run_glassgpt({"tokenize", "-i", write("l.jsonl", "[1]\n")}), 1, "line 1");
}

TEST_F(Program, UnwritableOutputIsExitCodeOne) {
  const std::string file = write("file", "");
  expect_failure(run_glassgpt({"tokenize", "-o", file + "/x", "text"}), 1, "file/x");
  expect_failure(run_glassgpt({"embed", "-o", file + "/x", "text"}), 1, "file");
  expect_failure(run_glassgpt({"embed", "-o", path("none/x.npz"), "text"}), 1, "x.npz");
  expect_failure(run_glassgpt({"embed", "--format", "jsonl", "-o", "/dev/full", "text"}), 1,
                 "/dev/full");
  expect_failure(run_glassgpt({"train-tokenizer", "-o", file + "/x", path("corpus.txt")}), 1,
                 "file");
}

}  // namespace
}  // namespace glassgpt::testing
