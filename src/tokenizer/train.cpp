#include <stdexcept>

#include "glassgpt/error.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/parts.h"
#include "tokenizer/piece_counter.h"

namespace glassgpt {
namespace {

std::size_t total_size(std::span<const std::filesystem::path> files) {
  std::size_t bytes = 0;
  for (const std::filesystem::path& file : files) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (error) {
      throw Error(error == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound
                                                                : ErrorCode::kUnreadable,
                  file.string(), "cannot be read: " + error.message());
    }
    bytes += size;
  }
  return bytes;
}

void check(const TokenizerTrainingOptions& options) {
  if (options.vocab_size == 0 || options.vocab_size > tokenizer::kMaxTokens) {
    throw std::invalid_argument("vocab_size is " + std::to_string(options.vocab_size) +
                                ", expected 1 to " + std::to_string(tokenizer::kMaxTokens));
  }
  for (const std::string& special : options.special_tokens) {
    if (special.empty()) throw std::invalid_argument("a special token is empty");
  }
}

}  // namespace

Tokenizer train_tokenizer(std::span<const std::filesystem::path> files,
                          const TokenizerTrainingOptions& options) {
  check(options);
  if (files.empty()) throw std::invalid_argument("there are no files to train a tokenizer on");
  TokenizerTrainingProgress state{0, total_size(files), 0, options.vocab_size};
  std::function<void(std::size_t)> on_bytes, on_tokens;
  if (options.progress) {
    on_bytes = [&](std::size_t bytes) {
      state.bytes_read = bytes;
      options.progress(state);
    };
    on_tokens = [&](std::size_t tokens) {
      state.bytes_read = state.bytes_total;
      state.vocab_size = tokens;
      options.progress(state);
    };
  }
  const tokenizer::PieceCounts pieces = tokenizer::count_pieces(files, options.threads, on_bytes);
  return Tokenizer(tokenizer::build_parts(
      tokenizer::learn_merges(pieces,
                              {options.vocab_size, options.min_frequency, options.special_tokens,
                               options.initial_alphabet, on_tokens}),
      ""));
}

}  // namespace glassgpt
