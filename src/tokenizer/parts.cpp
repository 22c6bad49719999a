#include "tokenizer/parts.h"

#include <algorithm>
#include <unordered_set>

#include "glassgpt/error.h"
#include "tokenizer/byte_alphabet.h"

namespace glassgpt::tokenizer {
namespace {

void add_token(Vocabulary& vocabulary, TokenId id, std::string_view bytes, bool hidden,
               const std::string& path) {
  if (id >= kMaxTokens) {
    throw Error(ErrorCode::kOutOfRange, path,
                "token id " + std::to_string(id) + " is beyond the limit of " +
                    std::to_string(kMaxTokens - 1));
  }
  if (!vocabulary.add(id, bytes, hidden)) {
    throw Error(ErrorCode::kMalformed, path,
                "two tokens share the id " + std::to_string(id) + ": \"" +
                    to_stand_ins(vocabulary.bytes(id)) + "\" and \"" + to_stand_ins(bytes) + "\"");
  }
}

}  // namespace

std::unique_ptr<Tokenizer::Parts> build_parts(Definition definition, const std::string& path) {
  Vocabulary vocabulary;
  for (const Token& token : definition.tokens) {
    add_token(vocabulary, token.id, token.bytes, false, path);
  }
  std::unordered_set<TokenId> merge_results;
  for (const Merge& merge : definition.merges) merge_results.insert(merge.merged);
  SpecialMatcher always, with_special;
  std::sort(definition.added.begin(), definition.added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (const AddedToken& added : definition.added) {
    if (added.text.empty()) {
      throw Error(ErrorCode::kMalformed, path,
                  "the added token with id " + std::to_string(added.id) + " is empty");
    }
    // The bytes of an added token are looked up only where ordinary text can lead to it, too.
    const bool ordinary = added.text.size() == 1 || merge_results.contains(added.id);
    add_token(vocabulary, added.id, added.text, !ordinary, path);
    with_special.add(added.text, added.id);
    if (!added.special) always.add(added.text, added.id);
  }
  if (vocabulary.size() == 0) throw Error(ErrorCode::kMalformed, path, "the vocabulary is empty");

  std::array<TokenId, 256> byte_ids;
  bool every_byte = true;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids[byte] = vocabulary.find({&c, 1});
    every_byte = every_byte && byte_ids[byte] != kNoToken;
  }
  std::vector<bool> special(vocabulary.size());
  for (const AddedToken& added : definition.added) special[added.id] = added.special;
  MergeTable merges(definition.merges);
  return std::unique_ptr<Tokenizer::Parts>(new Tokenizer::Parts{
      definition.pattern, definition.whole_piece_first, std::move(definition.merges),
      std::move(definition.added), std::move(vocabulary), std::move(merges), byte_ids, every_byte,
      std::move(special), std::move(always), std::move(with_special)});
}

}  // namespace glassgpt::tokenizer
