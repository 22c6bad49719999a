// The names that tokens have in vocabulary files, and the merges that are written with them.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "tokenizer/definition.h"
#include "tokenizer/parts.h"

namespace glassgpt::tokenizer {

// The token that a file writes as `name`: stand-ins of its bytes, or else, as for Hugging Face, the
// text itself.
Token token_of_name(TokenId id, const std::string& name);

// The way back: the text of an added token, the stand-ins of the bytes of any other.
std::string token_name(const Tokenizer::Parts& parts, TokenId id);

class MergeNames {
 public:
  void reserve(std::size_t tokens) { ids_.reserve(tokens); }
  void add(std::string_view name, TokenId id) { ids_.emplace(name, id); }

  // The merge of two names, or of "a b". Throws Error (kMalformed, naming `path` and the rank)
  // where a token of it or its result is not in the vocabulary.
  Merge merge(std::string_view left, std::string_view right, std::uint32_t rank,
              const std::string& path) const;
  Merge merge(std::string_view pair, std::uint32_t rank, const std::string& path) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  TokenId id_of(std::string_view name, std::uint32_t rank, const std::string& path) const;

  std::unordered_map<std::string, TokenId, Hash, std::equal_to<>> ids_;
};

}  // namespace glassgpt::tokenizer
