#include "tokenizer/merge_names.h"

#include "glassgpt/error.h"
#include "io/json.h"
#include "tokenizer/byte_alphabet.h"

namespace glassgpt::tokenizer {

Token token_of_name(TokenId id, const std::string& name) {
  const std::optional<std::string> bytes = from_stand_ins(name);
  return {id, bytes.value_or(name), !bytes.has_value()};
}

std::string token_name(const Tokenizer::Parts& parts, TokenId id) {
  const AddedToken* added = parts.find_added(id);
  return added != nullptr ? added->text : to_stand_ins(parts.vocabulary.bytes(id));
}

TokenId MergeNames::id_of(std::string_view name, std::uint32_t rank,
                          const std::string& path) const {
  const auto found = ids_.find(name);
  if (found == ids_.end()) {
    throw Error(ErrorCode::kMalformed, path,
                "merge " + std::to_string(rank) + " needs the token " + io::quote_name(name) +
                    ", which is not in the vocabulary");
  }
  return found->second;
}

Merge MergeNames::merge(std::string_view left, std::string_view right, std::uint32_t rank,
                        const std::string& path) const {
  std::string merged(left);
  merged += right;
  return {id_of(left, rank, path), id_of(right, rank, path), id_of(merged, rank, path), rank};
}

Merge MergeNames::merge(std::string_view pair, std::uint32_t rank, const std::string& path) const {
  const std::size_t space = pair.find(' ');
  if (space == std::string_view::npos || pair.find(' ', space + 1) != std::string_view::npos) {
    throw Error(ErrorCode::kMalformed, path,
                "merge " + std::to_string(rank) +
                    " is not two tokens with a space between: " + io::quote_name(pair));
  }
  return merge(pair.substr(0, space), pair.substr(space + 1), rank, path);
}

}  // namespace glassgpt::tokenizer
