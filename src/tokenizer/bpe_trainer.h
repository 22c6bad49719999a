// Learns merges from counted pieces, in the order in which Hugging Face's BpeTrainer does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tokenizer/definition.h"
#include "tokenizer/piece_counter.h"

namespace glassgpt::tokenizer {

struct BpeTrainerOptions {
  std::size_t vocab_size;
  std::uint64_t min_frequency;
  std::vector<std::string> special_tokens;
  bool initial_alphabet;
  std::function<void(std::size_t vocab_size)> progress;  // may be empty
};

// Ids: the special tokens, then the bytes in the order of their stand-ins (all, or those that
// occur), then one per new token. As long as the vocabulary is not full, the pair with the highest
// count (the smallest ids among equals) becomes a token, unless its count is below max(1,
// min_frequency). Counts are of 64 bits. The result does not depend on the order of the pieces.
Definition learn_merges(const PieceCounts& pieces, const BpeTrainerOptions& options);

}  // namespace glassgpt::tokenizer
