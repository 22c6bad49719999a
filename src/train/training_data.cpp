#include "train/training_data.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "glassgpt/error.h"

namespace glassgpt::training {
namespace {

namespace fs = std::filesystem;

TokenFilePlan token_file_plan(const TrainingOptions& options) {
  TokenFilePlan plan{{}, options.valid, options.valid.empty() ? options.valid_fraction : 0.0};
  for (const CorpusSource& source : options.corpus) plan.train.push_back(source.path);
  return plan;
}

TokenFile open_token_file(const TrainingOptions& options, const Tokenizer& tokenizer, int threads,
                          const TrainingCallbacks& callbacks, distributed::Communicator& ranks) {
  const fs::path path = options.output / "tokens.bin";
  if (!ranks.is_first()) {
    ranks.barrier();
    return {path, tokenizer.vocab_size()};
  }
  TokenFile file = TokenFile::open_or_make(path, token_file_plan(options), tokenizer, threads,
                                           callbacks.on_tokenize);
  ranks.barrier();
  return file;
}

std::vector<WindowSampler::Source> training_sources(const TrainingOptions& options,
                                                    const TokenFile& file) {
  std::vector<WindowSampler::Source> sources;
  for (std::size_t i = 0; i < options.corpus.size(); ++i) {
    const std::uint64_t tokens = file.streams().at(i).count;
    if (tokens < 3) {
      throw Error(ErrorCode::kMalformed, options.corpus[i].path.string(),
                  "has no text to learn from");
    }
    sources.push_back({tokens, options.corpus[i].weight});
  }
  return sources;
}

bool lies_below(const fs::path& folder, const fs::path& path) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

std::vector<Validator::Source> valid_sources(const TrainingOptions& options,
                                             const TokenFile& file) {
  std::vector<fs::path> paths = options.valid;
  if (paths.empty()) {
    for (const CorpusSource& source : options.corpus) paths.push_back(source.path);
  }
  const std::vector<std::string> names = source_names(paths);
  std::vector<Validator::Source> sources;
  for (std::size_t stream = options.corpus.size(); stream < file.streams().size(); ++stream)
    sources.push_back({names.at(stream - options.corpus.size()), stream});
  return sources;
}

}  // namespace

std::vector<std::string> source_names(const std::vector<fs::path>& paths) {
  std::vector<fs::path> wholes;
  std::map<fs::path, fs::path> folders;  // by name: the one that all of that name lie below
  for (const fs::path& path : paths) {
    fs::path whole = fs::absolute(path).lexically_normal();
    if (!whole.has_filename()) whole = whole.parent_path();  // a folder with a slash behind it
    fs::path& folder = folders.try_emplace(whole.filename(), whole.parent_path()).first->second;
    while (!lies_below(folder, whole)) folder = folder.parent_path();
    wholes.push_back(std::move(whole));
  }
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const fs::path& whole : wholes) {
    const std::string name = whole.lexically_relative(folders[whole.filename()]).string();
    std::string unique = name;
    for (int number = 2; !taken.insert(unique).second; ++number)
      unique = name + " " + std::to_string(number);
    names.push_back(std::move(unique));
  }
  return names;
}

TrainingData::TrainingData(const TrainingOptions& options, const Tokenizer& tokenizer,
                           std::size_t context, int threads, const TrainingCallbacks& callbacks,
                           distributed::Communicator& ranks)
    : file_(open_token_file(options, tokenizer, threads, callbacks, ranks)),
      sources_(options.corpus.size()),
      sampler_(training_sources(options, file_), context, options.seed),
      validator_(file_, valid_sources(options, file_), options.valid_tokens,
                 token_byte_counts(tokenizer)) {}

std::uint64_t TrainingData::training_tokens() const {
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < sources_; ++i) tokens += file_.streams()[i].count;
  return tokens;
}

}  // namespace glassgpt::training
