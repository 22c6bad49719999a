// What every command shares, without the command line's library: options that all have, the model
// and the tokenizer that they name, and what is checked alike.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"

namespace CLI {
class App;
}

namespace glassgpt::distributed {
class Communicator;
}

namespace glassgpt::cli {

// The command line itself is wrong, whatever the files say: exit code 2. What depends on files, on
// the model or on the machine is any other exception: exit code 1.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Options that every command has.
struct CommonOptions {
  std::string model;
  int threads = 0;  // 0: default_threads()
  std::string isa;
  std::string gemm = "auto";
  std::string dtype = "f32";
  bool dtype_given = false;  // by the user: a resumed run has one of its own
  bool json = false;
  bool quiet = false;
  bool after_separator = false;                // arguments stood behind "--": texts, also "-"
  distributed::Communicator* ranks = nullptr;  // of the run; never null in Command::run()

  GemmChoice gemm_choice() const;
  ComputeType compute_type() const;
  ForwardOptions forward() const { return {threads, gemm_choice(), compute_type()}; }
};

// weights/NAME, a file or a folder, beside the executable (build tree, installed tree) or in the
// source tree; empty if it is not there.
std::filesystem::path bundled_weights(const std::string& name);
// The same, of a folder that is a model.
std::filesystem::path bundled_model(const std::string& name);
// -m, else GLASSGPT_MODEL, else the bundled model "mini". Empty if none of them is there and none
// was asked for.
std::filesystem::path find_model_directory(const CommonOptions& common);
// The same, or an Error that says how to name one.
std::filesystem::path model_directory(const CommonOptions& common);

// The tokenizer of `--tokenizer PATH`, or the model's own.
struct TokenizerOptions {
  std::string path;
  std::string pattern = "gpt2";
  std::string special = "none";

  void add_to(CLI::App& app);
  // Without --special, for commands that encode no text.
  void add_path_to(CLI::App& app);
  Tokenizer load(const CommonOptions& common) const;
  SpecialTokens special_tokens() const;
};

// An Error (kMalformed) if the tokenizer can yield ids that the model does not have.
void check_tokenizer_fits(const Tokenizer& tokenizer, const Model& model,
                          const std::filesystem::path& directory);

// Tokenizer::encode and encode_with_spans, with `where` in front of what they throw.
std::vector<TokenId> encode_text(const Tokenizer& tokenizer, std::string_view text,
                                 SpecialTokens special, const std::string& where);
Encoding encode_text_with_spans(const Tokenizer& tokenizer, std::string_view text,
                                SpecialTokens special, const std::string& where);

// An Error (kOutOfRange) that counts the surplus if `tokens` are more than the model's context.
void check_context(std::size_t tokens, const Model& model, const std::string& where,
                   const char* hint);

}  // namespace glassgpt::cli
