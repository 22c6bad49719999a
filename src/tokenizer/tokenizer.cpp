#include "glassgpt/tokenizer.h"

#include <stdexcept>

#include "glassgpt/error.h"
#include "io/json.h"
#include "tokenizer/bpe_reference.h"
#include "tokenizer/files.h"
#include "tokenizer/parts.h"
#include "tokenizer/split.h"
#include "tokenizer/text_encoder.h"
#include "tokenizer/unicode.h"

namespace glassgpt {
namespace {

using tokenizer::kNoToken;
using tokenizer::SpecialMatcher;

void require_known_bytes(const Tokenizer::Parts& parts, std::string_view text) {
  if (parts.every_byte) return;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (parts.byte_ids[byte] == kNoToken) {
      throw Error(ErrorCode::kOutOfRange, "",
                  "the vocabulary has no token for the byte " + std::to_string(byte) +
                      " at offset " + std::to_string(i) + " of the text",
                  "train the tokenizer with all 256 bytes in its initial alphabet");
    }
  }
}

void refuse_special(const Tokenizer::Parts& parts, std::string_view text) {
  for (std::size_t from = 0;;) {
    const SpecialMatcher::Match match = parts.with_special.find(text, from);
    if (match.id == kNoToken) return;
    if (parts.special[match.id]) {
      throw std::invalid_argument("the text contains the special token " +
                                  io::quote_name(text.substr(match.begin, match.length)) +
                                  " at byte offset " + std::to_string(match.begin));
    }
    from = match.begin + match.length;
  }
}

// Walks through the text once; `index` counts the characters before `at`.
class CharacterCursor {
 public:
  explicit CharacterCursor(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {
    read();
  }
  // The index of the character that contains byte `target`, which never goes backward.
  std::size_t index_at(const char* target) {
    while (at_ + length_ <= target && at_ < end_) {
      at_ += length_;
      ++index_;
      read();
    }
    return index_;
  }

 private:
  void read() { length_ = at_ < end_ ? tokenizer::character_at(at_, end_).length : 1; }

  const char* at_;
  const char* end_;
  std::uint32_t length_ = 1;
  std::size_t index_ = 0;
};

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path, SplitPattern tiktoken_pattern) {
  return Tokenizer(
      tokenizer::build_parts(tokenizer::read_definition(path, tiktoken_pattern), path.string()));
}

void Tokenizer::save(const std::filesystem::path& file) const {
  tokenizer::write_tokenizer_json(*parts_, file);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  require_known_bytes(*parts_, text);
  if (special == SpecialTokens::kError) refuse_special(*parts_, text);
  const SpecialMatcher& matcher =
      special == SpecialTokens::kAll ? parts_->with_special : parts_->always;
  tokenizer::TextEncoder encoder(*parts_, text.size());
  for (std::size_t at = 0; at < text.size();) {
    const SpecialMatcher::Match match = matcher.find(text, at);
    encoder.add_text(text.substr(at, match.begin - at));
    if (match.id != kNoToken) encoder.add_token(match.id);
    at = match.begin + match.length;
  }
  return encoder.take();
}

Encoding Tokenizer::encode_with_spans(std::string_view text, SpecialTokens special) const {
  Encoding encoding{encode(text, special), {}};
  encoding.spans.reserve(encoding.ids.size());
  CharacterCursor characters(text);
  std::size_t begin = 0;
  for (const TokenId id : encoding.ids) {
    const std::size_t end = begin + parts_->vocabulary.bytes(id).size();
    const std::size_t first = characters.index_at(text.data() + begin);
    const std::size_t last = characters.index_at(text.data() + end - 1);
    encoding.spans.push_back({begin, end, first, last + 1});
    begin = end;
  }
  return encoding;
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  const std::size_t done = parts_->vocabulary.append_bytes(ids, text);
  if (done < ids.size()) token_bytes(ids[done]);  // throws
  return text;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  if (!parts_->vocabulary.contains(id)) {
    throw Error(ErrorCode::kOutOfRange, "",
                "token id " + std::to_string(id) + " is not in the vocabulary of " +
                    std::to_string(vocab_size()) + " tokens");
  }
  return parts_->vocabulary.bytes(id);
}

bool Tokenizer::is_special(TokenId id) const noexcept {
  return id < parts_->special.size() && parts_->special[id];
}

std::optional<TokenId> Tokenizer::id_of(std::string_view token_bytes) const {
  const TokenId id = parts_->vocabulary.find(token_bytes);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

std::optional<TokenId> Tokenizer::special_id(std::string_view text) const {
  for (const tokenizer::AddedToken& added : parts_->added) {
    if (added.special && added.text == text) return added.id;
  }
  return std::nullopt;
}

std::size_t Tokenizer::vocab_size() const noexcept { return parts_->vocabulary.size(); }

SplitPattern Tokenizer::pattern() const noexcept { return parts_->pattern; }

std::vector<std::string_view> Tokenizer::split(std::string_view text) const {
  std::vector<std::string_view> pieces;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const char* const next = tokenizer::piece_end(parts_->pattern, at, end);
    pieces.emplace_back(at, static_cast<std::size_t>(next - at));
    at = next;
  }
  return pieces;
}

std::vector<MergeStep> Tokenizer::merge_steps(std::string_view piece) const {
  require_known_bytes(*parts_, piece);
  std::vector<TokenId> tokens;
  for (const char byte : piece) {
    tokens.push_back(parts_->byte_ids[static_cast<unsigned char>(byte)]);
  }
  std::vector<MergeStep> steps;
  tokenizer::merge_by_the_book(std::move(tokens), parts_->encoder.merges(),
                               [&](const MergeStep& step) { steps.push_back(step); });
  return steps;
}

}  // namespace glassgpt
