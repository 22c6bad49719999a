// The loss on held-out streams of a token file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glassgpt/tokenizer.h"
#include "glassgpt/train.h"
#include "train/learner.h"
#include "train/token_file.h"

namespace glassgpt::training {

// Bytes of each id; 0 for special tokens, which stand for no text.
std::vector<std::uint32_t> token_byte_counts(const Tokenizer& tokenizer);

class Validator {
 public:
  struct Source {
    std::string name;
    std::size_t stream;
  };

  // Streams of less than two tokens are left out. At most `tokens` of each are looked at (0: all).
  Validator(const TokenFile& file, const std::vector<Source>& sources, std::size_t tokens,
            std::vector<std::uint32_t> byte_counts);

  bool empty() const noexcept { return sources_.empty(); }

  // Windows of the context length side by side, `batch_tokens` at a time. `best` is left false.
  ValidationReport run(Learner& learner, std::size_t batch_tokens) const;

 private:
  struct Held {
    std::string name;
    std::vector<TokenId> ids;
  };
  ValidationResult run(const Held& source, Learner& learner, std::size_t batch_tokens) const;

  std::vector<Held> sources_;
  std::vector<std::uint32_t> byte_counts_;
};

}  // namespace glassgpt::training
