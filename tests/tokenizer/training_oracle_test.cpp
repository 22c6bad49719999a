// Training on small texts against what Hugging Face's BpeTrainer made of them
// (training_oracles.jsonl, written by make_training_oracles.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "glassgpt/tokenizer.h"
#include "tests/io/temporary_directory.h"
#include "tests/tokenizer/shared_data.h"

namespace glassgpt {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path() / name, std::ios::binary) << text;
    return path() / name;
  }
  const fs::path& path() const { return directory_.path(); }

 private:
  testing::TemporaryDirectory directory_;
};

// The model as tokenizer.json has it. Special tokens stand in the vocabulary there and here.
json trained_model(const json& oracle, int threads, const TemporaryFolder& folder) {
  std::vector<fs::path> files;
  for (const auto& text : oracle.at("texts")) {
    files.push_back(folder.write(std::to_string(files.size()), text.get<std::string>()));
  }
  TokenizerTrainingOptions options;
  options.vocab_size = oracle.at("vocab_size");
  options.min_frequency = oracle.at("min_frequency");
  options.special_tokens = oracle.at("special_tokens").get<std::vector<std::string>>();
  options.initial_alphabet = oracle.at("initial_alphabet");
  options.threads = threads;
  const fs::path file = folder.path() / "tokenizer.json";
  train_tokenizer(files, options).save(file);
  json model = json::parse(testing::read_text(file)).at("model");
  for (json& merge : model["merges"]) {
    const std::string pair = merge.get<std::string>();
    const std::size_t space = pair.find(' ');
    merge = {pair.substr(0, space), pair.substr(space + 1)};
  }
  return model;
}

TEST(TrainingOracles, EqualHuggingFaceForAnyNumberOfThreads) {
  std::istringstream lines(
      testing::read_text(fs::path(GLASSGPT_SOURCE_DIR) / "tests/tokenizer/training_oracles.jsonl"));
  std::size_t oracles = 0;
  for (std::string line; std::getline(lines, line); ++oracles) {
    const json oracle = json::parse(line);
    for (const int threads : {1, 2, 5}) {
      const json model = trained_model(oracle, threads, TemporaryFolder());
      EXPECT_EQ(model.at("vocab"), oracle.at("vocab")) << oracle.at("name") << ", " << threads;
      EXPECT_EQ(model.at("merges"), oracle.at("merges")) << oracle.at("name") << ", " << threads;
    }
  }
  EXPECT_EQ(oracles, 13u);
}

}  // namespace
}  // namespace glassgpt
