#include "train/training_data.h"

#include <string>

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

std::string source_name(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.empty() ? path.parent_path().filename().string() : name;
}

std::vector<Validator::Source> valid_sources(const TrainingOptions& options,
                                             const TokenFile& file) {
  std::vector<Validator::Source> sources;
  for (std::size_t stream = options.corpus.size(); stream < file.streams().size(); ++stream) {
    const std::size_t i = stream - options.corpus.size();
    sources.push_back(
        {source_name(options.valid.empty() ? options.corpus[i].path : options.valid[i]), stream});
  }
  return sources;
}

}  // namespace

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
