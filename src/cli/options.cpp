#include "cli/options.h"

#include <fmt/format.h>

#include <cstdlib>
#include <system_error>

#include "cli/command.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace fs = std::filesystem;

namespace {

bool is_model_directory(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "config.json", ignored);
}

SplitPattern split_pattern(const std::string& name) {
  if (name == "cl100k") return SplitPattern::kCl100k;
  if (name == "o200k") return SplitPattern::kO200k;
  return SplitPattern::kGpt2;
}

}  // namespace

GemmChoice CommonOptions::gemm_choice() const {
  if (gemm == "simd") return GemmChoice::kSimd;
  if (gemm == "blas") return GemmChoice::kBlas;
  if (gemm == "reference") return GemmChoice::kReference;
  return GemmChoice::kAuto;
}

ComputeType CommonOptions::compute_type() const {
  return dtype == "bf16" ? ComputeType::kBFloat16 : ComputeType::kFloat32;
}

namespace {

template <class Accept>
fs::path find_weights(const std::string& name, Accept accept) {
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  std::vector<fs::path> candidates;
  if (!error) {
    const fs::path bin = executable.parent_path();
    candidates.push_back(bin.parent_path().parent_path() / "weights" / name);
    candidates.push_back(bin.parent_path() / "share" / "glassgpt" / "weights" / name);
  }
  candidates.push_back(fs::path(GLASSGPT_SOURCE_DIR) / "weights" / name);
  for (const fs::path& candidate : candidates) {
    if (accept(candidate)) return candidate;
  }
  return {};
}

}  // namespace

fs::path bundled_weights(const std::string& name) {
  return find_weights(name, [](const fs::path& candidate) {
    std::error_code error;
    return fs::exists(candidate, error);
  });
}

fs::path bundled_model(const std::string& name) {
  return find_weights(name,
                      [](const fs::path& candidate) { return is_model_directory(candidate); });
}

fs::path find_model_directory(const CommonOptions& common) {
  if (!common.model.empty()) return common.model;
  if (const char* named = std::getenv("GLASSGPT_MODEL"); named != nullptr && *named != '\0') {
    return named;
  }
  return bundled_model("mini");
}

fs::path model_directory(const CommonOptions& common) {
  fs::path directory = find_model_directory(common);
  if (directory.empty()) {
    throw Error(ErrorCode::kNotFound, "",
                "there is no model: the bundled weights/mini is not there",
                "name a model directory with -m DIR or in GLASSGPT_MODEL");
  }
  std::error_code error;
  if (!fs::exists(directory, error) && !error) {
    throw Error(ErrorCode::kNotFound, directory.string(), "no such model directory",
                "-m DIR or GLASSGPT_MODEL names a folder with config.json, model.safetensors and "
                "tokenizer.json");
  }
  return directory;
}

void TokenizerOptions::add_path_to(CLI::App& app) {
  app.add_option(
         "--tokenizer", path,
         "tokenizer.json, a directory with it or with vocab.json + merges.txt, or a .tiktoken "
         "file (default: the model's own)")
      ->check(not_empty())
      ->type_name("PATH");
  app.add_option("--pattern", pattern, "split pattern of a .tiktoken file")
      ->check(one_of({"gpt2", "cl100k", "o200k"}))
      ->capture_default_str();
}

void TokenizerOptions::add_to(CLI::App& app) {
  add_path_to(app);
  app.add_option(
         "--special", special,
         "special tokens in the text: none = ordinary text, all = their ids, error = refuse")
      ->check(one_of({"none", "all", "error"}))
      ->capture_default_str();
}

Tokenizer TokenizerOptions::load(const CommonOptions& common) const {
  if (!path.empty()) return Tokenizer::load(path, split_pattern(pattern));
  return Tokenizer::load(model_directory(common));
}

SpecialTokens TokenizerOptions::special_tokens() const {
  if (special == "all") return SpecialTokens::kAll;
  if (special == "error") return SpecialTokens::kError;
  return SpecialTokens::kNone;
}

void check_tokenizer_fits(const Tokenizer& tokenizer, const Model& model,
                          const fs::path& directory) {
  const std::size_t rows = model.config().vocab_size;
  if (tokenizer.vocab_size() <= rows) return;
  throw Error(ErrorCode::kMalformed, directory.string(),
              fmt::format("the tokenizer has {} ids, the model's embedding table only {} rows",
                          tokenizer.vocab_size(), rows),
              "use the tokenizer that the model was trained with");
}

std::vector<TokenId> encode_text(const Tokenizer& tokenizer, std::string_view text,
                                 SpecialTokens special, const std::string& where) {
  try {
    return tokenizer.encode(text, special);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(fmt::format("{}: {}", where, error.what()));
  }
}

Encoding encode_text_with_spans(const Tokenizer& tokenizer, std::string_view text,
                                SpecialTokens special, const std::string& where) {
  try {
    return tokenizer.encode_with_spans(text, special);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(fmt::format("{}: {}", where, error.what()));
  }
}

void check_context(std::size_t tokens, const Model& model, const std::string& where,
                   const char* hint) {
  const std::size_t context = model.config().n_positions;
  if (tokens <= context) return;
  throw Error(ErrorCode::kOutOfRange, where,
              fmt::format("{} tokens, {} more than the model's context of {}", tokens,
                          tokens - context, context),
              hint);
}

}  // namespace glassgpt::cli
