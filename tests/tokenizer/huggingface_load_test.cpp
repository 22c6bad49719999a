// Our tokenizer.json in Hugging Face's library. Runs where GLASSGPT_PEERS_PYTHON names a Python
// that has `tokenizers`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "glassgpt/tokenizer.h"
#include "tests/io/temporary_directory.h"
#include "tests/tokenizer/shared_data.h"

namespace glassgpt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::shared_data;

constexpr const char* kScript = R"(
import json, sys
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1])
texts = json.load(open(sys.argv[2], encoding="utf-8"))
json.dump([tokenizer.encode(text, add_special_tokens=False).ids for text in texts], open(sys.argv[3], "w"))
)";

TEST(HuggingFaceLibrary, LoadsWhatWeSaveAndEncodesTheSame) {
  const char* python = std::getenv("GLASSGPT_PEERS_PYTHON");
  if (python == nullptr) {
    GTEST_SKIP() << "set GLASSGPT_PEERS_PYTHON to a Python with the package tokenizers";
  }
  SKIP_WITHOUT_SHARED_DATA();
  const testing::TemporaryDirectory directory;
  const fs::path folder = directory.path();
  std::ofstream(folder / "encode.py") << kScript;
  const std::tuple<const char*, SplitPattern, const char*> vocabularies[] = {
      {"r50k_base.tiktoken", SplitPattern::kGpt2, "gpt2_cases.jsonl"},
      {"cl100k_base.tiktoken", SplitPattern::kCl100k, "cl100k_cases.jsonl"},
      {"o200k_base.tiktoken", SplitPattern::kO200k, "o200k_cases.jsonl"}};
  for (const auto& [file, pattern, cases] : vocabularies) {
    const Tokenizer tokenizer = Tokenizer::load(shared_data() / file, pattern);
    tokenizer.save(folder / "tokenizer.json");
    json texts = json::array(), expected = json::array();
    for (const testing::Case& entry : testing::read_cases(shared_data() / cases)) {
      texts.push_back(entry.text);
      expected.push_back(tokenizer.encode(entry.text, SpecialTokens::kAll));
    }
    std::ofstream(folder / "texts.json") << texts.dump();
    const std::string command = std::string(python) + " " + (folder / "encode.py").string() + " " +
                                (folder / "tokenizer.json").string() + " " +
                                (folder / "texts.json").string() + " " +
                                (folder / "ids.json").string();
    ASSERT_EQ(std::system(command.c_str()), 0) << file;
    EXPECT_EQ(json::parse(testing::read_text(folder / "ids.json")), expected) << file;
  }
}

}  // namespace
}  // namespace glassgpt
