// embed --unit word: rows of whole words out of sub-words, in any script.
#include <cstdlib>
#include <fstream>

#include "glassgpt/words.h"
#include "io/npy.h"
#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;
using Rows = std::vector<std::vector<float>>;

const char* const kMixed = "The cat’s 银行 naïve, мир ok\xff!";

Rows rows_of(const json& list) { return list.get<Rows>(); }

class WordVectors : public Program {
 protected:
  // The pooled rows of `object` (embed --unit word --json), from the tokens' rows in `tokens`:
  // those whose bytes meet the word's.
  void expect_means(const json& object, const json& tokens) {
    const Rows words = rows_of(object["layers"]["final"]);
    const Rows rows = rows_of(tokens["layers"]["final"]);
    ASSERT_EQ(words.size(), object["word_bytes"].size());
    for (std::size_t w = 0; w < words.size(); ++w) {
      const std::size_t begin = object["word_bytes"][w][0], end = object["word_bytes"][w][1];
      std::vector<double> sum(kWidth, 0.0);
      double count = 0;
      for (std::size_t t = 0; t < rows.size(); ++t) {
        if (tokens["bytes"][t][0] >= end || tokens["bytes"][t][1] <= begin) continue;
        ++count;
        for (std::size_t c = 0; c < kWidth; ++c) sum[c] += rows[t][c];
      }
      ASSERT_GT(count, 0);
      for (std::size_t c = 0; c < kWidth; ++c) {
        EXPECT_EQ(words[w][c], static_cast<float>(sum[c] / count)) << w;
      }
    }
  }
};

TEST_F(WordVectors, HaveTheWordsOfEveryScriptWithTheirExactBytes) {
  const std::string file = write("t.txt", kMixed);
  const json object = one_json_of({"embed", "--json", "--unit", "word", "-i", file});
  EXPECT_EQ(object["words"], (json{"The", "cat’s", "银行", "naïve", "мир", "ok"}));
  for (std::size_t w = 0; w < object["words"].size(); ++w) {
    const std::size_t begin = object["word_bytes"][w][0], end = object["word_bytes"][w][1];
    EXPECT_EQ(std::string(kMixed).substr(begin, end - begin), object["words"][w]);
  }
  expect_means(object, one_json_of({"embed", "--json", "-i", file}));
}

TEST_F(WordVectors, RowsFileNamesEachRowsWord) {
  ASSERT_EQ(run_glassgpt(
                {"embed", "--unit", "word", "The cat’s 银行", "", "!", "A dog", "-o", path("out")})
                .code,
            0);
  std::istringstream lines(read("out/rows.jsonl"));
  std::vector<json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[2]["word"], "银行");
  EXPECT_EQ(rows[2]["bytes"], (json{12, 18}));
  EXPECT_EQ(rows[2]["text"], 0);
  EXPECT_EQ(rows[3]["word"], "A");
  EXPECT_EQ(rows[3]["text"], 3);
  EXPECT_EQ(io::read_npy(path("out/final.npy")).shape, (std::vector<std::uint64_t>{5, kWidth}));
}

TEST_F(WordVectors, ATokenAcrossTwoWordsCountsInBoth) {
  // The tokenizer of the test learned 坐在 and 猫坐在 as tokens of several words.
  const std::string text = "猫坐在垫子上";
  const json tokens = one_json_of({"embed", "--json", text});
  const json object = one_json_of({"embed", "--json", "--unit", "word", text});
  std::size_t shared = 0;
  for (std::size_t w = 1; w < object["word_tokens"].size(); ++w) {
    shared += object["word_tokens"][w][0] < object["word_tokens"][w - 1][1] ? 1 : 0;
  }
  EXPECT_GT(shared, 0u) << object["word_tokens"] << tokens["bytes"];
  expect_means(object, tokens);
}

TEST_F(WordVectors, WindowsCutNoWord) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += i % 3 == 0 ? "银行unbelievable " : "riverbank在垫子上 ";
  for (const std::string stride : {"16", "31", "1", "7"}) {
    const std::vector<std::string> options = {"embed",          "--json",   "--truncate",
                                              "window",         "--stride", stride,
                                              "--batch-tokens", "50",       text};
    std::vector<std::string> words = options;
    words.insert(words.end() - 1, {"--unit", "word"});
    expect_means(one_json_of(words), one_json_of(options));
  }
}

TEST_F(WordVectors, TruncationDropsWordsThatItCuts) {
  std::string text;
  for (int i = 0; i < 30; ++i)
    text += "zyxwv" + std::string(1, static_cast<char>('a' + i % 26)) + " ";
  for (const std::string side : {"left", "right"}) {
    const json tokens = one_json_of({"embed", "--json", "--truncate", side, text});
    const json object =
        one_json_of({"embed", "--json", "--truncate", side, "--unit", "word", text});
    EXPECT_EQ(object["truncated"], true);
    const std::size_t begin = tokens["bytes"].front()[0], end = tokens["bytes"].back()[1];
    std::vector<json> whole;
    for (const WordSpan& word : split_words(text)) {
      if (word.begin >= begin && word.end <= end) whole.push_back({word.begin, word.end});
    }
    EXPECT_EQ(object["word_bytes"], json(whole));
    expect_means(object, tokens);
  }
}

TEST_F(WordVectors, SpecialTokensAreNoWords) {
  const json object =
      one_json_of({"embed", "--json", "--unit", "word", "--special", "all", "The<|endoftext|>cat"});
  EXPECT_EQ(object["words"], (json{"The", "cat"}));
}

TEST_F(WordVectors, OtherPoolingsTakeTheWordsTokensInTheirOrder) {
  const std::string text = "unbelievable riverbank";
  const json tokens = one_json_of({"embed", "--json", text});
  const Rows rows = rows_of(tokens["layers"]["final"]);
  const auto pooled = [&](const std::string& pool) {
    return one_json_of({"embed", "--json", "--unit", "word", "--pool", pool, text});
  };
  const json first = pooled("first"), last = pooled("last");
  for (std::size_t w = 0; w < 2; ++w) {
    const std::size_t begin = first["word_tokens"][w][0], end = first["word_tokens"][w][1];
    ASSERT_GT(end - begin, 1u);
    EXPECT_EQ(rows_of(first["layers"]["final"])[w], rows[begin]);
    EXPECT_EQ(rows_of(last["layers"]["final"])[w], rows[end - 1]);
  }
}

}  // namespace
}  // namespace glassgpt::testing
