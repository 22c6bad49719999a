// classify: its scores are the cosines of the vectors of embed, or of bags of words.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "program.h"
#include "vectors.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Classify : public Program {};

TEST_F(Classify, GivesTheLabelOfTheMostSimilarExample) {
  const std::string examples = write("examples.jsonl",
                                     "{\"label\":\"animal\",\"text\":\"The cat sat\"}\n"
                                     "{\"label\":\"money\",\"text\":\"money in the bank\"}\n"
                                     "{\"label\":\"animal\",\"text\":\"The dog sat\"}\n");
  const auto vector_of = [&](const std::string& text) {
    return one_json_of(
               {"embed", "--json", "--unit", "text", "--layers", "2", text})["layers"]["2"][0]
        .get<Row>();
  };
  const Row query = vector_of("A river bank");
  const double cat = cosine(query, vector_of("The cat sat")),
               dog = cosine(query, vector_of("The dog sat")),
               money = cosine(query, vector_of("money in the bank"));
  const json nearest =
      one_json_of({"classify", "--json", "--examples", examples, "--layer", "2", "A river bank"});
  EXPECT_NEAR(nearest["scores"]["animal"].get<double>(), std::max(cat, dog), 1e-6);
  EXPECT_NEAR(nearest["scores"]["money"].get<double>(), money, 1e-6);
  EXPECT_EQ(nearest["label"], money > std::max(cat, dog) ? "money" : "animal");
  const json mean = one_json_of({"classify", "--json", "--examples", examples, "--layer", "2",
                                 "--by", "mean", "A river bank"});
  EXPECT_NEAR(mean["scores"]["animal"].get<double>(), (cat + dog) / 2, 1e-6);
}

TEST_F(Classify, ByCountVectorsIsTheBagOfWordsCosine) {
  const std::string examples =
      write("examples.tsv", "a\tThe cat, the CAT and the dog\n\nb\t猫坐在垫子上\n");
  // the 3, cat 2, and 1, dog 1 with cat 1, dog 2.
  const std::vector<json> found = json_of({"classify", "--json", "--count-vectors", "--examples",
                                           examples, "Cat dog dog", "猫在河岸上", "xyz"});
  EXPECT_NEAR(found[0]["scores"]["a"].get<double>(), 4 / std::sqrt(15.0 * 5.0), 1e-15);
  EXPECT_EQ(found[0]["scores"]["b"], 0.0);
  EXPECT_EQ(found[0]["label"], "a");
  // 猫 在 河岸 上 with 猫 坐在 垫子 上 or 坐 在 垫子 上: at least 猫 and 上.
  EXPECT_EQ(found[1]["label"], "b");
  EXPECT_GE(found[1]["score"], 0.4);
  EXPECT_EQ(found[2]["label"], nullptr);  // nothing in common with any example
  EXPECT_EQ(found[2]["nearest"], nullptr);
  EXPECT_EQ(found[2]["score"], 0.0);
}

TEST_F(Classify, ChoosesTheFirstOfEqualLabels) {
  const std::string examples = write("examples.tsv", "b\tthe cat\na\tthe cat\n");
  const json said =
      one_json_of({"classify", "--json", "--count-vectors", "--examples", examples, "The cat"});
  EXPECT_EQ(said["label"], "b");
}

TEST_F(Classify, AnExampleWithoutAVectorDoesNotCount) {
  const std::string examples =
      write("examples.tsv", "none\t\na\tThe cat sat\nb\tmoney in the bank\na\t\n");
  const auto labels = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"classify", "--json", "--by", "mean", "--examples", examples};
    words.insert(words.end(), more.begin(), more.end());
    return run_glassgpt(words);
  };
  const ProgramRun run = labels({"--center", "The cat sat", "money in the bank"});
  EXPECT_NE(run.err.find("examples.tsv: line 1: has no tokens; 2 such examples are not counted"),
            std::string::npos)
      << run.err;
  std::istringstream lines(run.out);
  for (const std::string label : {"a", "b"}) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    const json said = json::parse(line);
    EXPECT_EQ(said["label"], label);
    EXPECT_EQ(said["scores"]["none"], nullptr);
    EXPECT_NEAR(said["score"].get<double>(), 1.0, 1e-9) << "the mean of one";
  }
  EXPECT_NE(labels({"--count-vectors", "cat"}).err.find("has no words"), std::string::npos);
  write("examples.tsv", "none\t\n");
  expect_failure(labels({"cat"}), 1, "no example has any tokens");
}

TEST_F(Classify, AByteOrderMarkIsNoPartOfALabel) {
  const std::string mark = "\xEF\xBB\xBF";
  const std::string examples = write("examples.tsv", mark + "a\tThe cat\na\tThe dog\n");
  EXPECT_EQ(one_json_of({"classify", "--json", "--examples", examples, "cat"})["scores"].size(),
            1U);
}

TEST_F(Classify, LeavesOneOut) {
  const std::string examples = write(
      "examples.tsv", "a\tred cat\na\tred dog\nb\tblue sky\nb\tblue sea\nb\tred sky\nc\tnothing\n");
  // "red sky": "blue sky" and "red cat" are as near; a came first. "nothing" is like none and has
  // no label.
  const json said = one_json_of(
      {"classify", "--json", "--count-vectors", "--leave-one-out", "--examples", examples});
  EXPECT_EQ(said["examples"], 6);
  EXPECT_EQ(said["right"], 4);
}

TEST_F(Classify, LeavingOneOutKeepsItOutOfTheMeanToo) {
  const std::vector<std::pair<std::string, std::string>> labelled = {
      {"animal", "The cat sat on the mat"},
      {"money", "money in the bank"},
      {"animal", "The dog sat"},
      {"money", "A bank with money"},
      {"animal", "猫坐在垫子上"},
      {"money", "银行"}};
  std::string lines;
  Rows rows;
  for (const auto& [label, text] : labelled) {
    lines += label + "\t" + text + "\n";
    const json object = one_json_of({"embed", "-q", "--json", "--unit", "text", text});
    rows.push_back(object["layers"]["final"][0].get<Row>());
  }
  std::size_t right = 0;
  for (std::size_t own = 0; own < rows.size(); ++own) {
    Rows centred = rows;
    for (std::size_t c = 0; c < kWidth; ++c) {
      double sum = 0;
      for (std::size_t r = 0; r < rows.size(); ++r) sum += r == own ? 0.0 : double{rows[r][c]};
      const double mean = sum / static_cast<double>(rows.size() - 1);
      for (Row& row : centred) row[c] = static_cast<float>(row[c] - mean);
    }
    std::size_t best = own == 0 ? 1 : 0;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (r != own && cosine(centred[own], centred[r]) > cosine(centred[own], centred[best]))
        best = r;
    }
    right += labelled[best].first == labelled[own].first ? 1 : 0;
  }
  const auto leave_one_out = [&](const std::string& examples) {
    return one_json_of({"classify", "--json", "--center", "--leave-one-out", "--examples",
                        write("examples.tsv", examples)});
  };
  EXPECT_EQ(leave_one_out(lines)["right"], right);
  // The mean of the others is the only other: nothing is left to compare with.
  EXPECT_EQ(leave_one_out("a\tThe cat\na\tThe dog\n")["right"], 0);
  EXPECT_EQ(leave_one_out("a\tThe cat\n")["right"], 0);
}

TEST_F(Classify, WritesAsItGoes) {
  const std::string examples = write("examples.tsv", "a\tThe cat\nb\tmoney\n");
  std::string texts;
  for (int i = 0; i < 300; ++i) texts += i % 3 == 0 ? "The cat\n" : "money\n";
  texts += std::string(100, '#') + "\n";  // too long
  const ProgramRun run = run_with_input({"classify", "--examples", examples}, texts);
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("line 301"), std::string::npos) << run.err;
  EXPECT_GT(std::count(run.out.begin(), run.out.end(), '\n'), 200);
  // The parts in which it does so show nowhere.
  std::istringstream lines(run.out);
  std::string line;
  for (int i = 0; std::getline(lines, line); ++i) EXPECT_EQ(line[0], i % 3 == 0 ? 'a' : 'b') << i;
}

TEST_F(Classify, SaysWhatIsWrongWithItsExamples) {
  expect_failure(run_glassgpt({"classify", "cat"}), 2, "--examples");
  expect_failure(run_glassgpt({"classify", "--examples", path("none"), "cat"}), 1, "none");
  expect_failure(run_glassgpt({"classify", "--examples", write("e.tsv", "a\tb\nc\n"), "cat"}), 1,
                 "line 2");
  expect_failure(
      run_glassgpt({"classify", "--examples", write("e.jsonl", "{\"label\":1}\n"), "cat"}), 1,
      "label");
  expect_failure(run_glassgpt({"classify", "--examples", write("f.tsv", "\n"), "cat"}), 1,
                 "no examples");
}

}  // namespace
}  // namespace glassgpt::testing
