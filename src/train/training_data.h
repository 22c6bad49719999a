// The data of a run: windows to train on, and what is held out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "glassgpt/tokenizer.h"
#include "glassgpt/train.h"
#include "train/sampler.h"
#include "train/token_file.h"
#include "train/validation.h"

namespace glassgpt::training {

// What held-out sources are called in reports and the log, each by a name of its own: that of its
// file or folder; where several are called so, with the folders that tell them apart; a path that
// comes again, with a number.
std::vector<std::string> source_names(const std::vector<std::filesystem::path>& paths);

class TrainingData {
 public:
  // Rank 0 makes the token file of the corpora, or finds it; the others wait and open it. Throws
  // Error: also for a corpus without a text to learn from.
  TrainingData(const TrainingOptions& options, const Tokenizer& tokenizer, std::size_t context,
               int threads, const TrainingCallbacks& callbacks, distributed::Communicator& ranks);

  const TokenFile& file() const noexcept { return file_; }
  const WindowSampler& sampler() const noexcept { return sampler_; }
  const Validator& validator() const noexcept { return validator_; }

  std::uint64_t training_tokens() const;

 private:
  TokenFile file_;
  std::size_t sources_;  // the first streams of the file; the others are held out
  WindowSampler sampler_;
  Validator validator_;
};

}  // namespace glassgpt::training
