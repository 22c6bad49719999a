// glassgpt walkthrough as a user runs it.
#include "subject.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Walkthrough : public Program {};

TEST_F(Walkthrough, AsJsonHasEveryChapterAndTheProfile) {
  // The examples are too long for this model's context: a word of the reader's own.
  const json data = one_json_of({"walkthrough", "--json", "-q", "--threads", "1", "--word", "cat",
                                 "--contexts", "The cat sat.", "A dog and a cat.", "The cat sat."});
  EXPECT_EQ(data["schema"], 1);
  for (const char* name : {"text", "model", "counts", "one_hot", "skip_gram", "bpe", "embedding",
                           "positions", "attention", "layers", "contexts", "uses", "cost"}) {
    ASSERT_TRUE(data.contains(name)) << name;
    EXPECT_FALSE(data[name].is_null()) << name;
  }
  for (const char* name : {"q", "k", "v", "scores", "weights", "heads"}) {
    EXPECT_EQ(data["attention"][name]["dtype"], "f32") << name;
  }
  const json printed =
      one_json_of({"profile", "--json", "-q", "--threads", "1", "--repeat", "1", "The cat sat."});
  const json& profile = data["cost"]["profile"];
  ASSERT_EQ(profile["stages"].size(), printed["stages"].size());
  for (std::size_t i = 0; i < printed["stages"].size(); ++i) {
    for (const char* key : {"name", "layer", "flops", "bytes", "calls"}) {
      EXPECT_EQ(profile["stages"][i][key], printed["stages"][i][key]) << key;
    }
  }
  for (const auto& [key, value] : printed.items()) EXPECT_TRUE(profile.contains(key)) << key;
  ASSERT_EQ(data["cost"]["implementations"].size(), 3u);
  for (const json& one : data["cost"]["implementations"]) {
    EXPECT_GT(one["median_ms"], 0);
    EXPECT_EQ(one["stages"].size(), 10u);
    for (const json& stage : one["stages"]) {
      for (const char* key : {"ms", "gflops_per_second", "gb_per_second", "percent_of_roof"}) {
        EXPECT_GE(stage.at(key), 0) << key;
      }
    }
  }
}

// The JSON of the page's element of that id.
json element_of(const std::string& page, const std::string& id) {
  const std::string begin = "<script type=\"application/json\" id=\"" + id + "\">";
  const std::size_t at = page.find(begin);
  EXPECT_NE(at, std::string::npos) << id;
  if (at == std::string::npos) return nullptr;
  const std::size_t start = at + begin.size();
  return json::parse(page.substr(start, page.find("</script>", start) - start));
}

TEST_F(Walkthrough, WritesOnePageWhateverTheTextHolds) {
  const std::string hostile = "</script><b>\xFF\xE7\x8C\x01'\"\\ \xE2\x80\xA8";
  const ProgramRun run =
      run_glassgpt({"walkthrough", "-q", "--threads", "1", "-o", path("page.html"), "--", hostile});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  const std::string page = read("page.html");
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  const json data = element_of(page, "walkthrough-data");
  EXPECT_EQ(data["text"]["valid_utf8"], false);
  EXPECT_EQ(data["text"]["bytes_total"], hostile.size());
  for (const char* language : {"text-en", "text-zh"})
    EXPECT_TRUE(element_of(page, language).is_object());
  EXPECT_TRUE(page.ends_with("</html>\n"));
}

TEST_F(Walkthrough, TellsItsStoryInBothLanguages) {
  const std::vector<std::string> command = {"walkthrough", "--terminal", "-q",
                                            "--threads",   "1",          "The cat sat."};
  RunOptions english, chinese;
  english.environment = {"LC_ALL=", "LC_MESSAGES=", "LANG=en_US.UTF-8"};
  chinese.environment = {"LC_ALL=", "LC_MESSAGES=", "LANG=zh_CN.UTF-8"};
  const std::string in_english = run_glassgpt(command, english).out;
  const std::string in_chinese = run_glassgpt(command, chinese).out;
  for (const char* part :
       {"1. Vectors and angles", "12.4°", "11. What it costs", "$ glassgpt profile"}) {
    EXPECT_NE(in_english.find(part), std::string::npos) << part;
  }
  for (const char* part : {"1. 向量与夹角", "12.4°", "\n11. ", "$ glassgpt profile"}) {
    EXPECT_NE(in_chinese.find(part), std::string::npos) << part;
  }
  std::vector<std::string> asked = command;
  asked.insert(asked.end() - 1, {"--lang", "zh"});
  EXPECT_NE(run_glassgpt(asked, english).out.find("向量与夹角"), std::string::npos);
}

TEST_F(Walkthrough, OfTheBundledModelTellsWhatThePageShows) {
  RunOptions options;
  // Another way to name it: commands need not.
  const auto relative = std::filesystem::relative(GLASSGPT_SOURCE_DIR "/weights/mini");
  options.environment = {"GLASSGPT_MODEL=" + relative.string()};
  const std::string story =
      run_glassgpt({"walkthrough", "--terminal", "-q", "--lang", "en", "The river."}, options).out;
  for (const char* part :
       {"positions that are learned: mini-learned, 256 of them", "Nearest to bank in A",
        "Nearest to bank in B", "What this model cannot do. ", "simd ms", "blas ms", "reference ms",
        "  $ glassgpt tokenize --json --merges 'The river.'\n"}) {
    EXPECT_NE(story.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(story.find("{parameters}"), std::string::npos);
}

TEST_F(Walkthrough, ReadsStandardInputWhole) {
  const ProgramRun run = run_with_input(
      {"walkthrough", "--json", "-q", "--threads", "1", "--input-format", "whole"}, "cat\nmat\n");
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(json::parse(run.out)["text"]["text"], "cat\nmat\n");
}

TEST_F(Walkthrough, RefusesWhatNoPageCanBeAbout) {
  const auto fails = [](std::vector<std::string> arguments, int code, const std::string& part) {
    arguments.insert(arguments.begin(), "walkthrough");
    expect_failure(run_glassgpt(arguments), code, part);
  };
  const std::string page = path("page.html");
  fails({"-o", page, ""}, 1, "the text is empty");
  fails({"-o", page, "one", "two"}, 1, "more than one text");
  std::string words;
  for (int i = 0; i < 500; ++i) words += "cat ";
  fails({"-o", page, words}, 1, "more than the model's context of 32");
  fails({"-o", page, std::string(100000, 'x')}, 1, "more than the model's context");
  fails({"--json", "--terminal", "cat"}, 2, "exclude each other");
  fails({"--word", "cat", "-o", page, "cat"}, 2, "--contexts");
  fails({"-o", page, "--word", "dog", "--contexts", "The cat", "A dog", "cat"}, 1,
        "the word 'dog' is not in text A");
  fails({"-o", path("nowhere/page.html"), "cat"}, 1, "nowhere");
  fails({"-o", page, "--lang", "fr", "--terminal", "cat"}, 2, "'fr' is none of en|zh");
  EXPECT_FALSE(exists("page.html"));
  expect_failure(run_with_input({"walkthrough", "--json"}, ""), 1, "the text is empty");
}

TEST_F(Walkthrough, LeavesTheOldPageWhereItFails) {
  write("page.html", "old");
  const ProgramRun run = run_glassgpt({"walkthrough", "-o", path("page.html"), "--word", "dog",
                                       "--contexts", "a cat", "a dog", "cat"});
  expect_failure(run, 1, "not in text A");
  EXPECT_EQ(read("page.html"), "old");
}

TEST_F(Walkthrough, PagesOfTheBundledModelAreUnderThreeMegabytesForSixtyFourTokens) {
  ::unsetenv("GLASSGPT_MODEL");
  std::string text;
  for (int i = 0; i < 15; ++i) text += "The river and ";  // three tokens
  text += "the bank of the river, 河岸和银行。 We see it again.";
  const std::string page = output_of({"walkthrough", "-q", "--threads", "1", text});
  const json data = element_of(page, "walkthrough-data");
  EXPECT_GE(data["text"]["ids"].size(), 60u);
  EXPECT_LE(data["text"]["ids"].size(), 64u);
  EXPECT_LT(page.size(), 3'000'000u);
  for (const char* name : {"q", "k", "v", "scores", "weights"}) {
    EXPECT_FALSE(data["attention"][name].is_null()) << name;
  }
  EXPECT_FALSE(data["layers"]["residual"].is_null());
}

}  // namespace
}  // namespace glassgpt::testing
