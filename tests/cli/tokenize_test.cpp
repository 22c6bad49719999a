// tokenize, detokenize, train-tokenizer, info --tokenizer.
#include "glassgpt/tokenizer.h"

#include <cstdlib>
#include <fstream>
#include <set>

#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

std::string random_bytes(std::size_t count) {
  std::uint64_t state = 12345;
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    bytes += static_cast<char>(state >> 56);
  }
  return bytes;
}

TEST_F(Program, TokenizeJsonHasExactlyTheKeysAndSpansOfTheText) {
  const std::string text = "The cat 猫坐在垫子上。";
  const json object = one_json_of({"tokenize", "--json", text});
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  EXPECT_EQ(keys, (std::set<std::string>{"ids", "tokens", "bytes", "chars"}));
  const auto ids = object["ids"].get<std::vector<TokenId>>();
  const Tokenizer tokenizer = Tokenizer::load(model());
  EXPECT_EQ(ids, tokenizer.encode(text));
  ASSERT_EQ(object["tokens"].size(), ids.size());
  ASSERT_EQ(object["bytes"].size(), ids.size());
  ASSERT_EQ(object["chars"].size(), ids.size());
  std::size_t end = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(object["bytes"][i][0], end);
    end = object["bytes"][i][1].get<std::size_t>();
    EXPECT_EQ(tokenizer.token_bytes(ids[i]),
              text.substr(object["bytes"][i][0].get<std::size_t>(),
                          end - object["bytes"][i][0].get<std::size_t>()));
  }
  EXPECT_EQ(end, text.size());
  EXPECT_EQ(object["chars"].back()[1], 15);
}

TEST_F(Program, IdsGoThroughToTheExactBytes) {
  for (const std::string& bytes :
       {random_bytes(5000), std::string("a\n\nb\r\n\0c\n", 9), std::string("猫坐在垫子上。\n"),
        std::string("\xff\xfe\xe4\xbd", 4), std::string()}) {
    const std::string ids =
        output_of({"tokenize", "--ids", "--input", "-", "--input-format", "whole"}, bytes);
    EXPECT_EQ(output_of({"detokenize"}, ids), bytes);
    EXPECT_EQ(output_of({"detokenize", "-"}, ids), bytes);
  }
}

TEST_F(Program, StandardInputIsOneTextALine) {
  const std::vector<json> lines = json_of({"tokenize", "--json", "-"}, "The cat\n\nA dog\r\n猫");
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], one_json_of({"tokenize", "--json", "The cat"}));
  EXPECT_EQ(lines[1]["ids"], json::array());
  EXPECT_EQ(lines[2], one_json_of({"tokenize", "--json", "A dog"}));
  EXPECT_EQ(lines[3], one_json_of({"tokenize", "--json", "猫"}));
  EXPECT_EQ(output_of({"tokenize", "--ids"}, ""), "");
}

TEST_F(Program, InputFilesHaveOneTextALineOrJson) {
  const std::string expected = output_of({"tokenize", "--ids", "The cat", "", "A \"dog\""});
  EXPECT_EQ(output_of({"tokenize", "--ids", "-i", write("a.txt", "The cat\n\nA \"dog\"\n")}),
            expected);
  EXPECT_EQ(output_of({"tokenize", "--ids", "-i",
                       write("a.jsonl",
                             "{\"id\":\"x\",\"text\":\"The cat\",\"more\":[]}\n\n"
                             "{\"text\":\"\"}\n{\"text\":\"A \\\"dog\\\"\",\"id\":3}")}),
            expected);
  EXPECT_EQ(output_of({"tokenize", "--ids", "--input-format", "documents", "-i",
                       write("d.txt", "\nThe cat\nsat\n\n\nA dog\n")}),
            output_of({"tokenize", "--ids", "The cat\nsat", "A dog"}));
}

TEST_F(Program, LongLinesAcrossReadBlocksAreWhole) {
  std::string line;
  while (line.size() < 700000) line += "The cat sat on the mat 猫。 ";
  const std::string file = write("long.txt", line + "\n" + line + "x");
  const std::vector<json> lines = json_of({"tokenize", "--json", "--input", file});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["bytes"].back()[1], line.size());
  EXPECT_EQ(lines[1]["bytes"].back()[1], line.size() + 1);
}

TEST_F(Program, InvalidUtf8StillGivesValidJson) {
  const json object = one_json_of({"tokenize", "--json", "a\xff\xe4\xbd"});
  EXPECT_EQ(object["bytes"].back()[1], 4);
  std::string joined;
  for (const json& token : object["tokens"]) joined += token.get<std::string>();
  EXPECT_EQ(joined.substr(0, 1), "a");
  EXPECT_NE(joined.find("\xEF\xBF\xBD"), std::string::npos);
}

TEST_F(Program, TableShowsIncompleteCharactersAsBytes) {
  // 的 was not in the tokenizer's corpus: its bytes stay apart or in pairs.
  const std::string table = output_of({"tokenize", "的"});
  EXPECT_NE(table.find("<E7"), std::string::npos) << table;
  EXPECT_EQ(table.find("\xEF\xBF\xBD"), std::string::npos) << table;
}

TEST_F(Program, SpecialTokensAreTextOrIdOrRefused) {
  const std::string text = "a<|endoftext|>b";
  const json none = one_json_of({"tokenize", "--json", text});
  const json all = one_json_of({"tokenize", "--json", "--special", "all", text});
  EXPECT_GT(none["ids"].size(), 3u);
  ASSERT_EQ(all["ids"].size(), 3u);
  EXPECT_EQ(all["ids"][1], 0);
  EXPECT_EQ(all["tokens"][1], "<|endoftext|>");
  expect_failure(
      run_glassgpt({"tokenize", "--special", "error", "-i", write("s.txt", "x\n" + text)}), 1,
      "line 2");
  EXPECT_EQ(output_of({"detokenize"}, all["ids"].dump()), text);
}

TEST_F(Program, MergesReplayEndsInTheTokens) {
  const std::string text = "The bank";
  const json replay = one_json_of({"tokenize", "--merges", "--json", text});
  const json tokens = one_json_of({"tokenize", "--json", text});
  json ids = json::array();
  std::size_t steps = 0;
  for (const json& piece : replay["pieces"]) {
    auto list = piece["start"].get<std::vector<TokenId>>();
    for (const json& step : piece["steps"]) {
      const auto at = step["position"].get<std::size_t>();
      ASSERT_LT(at + 1, list.size());
      EXPECT_EQ(list[at], step["left"]);
      EXPECT_EQ(list[at + 1], step["right"]);
      list[at] = step["merged"];
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      ++steps;
    }
    for (const TokenId id : list) ids.push_back(id);
  }
  EXPECT_EQ(ids, tokens["ids"]);
  EXPECT_GT(steps, 0u);
  EXPECT_NE(output_of({"tokenize", "--merges", text}).find("\" bank\""), std::string::npos);
}

TEST_F(Program, DetokenizeTakesIdsInAnyUsualForm) {
  const std::string ids = output_of({"tokenize", "--ids", "The cat 猫"});
  std::string list = "[" + ids + "]";
  for (char& c : list) c = c == ' ' ? ',' : c == '\n' ? ' ' : c;
  EXPECT_EQ(output_of({"detokenize", list}), "The cat 猫");
  EXPECT_EQ(output_of({"detokenize", ids}), "The cat 猫");
  EXPECT_EQ(one_json_of({"detokenize", "--json", ids})["text"], "The cat 猫");
}

TEST_F(Program, IdsOutOfRangeAreAnErrorWithNothingWritten) {
  expect_failure(run_glassgpt({"detokenize", "320"}), 1, "320");
  expect_failure(run_glassgpt({"detokenize", "99999999999999999999"}), 1, "99999999999");
  expect_failure(run_glassgpt({"detokenize", "-1"}), 1, "-1");
  expect_failure(run_with_input({"detokenize"}, "1 2\n3 x\n"), 1, "line 2");
}

TEST_F(Program, AnEmptyTokenizerPathIsAWrongCommandLine) {
  expect_failure(run_glassgpt({"tokenize", "--tokenizer", "", "text"}), 2, "the path is empty");
  expect_failure(run_glassgpt({"info", "--tokenizer", ""}), 2, "the path is empty");
}

TEST_F(Program, TrainedTokenizerIsTheLibrarysOwn) {
  const ProgramRun run = run_glassgpt({"train-tokenizer", "--vocab-size", "320", "--min-frequency",
                                       "1", "-o", path("tok"), path("corpus.txt")});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(read("tok/tokenizer.json"), read("model/tokenizer.json"));
  EXPECT_EQ(output_of({"tokenize", "--ids", "--tokenizer", path("tok"), "The bank"}),
            output_of({"tokenize", "--ids", "The bank"}));
  EXPECT_EQ(output_of({"tokenize", "--ids", "--tokenizer", path("tok/tokenizer.json"), "The bank"}),
            output_of({"tokenize", "--ids", "The bank"}));
  expect_failure(run_glassgpt({"train-tokenizer", "-o", path("t2"), path("none.txt")}), 1,
                 "none.txt");
  EXPECT_FALSE(exists("t2/tokenizer.json"));
}

TEST_F(Program, SpecialTokensOfTrainingGetTheFirstIds) {
  ASSERT_EQ(run_glassgpt({"train-tokenizer", "--vocab-size", "300", "--special", "[PAD]",
                          "--special", "<|endoftext|>", "-o", path("tok"), path("corpus.txt")})
                .code,
            0);
  EXPECT_EQ(output_of({"tokenize", "--ids", "--special", "all", "--tokenizer", path("tok"),
                       "[PAD]<|endoftext|>"}),
            "0 1\n");
}

TEST_F(Program, InfoDescribesATokenizer) {
  const auto info =
      json::parse(output_of({"info", "--json", "--tokenizer", model(), path("corpus.txt")}));
  EXPECT_EQ(info["tokenizer"]["vocab_size"], 320);
  EXPECT_EQ(info["tokenizer"]["special_tokens"], 1);
  const json& text = info["tokenizer"]["text"];
  EXPECT_EQ(text["bytes"], read("corpus.txt").size());
  EXPECT_DOUBLE_EQ(text["bytes_per_token"].get<double>(),
                   text["bytes"].get<double>() / text["tokens"].get<double>());
  EXPECT_EQ(json::parse(output_of(
                {"info", "--json", "--tokenizer", model(), "--file", path("corpus.txt")})),
            info);
}

TEST_F(Program, TiktokenFilesTakeAPattern) {
  const char* shared = std::getenv("GLASSGPT_SHARED");
  const std::filesystem::path data =
      std::filesystem::path(shared != nullptr ? shared : GLASSGPT_SOURCE_DIR "/../shared") /
      "data/tokenizer";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "the shared data is not here: " << data;
  EXPECT_EQ(
      output_of({"tokenize", "--ids", "--tokenizer", data / "r50k_base.tiktoken", "Hello world"}),
      "15496 995\n");
  std::ifstream cases(data / "cl100k_cases.jsonl");
  std::vector<json> expected;
  for (std::string line; expected.size() < 50 && std::getline(cases, line);) {
    expected.push_back(json::parse(line)["ids"]);
  }
  const std::vector<json> got =
      json_of({"tokenize", "--json", "--pattern", "cl100k", "--tokenizer",
               data / "cl100k_base.tiktoken", "-i", data / "cl100k_cases.jsonl"});
  ASSERT_GE(got.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(got[i]["ids"], expected[i]) << i;
}

}  // namespace
}  // namespace glassgpt::testing
