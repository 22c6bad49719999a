// What a walkthrough is about: a text, a model, and the words of the commands that print its
// numbers.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/options.h"
#include "cli/output.h"
#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"
#include "walkthrough/recording.h"

namespace glassgpt::walkthrough {

// One word in two texts of the reader's own; empty: none.
struct ReaderContexts {
  std::string word, a, b;
};

struct Subject {
  const cli::CommonOptions& common;
  const std::filesystem::path& directory;
  const Model& model;
  const Tokenizer& tokenizer;
  std::string text;
  ReaderContexts contexts;
  std::string reference;  // a file for the mean and the random pairs; empty: what the model writes
  cli::Progress& progress;

  Encoding encoding;    // of the text
  Recording recording;  // of its pass

  // Of the many passes of few tokens: one thread unless more are asked for. A second would win
  // little, and where other programs want the cores each waits for the other hundreds of times a
  // pass. No number depends on it.
  ForwardOptions forward() const {
    ForwardOptions options = common.forward();
    if (common.threads == 0) options.threads = 1;
    return options;
  }
  std::size_t tokens() const noexcept { return encoding.ids.size(); }
  bool has_logits() const noexcept { return !recording.logits.values.empty(); }
  std::string_view token(std::size_t t) const { return tokenizer.token_bytes(encoding.ids[t]); }

  // "glassgpt WORDS OPTIONS 'TEXT' ..." as a shell takes it, to print this run's numbers: the
  // options are those of the run, and the model is named unless it is the default. `profile
  // --compare` names its products itself and takes no --gemm.
  std::string command(std::string_view words, std::initializer_list<std::string_view> texts,
                      bool with_gemm = true) const;
  std::string command(std::string_view words) const { return command(words, {text}); }
  // " --reference FILE", or nothing.
  std::string reference_option() const;
};

// Whether a folder is the bundled model of that name, however its path is written.
bool is_bundled(const std::filesystem::path& directory, const char* name);

// Between single quotes; with bytes that a terminal could not show in the form $'...'.
std::string shell_quoted(std::string_view bytes);

// A JSON string, with U+FFFD for bytes that are not UTF-8, as `--json` of every command has it.
nlohmann::ordered_json text_json(std::string_view bytes);
bool is_valid_utf8(std::string_view bytes);
std::string hexadecimal(std::string_view bytes);

// {"id", "text", "hex", "fragment"}
nlohmann::ordered_json token_json(const Tokenizer& tokenizer, TokenId id);
// The tokens of a text, one object each.
nlohmann::ordered_json tokens_json(const Tokenizer& tokenizer, std::span<const TokenId> ids);

}  // namespace glassgpt::walkthrough
