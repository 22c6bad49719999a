// Encoding and decoding of texts that come bit by bit.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "glassgpt/tokenizer.h"
#include "io/json.h"
#include "tokenizer/block_splitter.h"
#include "tokenizer/parts.h"
#include "tokenizer/unicode.h"

namespace glassgpt {
namespace {

using tokenizer::kNoToken;
using tokenizer::SpecialMatcher;

// Below this much text, looking for what is certain is not worth the while.
constexpr std::size_t kFirstLook = 64;

bool ends_with_space(const char* begin, const char* end) noexcept {
  const char* last = end - 1;
  while (last > begin && end - last < 3 && (static_cast<unsigned char>(*last) & 0xC0) == 0x80) {
    --last;
  }
  const tokenizer::Character character = tokenizer::character_at(last, end);
  return last + character.length == end &&
         tokenizer::class_of(character) == tokenizer::CharClass::kSpace;
}

// Where `text` can be cut so that neither more text behind it nor the cut itself changes the pieces
// before; 0 if there is no such place.
//
// A cut behind a space would change them: spaces at the end of a text are one piece.
//
// To know its end, a piece's scanner reads what belongs to the piece, the run of spaces or capitals
// that it leaves to the next two pieces, and a contraction (four bytes). So where three more pieces
// and some bytes follow within the text, it has read nothing but what is there. Bytes that a
// character may still be made of count as not there.
template <SplitPattern kPattern>
std::size_t certain_cut(std::string_view text) {
  constexpr std::size_t kPieces = 4;
  constexpr std::size_t kSlack = 16;
  text.remove_suffix(tokenizer::incomplete_tail(text));
  if (text.size() < kSlack) return 0;
  const char* const last = text.data() + text.size() - kSlack;
  std::array<std::string_view, kPieces> pieces;  // the last ones, in a ring
  std::size_t count = 0;
  const char* certain = text.data();
  tokenizer::for_each_piece<kPattern>(text, [&](const char* begin, const char* end) {
    std::string_view& piece = pieces[count++ % kPieces];
    const char* const piece_end = piece.data() + piece.size();
    if (count > kPieces && piece_end <= last && !ends_with_space(piece.data(), piece_end)) {
      certain = piece_end;
    }
    piece = {begin, static_cast<std::size_t>(end - begin)};
  });
  return static_cast<std::size_t>(certain - text.data());
}

std::size_t certain_cut(SplitPattern pattern, std::string_view text) {
  switch (pattern) {
    case SplitPattern::kGpt2:
      return certain_cut<SplitPattern::kGpt2>(text);
    case SplitPattern::kCl100k:
      return certain_cut<SplitPattern::kCl100k>(text);
    case SplitPattern::kO200k:
      return certain_cut<SplitPattern::kO200k>(text);
  }
  return 0;
}

}  // namespace

StreamingEncoder::StreamingEncoder(const Tokenizer& tokenizer, SpecialTokens special)
    : tokenizer_(&tokenizer), special_(special), next_look_(kFirstLook) {}

void StreamingEncoder::push(std::string_view text, std::vector<TokenId>& ids) {
  waiting_.append(text);
  if (waiting_.size() >= next_look_) encode_certain(ids, false);
}

void StreamingEncoder::finish(std::vector<TokenId>& ids) {
  encode_certain(ids, true);
  passed_ = 0;
}

void StreamingEncoder::encode_certain(std::vector<TokenId>& ids, bool is_end) {
  const Tokenizer::Parts& parts = tokenizer_->parts();
  const SpecialMatcher& matcher =
      special_ == SpecialTokens::kNone ? parts.always : parts.with_special;
  const std::string_view text = waiting_;
  std::size_t at = 0;
  for (;;) {
    const SpecialMatcher::Match match = matcher.find(text, at, is_end);
    const std::string_view ordinary = text.substr(at, match.begin - at);
    const bool is_closed = is_end || match.id != kNoToken;
    const std::size_t length = is_closed ? ordinary.size() : certain_cut(parts.pattern, ordinary);
    const std::vector<TokenId> more = tokenizer_->encode(ordinary.substr(0, length));
    ids.insert(ids.end(), more.begin(), more.end());
    at += length;
    if (match.id == kNoToken) break;
    if (special_ == SpecialTokens::kError && parts.special[match.id]) {
      throw std::invalid_argument("the text contains the special token " +
                                  io::quote_name(text.substr(match.begin, match.length)) +
                                  " at byte offset " + std::to_string(passed_ + match.begin));
    }
    ids.push_back(match.id);
    at = match.begin + match.length;
  }
  passed_ += at;
  waiting_.erase(0, at);
  // A long piece is looked at again only when it has doubled: all looks together are linear.
  next_look_ = std::max(kFirstLook, 2 * waiting_.size());
}

StreamingDecoder::StreamingDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

std::string StreamingDecoder::push(std::span<const TokenId> ids) {
  std::string text = waiting_ + tokenizer_->decode(ids);
  const std::size_t whole = text.size() - tokenizer::incomplete_tail(text);
  waiting_.assign(text, whole);
  text.resize(whole);
  return text;
}

std::string StreamingDecoder::finish() { return std::exchange(waiting_, {}); }

}  // namespace glassgpt
