// What a Tokenizer is made of.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "glassgpt/tokenizer.h"
#include "tokenizer/bpe.h"
#include "tokenizer/definition.h"
#include "tokenizer/special_matcher.h"
#include "tokenizer/token_boundaries.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/whole_tokens.h"

namespace glassgpt {

// Immutable once built; not moved, for the encoder refers to its neighbours.
struct Tokenizer::Parts {
  std::uint64_t number;  // of this tokenizer among all of the process
  SplitPattern pattern;
  bool whole_piece_first;
  std::vector<tokenizer::Merge> merge_list;  // in the order of their ranks, as save() writes them
  std::vector<tokenizer::AddedToken> added;  // in the order of their ids
  tokenizer::Vocabulary vocabulary;
  std::array<TokenId, 256> byte_ids;
  bool every_byte;            // no byte is missing in byte_ids
  std::vector<bool> special;  // by id
  // Those found always (added, but not special), and those and the special ones.
  tokenizer::SpecialMatcher always, with_special;
  tokenizer::BpeEncoder encoder;
  tokenizer::WholeTokens whole_tokens;  // the short ones
  std::size_t longest_whole = 0;        // bytes
  tokenizer::TokenBoundaries boundaries;

  // The token that all bytes of a piece become, or kNoToken if there is none or that is not known
  // at once. `key` is that of a short piece, anything else for a long one.
  TokenId whole_token(std::string_view piece, tokenizer::PieceKey key) const noexcept;

  // Null if `id` is no added token.
  const tokenizer::AddedToken* find_added(TokenId id) const noexcept;

  Parts(tokenizer::Definition definition, tokenizer::Vocabulary all_tokens,
        const std::array<TokenId, 256>& ids_of_bytes, std::vector<bool> is_special,
        tokenizer::SpecialMatcher always_found, tokenizer::SpecialMatcher all_added);
};

namespace tokenizer {

// Checks the definition and builds the tables. Errors name `path`.
std::unique_ptr<Tokenizer::Parts> build_parts(Definition definition, const std::string& path);

}  // namespace tokenizer
}  // namespace glassgpt
