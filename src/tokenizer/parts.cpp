#include "tokenizer/parts.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>

#include "glassgpt/error.h"
#include "io/json.h"
#include "tokenizer/byte_alphabet.h"

namespace glassgpt {
namespace {

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> numbers{0};
  return numbers++;
}

}  // namespace

Tokenizer::Parts::Parts(tokenizer::Definition definition, tokenizer::Vocabulary all_tokens,
                        const std::array<TokenId, 256>& ids_of_bytes, std::vector<bool> is_special,
                        tokenizer::SpecialMatcher always_found, tokenizer::SpecialMatcher all_added)
    : number(next_number()),
      pattern(definition.pattern),
      whole_piece_first(definition.whole_piece_first),
      merge_list(std::move(definition.merges)),
      added(std::move(definition.added)),
      vocabulary(std::move(all_tokens)),
      byte_ids(ids_of_bytes),
      every_byte(std::find(byte_ids.begin(), byte_ids.end(), tokenizer::kNoToken) ==
                 byte_ids.end()),
      special(std::move(is_special)),
      always(std::move(always_found)),
      with_special(std::move(all_added)),
      encoder(vocabulary, byte_ids, merge_list),
      whole_tokens(vocabulary.size()) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    if (!vocabulary.contains(id)) continue;
    const std::string_view bytes = vocabulary.bytes(id);
    const bool reachable = encoder.is_reachable(id);
    if (!reachable && !(whole_piece_first && vocabulary.find(bytes) == id)) continue;
    boundaries.add_token(bytes);
    longest_whole = std::max(longest_whole, bytes.size());
    if (!bytes.empty() && bytes.size() <= tokenizer::PieceKey::kMaxBytes) {
      whole_tokens.add(bytes, id);
    }
  }
}

TokenId Tokenizer::Parts::whole_token(std::string_view piece,
                                      tokenizer::PieceKey key) const noexcept {
  if (piece.size() <= tokenizer::PieceKey::kMaxBytes) return whole_tokens.find(key);
  if (piece.size() > longest_whole) return tokenizer::kNoToken;
  const TokenId id = vocabulary.find(piece);
  const bool is_whole =
      id != tokenizer::kNoToken && (whole_piece_first || encoder.is_reachable(id));
  return is_whole ? id : tokenizer::kNoToken;
}

const tokenizer::AddedToken* Tokenizer::Parts::find_added(TokenId id) const noexcept {
  const auto found = std::lower_bound(
      added.begin(), added.end(), id,
      [](const tokenizer::AddedToken& token, TokenId wanted) { return token.id < wanted; });
  return found != added.end() && found->id == id ? &*found : nullptr;
}

namespace tokenizer {
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
                "two tokens share the id " + std::to_string(id) + ": " +
                    io::quote_name(vocabulary.bytes(id)) + " and " + io::quote_name(bytes));
  }
}

}  // namespace

std::unique_ptr<Tokenizer::Parts> build_parts(Definition definition, const std::string& path) {
  Vocabulary vocabulary;
  for (const Token& token : definition.tokens) {
    add_token(vocabulary, token.id, token.bytes, token.foreign, path);
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
    if (added.text.size() > kMaxAddedBytes) {
      throw Error(ErrorCode::kOutOfRange, path,
                  "the added token with id " + std::to_string(added.id) + " has " +
                      std::to_string(added.text.size()) + " bytes, more than the limit of " +
                      std::to_string(kMaxAddedBytes));
    }
    // The bytes of an added token are looked up only where ordinary text can lead to it, too.
    const bool ordinary = added.text.size() == 1 || merge_results.contains(added.id);
    if (ordinary && from_stand_ins(added.text) != added.text) {
      throw Error(ErrorCode::kUnsupported, path,
                  "the added token " + io::quote_name(added.text) +
                      " is also made by merges, of other bytes");
    }
    add_token(vocabulary, added.id, added.text, !ordinary, path);
    with_special.add(added.text, added.id);
    if (!added.special) always.add(added.text, added.id);
  }
  if (vocabulary.size() == 0) throw Error(ErrorCode::kMalformed, path, "the vocabulary is empty");

  std::array<TokenId, 256> byte_ids;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids[byte] = vocabulary.find({&c, 1});
  }
  std::vector<bool> special(vocabulary.size());
  for (const AddedToken& added : definition.added) special[added.id] = added.special;
  return std::make_unique<Tokenizer::Parts>(std::move(definition), std::move(vocabulary), byte_ids,
                                            std::move(special), std::move(always),
                                            std::move(with_special));
}

}  // namespace tokenizer
}  // namespace glassgpt
