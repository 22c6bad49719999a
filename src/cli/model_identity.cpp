#include "cli/model_identity.h"

#include <map>
#include <vector>

#include "cli/sha256.h"
#include "model/weight_files.h"
#include "tokenizer/files.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

// By name, in the order of names.
ordered_json hashes_of(const std::vector<fs::path>& files) {
  std::map<std::string, std::string> hashes;
  for (const fs::path& file : files) hashes[file.filename().string()] = sha256_of_file(file);
  return hashes;
}

}  // namespace

ordered_json model_identity(const fs::path& directory, const TokenizerOptions& tokenizer) {
  std::vector<fs::path> files = weight_files(directory);
  files.push_back(directory / "config.json");
  const bool own = tokenizer.path.empty();
  const std::vector<fs::path> of_tokenizer =
      tokenizer::definition_files(own ? directory : fs::path(tokenizer.path));
  if (own) files.insert(files.end(), of_tokenizer.begin(), of_tokenizer.end());
  ordered_json identity = {{"sha256", hashes_of(files)}};
  if (!own) {
    identity["tokenizer"] = {{"pattern", tokenizer.pattern}, {"sha256", hashes_of(of_tokenizer)}};
  }
  return identity;
}

}  // namespace glassgpt::cli
