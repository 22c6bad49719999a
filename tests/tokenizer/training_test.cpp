// Training equals Hugging Face's BpeTrainer.
#include <gtest/gtest.h>

#include "glassgpt/tokenizer.h"
#include "tests/io/temporary_directory.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/byte_alphabet.h"

namespace glassgpt {
namespace {

using testing::read_text;
using testing::shared_data;
using tokenizer::from_stand_ins;

namespace fs = std::filesystem;

// Botchan as Hugging Face's trainer learned it: 30000 asked for, no special tokens, no initial
// alphabet.
struct BotchanOracle {
  std::vector<std::string> tokens;                          // by id, as bytes
  std::vector<std::pair<std::string, std::string>> merges;  // as bytes

  BotchanOracle() {
    const auto vocab =
        nlohmann::json::parse(read_text(shared_data() / "train/botchan.hf_vocab.json"));
    tokens.resize(vocab.size());
    for (const auto& [name, id] : vocab.items()) {
      tokens.at(id.get<std::size_t>()) = from_stand_ins(name).value();
    }
    std::istringstream lines(read_text(shared_data() / "train/botchan.hf_merges.txt"));
    std::string line;
    std::getline(lines, line);  // #version
    while (std::getline(lines, line)) {
      const std::size_t space = line.find(' ');
      merges.emplace_back(from_stand_ins(line.substr(0, space)).value(),
                          from_stand_ins(line.substr(space + 1)).value());
    }
  }
};

TokenizerTrainingOptions botchan_options(std::size_t vocab_size) {
  TokenizerTrainingOptions options;
  options.vocab_size = vocab_size;
  options.min_frequency = 0;
  options.special_tokens = {};
  options.initial_alphabet = false;
  options.threads = 1;
  return options;
}

// The merges of a saved tokenizer, as bytes.
std::vector<std::pair<std::string, std::string>> merges_of(const Tokenizer& tokenizer) {
  const testing::TemporaryDirectory directory;
  const fs::path file = directory / "tokenizer.json";
  tokenizer.save(file);
  const auto root = nlohmann::json::parse(read_text(file));
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string line : root.at("model").at("merges")) {
    const std::size_t space = line.find(' ');
    merges.emplace_back(from_stand_ins(line.substr(0, space)).value(),
                        from_stand_ins(line.substr(space + 1)).value());
  }
  return merges;
}

TEST(Training, EqualsHuggingFaceOnBotchanAtEverySize) {
  SKIP_WITHOUT_SHARED_DATA();
  const BotchanOracle oracle;
  const std::vector<fs::path> files = {shared_data() / "train/botchan.txt"};
  for (const std::size_t vocab_size : {100u, 500u, 1000u, 4000u, 8192u, 30000u}) {
    SCOPED_TRACE(vocab_size);
    const Tokenizer tokenizer = train_tokenizer(files, botchan_options(vocab_size));
    const std::size_t size = std::min<std::size_t>(vocab_size, oracle.tokens.size());
    ASSERT_EQ(tokenizer.vocab_size(), size);
    for (TokenId id = 0; id < size; ++id) ASSERT_EQ(tokenizer.token_bytes(id), oracle.tokens[id]);
    const auto merges = merges_of(tokenizer);
    ASSERT_LE(merges.size(), oracle.merges.size());
    if (vocab_size >= oracle.tokens.size()) {
      ASSERT_EQ(merges.size(), oracle.merges.size());
    }
    for (std::size_t i = 0; i < merges.size(); ++i) ASSERT_EQ(merges[i], oracle.merges[i]);
  }
}

}  // namespace
}  // namespace glassgpt
