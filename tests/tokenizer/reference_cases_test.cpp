// The ids of genuine peers (tiktoken, Hugging Face tokenizers, llama.cpp) on their own cases.
#include <gtest/gtest.h>

#include "glassgpt/tokenizer.h"
#include "tests/tokenizer/shared_data.h"

namespace glassgpt {
namespace {

using testing::Case;
using testing::read_cases;
using testing::read_text;
using testing::shared_data;

// llama.cpp's cases: texts between separator lines in one file, a line of ids for each in another.
std::vector<Case> read_llama_cases() {
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string texts = read_text(shared_data() / "ggml-vocab-gpt-2.gguf.inp");
  std::istringstream lines(read_text(shared_data() / "ggml-vocab-gpt-2.gguf.out"));
  std::vector<Case> cases;
  std::size_t at = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = std::min(texts.find(separator, at), texts.size());
    cases.push_back({texts.substr(at, end - at), {}});
    std::istringstream ids(line);
    for (TokenId id; ids >> id;) cases.back().ids.push_back(id);
    at = end + separator.size();
  }
  return cases;
}

void expect_equal(const Tokenizer& tokenizer, const std::vector<Case>& cases) {
  for (const Case& expected : cases) {
    EXPECT_EQ(tokenizer.encode(expected.text), expected.ids) << expected.text;
    EXPECT_EQ(tokenizer.decode(expected.ids), expected.text);
  }
}

TEST(ReferenceCases, Gpt2FromVocabAndMergesEqualsTiktoken) {
  SKIP_WITHOUT_SHARED_DATA();
  const auto cases = read_cases(shared_data() / "gpt2_cases.jsonl");
  ASSERT_EQ(cases.size(), 300u);
  expect_equal(Tokenizer::load(shared_data()), cases);
}

TEST(ReferenceCases, Gpt2FromRanksEqualsTiktoken) {
  SKIP_WITHOUT_SHARED_DATA();
  expect_equal(Tokenizer::load(shared_data() / "r50k_base.tiktoken"),
               read_cases(shared_data() / "gpt2_cases.jsonl"));
}

TEST(ReferenceCases, Gpt2EqualsLlamaCpp) {
  SKIP_WITHOUT_SHARED_DATA();
  const auto cases = read_llama_cases();
  ASSERT_EQ(cases.size(), 46u);
  expect_equal(Tokenizer::load(shared_data()), cases);
  expect_equal(Tokenizer::load(shared_data() / "r50k_base.tiktoken"), cases);
}

TEST(ReferenceCases, Cl100kEqualsTiktoken) {
  SKIP_WITHOUT_SHARED_DATA();
  const auto cases = read_cases(shared_data() / "cl100k_cases.jsonl");
  ASSERT_EQ(cases.size(), 150u);
  expect_equal(Tokenizer::load(shared_data() / "cl100k_base.tiktoken", SplitPattern::kCl100k),
               cases);
}

TEST(ReferenceCases, O200kEqualsTiktoken) {
  SKIP_WITHOUT_SHARED_DATA();
  const auto cases = read_cases(shared_data() / "o200k_cases.jsonl");
  ASSERT_EQ(cases.size(), 100u);
  expect_equal(Tokenizer::load(shared_data() / "o200k_base.tiktoken", SplitPattern::kO200k), cases);
}

}  // namespace
}  // namespace glassgpt
