// What a tokenizer file says, in memory: what the readers make, the trainer makes and the writer
// writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "glassgpt/tokenizer.h"
#include "glassgpt/types.h"

namespace glassgpt::tokenizer {

constexpr TokenId kNoToken = 0xFFFFFFFF;

// Ids from here on are refused: a table over all ids must not take all memory because a file names
// a huge one.
constexpr TokenId kMaxTokens = TokenId{1} << 21;

// Texts of added tokens are matched by a tree with a node per byte.
constexpr std::size_t kMaxAddedBytes = 4096;

struct Token {
  TokenId id;
  std::string bytes;
  // The file writes it with characters that stand for no byte: its bytes are known, but no text
  // leads to it.
  bool foreign = false;
};

// The pair (left, right) may become `merged`; the pair of the lowest rank goes first.
struct Merge {
  TokenId left, right, merged;
  std::uint32_t rank;
};

// A token that is found in the text before it is split. Special ones are found only where the
// caller asks for them.
struct AddedToken {
  TokenId id;
  std::string text;
  bool special;
};

struct Definition {
  SplitPattern pattern = SplitPattern::kGpt2;
  // A piece that is a token as a whole is that token, even where the merges lead elsewhere
  // (tiktoken; ignore_merges).
  bool whole_piece_first = false;
  std::vector<Token> tokens;  // without the added ones
  std::vector<Merge> merges;
  std::vector<AddedToken> added;
};

}  // namespace glassgpt::tokenizer
