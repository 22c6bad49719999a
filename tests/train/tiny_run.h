// A complete training run that takes a fraction of a second: corpus, tokenizer, options.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "glassgpt/tokenizer.h"
#include "glassgpt/train.h"
#include "io/file.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::testing {

// Short documents in which every word is decided by the one before it, except at their ends.
inline std::string tiny_corpus(int documents) {
  static const char* const kSentences[] = {
      "The cat sits on the mat and sings.", "A dog runs over the green hill.",
      "\xE7\x8C\xAB\xE5\x9D\x90\xE5\x9C\xA8\xE5\x9E\xAB\xE5\xAD\x90\xE4\xB8\x8A\xE3\x80\x82",
      "Rain falls, and the river rises.", "Who has seen the wind?"};
  std::string text;
  for (int i = 0; i < documents; ++i) {
    text += kSentences[i % 5];
    text += "\n";
    text += kSentences[(i * 3 + 1) % 5];
    text += " Number " + std::to_string(i) + ".\n\n";
  }
  return text;
}

class TinyRun {
 public:
  explicit TinyRun(const std::filesystem::path& directory) : directory_(directory) {
    io::make_directories(directory);
    io::write_file(directory / "corpus.txt", tiny_corpus(200));
    const std::filesystem::path files[] = {directory / "corpus.txt"};
    TokenizerTrainingOptions tokenizer;
    tokenizer.vocab_size = 300;
    tokenizer.threads = 1;
    io::make_directories(directory / "tokenizer");
    train_tokenizer(files, tokenizer).save(directory / "tokenizer" / "tokenizer.json");
    write_config(config(), directory / "config.json");
  }

  static ModelConfig config() {
    ModelConfig config;
    config.vocab_size = 300;
    config.n_positions = 16;
    config.n_embd = 16;
    config.n_layer = 1;
    config.n_head = 2;
    config.position_encoding = PositionEncoding::kSinusoidal;
    config.embedding_scale = 4.0f;
    return config;
  }

  TrainingOptions options(const std::string& output) const {
    TrainingOptions options;
    options.corpus = {{directory_ / "corpus.txt", 1.0}};
    options.tokenizer = directory_ / "tokenizer";
    options.config = config();
    options.output = directory_ / output;
    options.steps = 30;
    options.batch_tokens = 128;
    options.micro_batch_tokens = 64;
    options.learning_rate = 1e-2f;
    options.warmup_steps = 5;
    options.log_every = 4;
    options.eval_every = 10;
    options.checkpoint_every = 7;
    options.valid_fraction = 0.1;
    options.threads = 1;
    return options;
  }

  std::string model_bytes(const std::string& output) const {
    return io::read_file(directory_ / output / "model.safetensors");
  }
  std::string checkpoint_bytes(const std::string& output, const std::string& step) const {
    return io::read_file(directory_ / output / "checkpoints" / ("step_" + step + ".safetensors"));
  }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

}  // namespace glassgpt::testing
