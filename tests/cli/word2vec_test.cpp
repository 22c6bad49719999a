// glassgpt word2vec as a user runs it.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Word2VecCommand : public Program {
 protected:
  // Two topics, English and Chinese, each with words of its own.
  void SetUp() override {
    Program::SetUp();
    const std::vector<std::vector<std::string>> topics = {
        {"River", "bank", "water", "fish", "boat"},
        {"money", "Bank's", "price", "trade", "stock"},
        {"北京", "上海", "城市", "地铁", "公园"}};
    std::mt19937 random(1);
    std::string text;
    for (int line = 0; line < 900; ++line) {
      const auto& topic = topics[random() % topics.size()];
      for (int i = 0; i < 8; ++i) text += topic[random() % topic.size()] + (i == 3 ? ", " : " ");
      text += "\n";
    }
    file_ = write("text.txt", text);
  }
  std::vector<std::string> training(const std::string& output,
                                    const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"word2vec", "--dim", "10", "--sample", "0.1",
                                          "--epochs", "20",    "-q", "-o",       output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.push_back(file_);
    return arguments;
  }
  std::string file_;
};

TEST_F(Word2VecCommand, TrainsAndAnswersNeighboursInBothFormatsAndLanguages) {
  EXPECT_EQ(output_of(training(path("words.vec"))), "");
  EXPECT_EQ(output_of(training(path("words.bin"), {"--binary"})), "");
  for (const std::string& name : {path("words.vec"), path("words.bin")}) {
    const auto answers = json_of(
        {"word2vec", "--json", "--top", "4", "--nearest", "river", "--nearest", "北京", name});
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[0]["query"], "river");
    const auto words_of = [](const json& answer) {
      std::vector<std::string> words;
      double last = 1.01;
      for (const json& neighbour : answer["nearest"]) {
        words.push_back(neighbour["word"]);
        EXPECT_LE(neighbour["cosine"], last);
        last = neighbour["cosine"];
      }
      std::sort(words.begin(), words.end());
      return words;
    };
    EXPECT_EQ(words_of(answers[0]), (std::vector<std::string>{"bank", "boat", "fish", "water"}));
    EXPECT_EQ(words_of(answers[1]), (std::vector<std::string>{"上海", "公园", "地铁", "城市"}));
  }
  const std::string table = output_of({"word2vec", "--nearest", "money", path("words.vec")});
  EXPECT_EQ(table.rfind("money\n", 0), 0u);
  EXPECT_NE(table.find("bank's"), std::string::npos);
  const json analogy =
      one_json_of({"word2vec", "--json", "--analogy", "river", "fish", "money", path("words.vec")});
  EXPECT_EQ(analogy["analogy"], (json{"river", "fish", "money"}));
  EXPECT_EQ(analogy["nearest"].size(), 10u);
  EXPECT_EQ(output_of({"word2vec", "--analogy", "river", "fish", "money", path("words.vec")})
                .rfind("river : fish = money : ?\n", 0),
            0u);
}

TEST_F(Word2VecCommand, BytesDoNotDependOnThreadsAndDoOnTheSeed) {
  output_of(training(path("one"), {"--threads", "1"}));
  output_of(training(path("three"), {"--threads", "3"}));
  output_of(training(path("other"), {"--seed", "2"}));
  EXPECT_EQ(read("one"), read("three"));
  EXPECT_NE(read("one"), read("other"));
}

TEST_F(Word2VecCommand, TellsWhatItDid) {
  const json told = one_json_of(training(path("words.vec"), {"--json", "--min-count", "2"}));
  EXPECT_EQ(told["vocabulary"], 15);
  EXPECT_EQ(told["dim"], 10);
  EXPECT_EQ(told["words"], 7200);
  EXPECT_EQ(told["rare"], 0);
  EXPECT_EQ(told["file"], path("words.vec"));
  EXPECT_GT(told["words_per_second"], 0);
  EXPECT_LT(told["loss"], 6 * std::log(2.0));
  EXPECT_GT(told["loss"], 0);
  const ProgramRun run =
      run_glassgpt({"word2vec", "--dim", "4", "--epochs", "1", "-o", path("again"), file_});
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.err.find("words/s"), std::string::npos) << run.err;
}

TEST_F(Word2VecCommand, SplitsAsTold) {
  output_of(training(path("space"), {"--split", "space"}));
  EXPECT_EQ(json_of({"word2vec", "--json", "--nearest", "River", path("space")}).size(), 1u);
  expect_failure(run_glassgpt({"word2vec", "--nearest", "river", path("space")}), 1,
                 "has no word \"river\"");
  output_of(training(path("cased"), {"--keep-case"}));
  EXPECT_EQ(json_of({"word2vec", "--json", "--nearest", "Bank's", path("cased")}).size(), 1u);
}

TEST_F(Word2VecCommand, KeepsTheMostFrequentWordsAlone) {
  output_of(training(path("all")));
  output_of(training(path("kept"), {"--keep", "4"}));
  output_of(training(path("more"), {"--keep", "400"}));
  const std::string all = read("all"), kept = read("kept");
  ASSERT_EQ(kept.rfind("4 10\n", 0), 0u);
  EXPECT_EQ(std::count(kept.begin(), kept.end(), '\n'), 5);
  EXPECT_EQ(all.substr(all.find('\n'), kept.size() - 4), kept.substr(4));
  EXPECT_EQ(read("more"), all);
}

TEST_F(Word2VecCommand, WithoutAFileAsksTheBundledVectorsOfBothLanguages) {
  const auto answers =
      json_of({"word2vec", "--json", "--top", "3", "--nearest", "king", "--nearest", "北京"});
  ASSERT_EQ(answers.size(), 2u);
  const std::string source = GLASSGPT_SOURCE_DIR;
  EXPECT_EQ(answers[0], one_json_of({"word2vec", "--json", "--top", "3", "--nearest", "king",
                                     source + "/weights/words/en.bin"}));
  EXPECT_EQ(answers[1], one_json_of({"word2vec", "--json", "--top", "3", "--nearest", "北京",
                                     source + "/weights/words/zh.bin"}));
  const auto first = [](const std::vector<std::string>& words) {
    const json answer =
        one_json_of({"word2vec", "--json", "--analogy", words[0], words[1], words[2]});
    return answer["nearest"][0]["word"].get<std::string>();
  };
  EXPECT_EQ(first({"man", "king", "woman"}), "queen");
  EXPECT_EQ(first({"中国", "北京", "日本"}), "东京");
  expect_failure(run_glassgpt({"word2vec", "--nearest", "qqqq"}), 1, "has no word \"qqqq\"");
  expect_failure(run_glassgpt({"word2vec", "--analogy", "man", "king", "北京"}), 1,
                 "all three must be of one language");
}

TEST_F(Word2VecCommand, RefusesWrongUsage) {
  expect_failure(run_glassgpt({"word2vec", file_}), 2, "-o FILE is needed");
  expect_failure(run_glassgpt({"word2vec", "-o", path("x")}), 2, "no files");
  expect_failure(run_glassgpt({"word2vec", "-o", "", file_}), 2, "");
  expect_failure(run_glassgpt({"word2vec", "-o", path("x"), "--dim", "0", file_}), 2, "--dim");
  expect_failure(run_glassgpt({"word2vec", "-o", path("x"), "--lr", "0", file_}), 2, "--lr");
  expect_failure(run_glassgpt({"word2vec", "-o", path("x"), "--sample", "-1", file_}), 2,
                 "--sample");
  expect_failure(run_glassgpt({"word2vec", "-o", path("x"), "--split", "words", file_}), 2,
                 "--split");
  expect_failure(run_glassgpt({"word2vec", "--nearest", "a", file_, file_}), 2, "one file");
  expect_failure(run_glassgpt({"word2vec", "--nearest", "a", "-o", path("x"), file_}), 2,
                 "-o is for");
  // The file is taken for the third word, and no word of the bundled vectors.
  expect_failure(run_glassgpt({"word2vec", "--analogy", "a", "b", file_}), 1, "has no word");
  EXPECT_FALSE(exists("x"));
}

TEST_F(Word2VecCommand, FailsInOneLineAndLeavesNoFile) {
  expect_failure(run_glassgpt({"word2vec", "-o", path("x"), path("none")}), 1, "none");
  expect_failure(run_glassgpt({"word2vec", "-o", path("x"), write("empty", "")}), 1,
                 "only 0 words");
  expect_failure(run_glassgpt({"word2vec", "-o", path("x"), write("junk", "a\xff\xfe")}), 1,
                 "not UTF-8 text at byte 1");
  expect_failure(run_glassgpt({"word2vec", "-o", path("no/such/x"), file_}), 1, "no/such/x");
  expect_failure(run_glassgpt({"word2vec", "--nearest", "a", file_}), 1, "first line");
  expect_failure(run_glassgpt({"word2vec", "--nearest", "a", path("none")}), 1, "none");
  RunOptions full;
  full.out = RunOptions::Out::kFull;
  output_of(training(path("words.vec")));
  EXPECT_EQ(run_glassgpt({"word2vec", "--nearest", "river", path("words.vec")}, full).code, 1);
  EXPECT_FALSE(exists("x"));
}

TEST_F(Word2VecCommand, AnInterruptLeavesNoFile) {
  RunOptions options;
  options.interrupt_after = 1.0;
  const ProgramRun run =
      run_glassgpt({"word2vec", "-o", path("x"), "--epochs", "1000000", "-q", file_}, options);
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("interrupted"), std::string::npos) << run.err;
  EXPECT_FALSE(exists("x"));
}

}  // namespace
}  // namespace glassgpt::testing
