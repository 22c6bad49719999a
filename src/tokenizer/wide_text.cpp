// TextEncoder's way through scripts of three-byte characters, most of which have no blanks: Chinese,
// Japanese, Thai. Their pieces are long and hardly ever met again, so they are cut where no token
// reaches across (token_boundaries.h). Most parts are single characters, whose tokens stand in a
// table by code point.
#include <algorithm>

#include "tokenizer/text_encoder.h"
#include "tokenizer/unicode.h"

namespace glassgpt::tokenizer {
namespace {

using WideCharacter = PieceCache::WideCharacter;

// Character::facts, from the lowest bit: TokenBoundaries' shapes before and behind a place, the
// class, the number of ids, and these.
constexpr int kBehindShift = 9, kClassShift = 18, kCountShift = 21;
constexpr std::uint32_t kSameAsPiece = std::uint32_t{1} << 23;  // alone, it has the same ids
constexpr std::uint32_t kValid = std::uint32_t{1} << 24;        // UTF-8; else it has no class
constexpr std::uint32_t kKnown = std::uint32_t{1} << 25;

unsigned shapes_between(const WideCharacter& before, const WideCharacter& behind) noexcept {
  return before.facts & behind.facts >> kBehindShift & TokenBoundaries::kAllShapes;
}

CharClass class_of(const WideCharacter& character) noexcept {
  return static_cast<CharClass>(character.facts >> kClassShift & 7);
}

bool is_valid(const WideCharacter* character) noexcept {
  return character != nullptr && (character->facts & kValid) != 0;
}

bool is_symbol(CharClass c) noexcept { return c <= CharClass::kMark; }

}  // namespace

// Null if the bytes do not have the form of a character of three bytes.
inline const WideCharacter* TextEncoder::wide_at(const char* at) noexcept {
  if (end_ - at < 3) return nullptr;
  const auto byte = [at](int i) { return std::uint32_t{static_cast<unsigned char>(at[i])}; };
  const std::uint32_t bytes = byte(0) << 16 | byte(1) << 8 | byte(2);
  if ((bytes & 0xF0C0C0) != 0xE08080) return nullptr;
  WideCharacter& character =
      cache_.characters()[(bytes >> 4 & 0xF000) | (bytes >> 2 & 0xFC0) | (bytes & 0x3F)];
  if (character.facts == 0) meet_wide(at, character);
  return &character;
}

void TextEncoder::meet_wide(const char* at, WideCharacter& character) {
  const std::string_view bytes(at, 3);
  std::vector<TokenId> ids, as_piece;
  parts_.encoder.encode_piece(bytes, ids);
  tokens_of({bytes, false, PieceKey::of_copy(bytes), nullptr}, as_piece);
  std::copy(ids.begin(), ids.end(), character.ids);
  std::uint32_t facts = kKnown | static_cast<std::uint32_t>(ids.size()) << kCountShift;
  if (ids == as_piece) facts |= kSameAsPiece;
  const Character decoded = character_at(at, at + 3);
  if (decoded.length == 3) {
    facts |= kValid | static_cast<std::uint32_t>(tokenizer::class_of(decoded)) << kClassShift;
  }
  facts |= parts_.boundaries.shapes_before(at + 3);
  facts |= parts_.boundaries.shapes_behind(at) << kBehindShift;
  character.facts = facts;
}

template <SplitPattern kPattern>
const char* TextEncoder::add_wide_pieces(const char* at) {
  do {
    const char* const next = wide_piece_end<kPattern>(at);
    done_ = at;
    add_wide_piece(at, next);
    at = next;
  } while (may_be_wide(at, end_));
  return at;
}

// The end of the run of accepted wide characters at `at`.
template <class Accept>
const char* TextEncoder::skip_wide(const char* at, Accept accept) noexcept {
  for (;; at += 3) {
    const WideCharacter* const character = wide_at(at);
    if (!is_valid(character) || !accept(class_of(*character))) return at;
  }
}

// As piece_end(), which it asks where more than wide characters and ASCII is involved.
template <SplitPattern kPattern>
const char* TextEncoder::wide_piece_end(const char* begin) noexcept {
  const auto any_end = [&] { return piece_end_of<kPattern>(begin, end_); };
  // The first character, if it is one that does not belong to a word.
  const bool is_wide = TokenBoundaries::is_lead(*begin);
  const WideCharacter* const first = is_wide ? wide_at(begin) : nullptr;
  if (is_wide && !is_valid(first)) return any_end();
  const CharClass kind = is_wide ? class_of(*first) : char_class(static_cast<unsigned char>(*begin));
  const char* const behind_first = begin + (is_wide ? 3 : 1);
  // In o200k, marks and contractions may belong to words, and capitals may begin one.
  constexpr bool kIsO200k = kPattern == SplitPattern::kO200k;
  const auto is_word = [](CharClass c) {
    return kIsO200k ? c == CharClass::kOtherLetter : is_letter(c);
  };
  const auto ends = [&](const char* at, auto goes_on) {
    if (at == end_) return true;
    if (static_cast<signed char>(*at) >= 0) {
      return !goes_on(char_class(static_cast<unsigned char>(*at))) && !(kIsO200k && *at == '\'');
    }
    const WideCharacter* const next = wide_at(at);
    return is_valid(next) && !goes_on(class_of(*next));
  };
  const auto may_go_on = [](CharClass c) {
    return is_letter(c) || (kIsO200k && c == CharClass::kMark);
  };

  const char* word = nullptr;
  if (is_wide && is_word(kind)) {
    word = begin;
  } else if constexpr (kPattern == SplitPattern::kGpt2) {
    if (is_wide && is_symbol(kind)) {
      const char* const end = skip_wide(behind_first, is_symbol);
      return ends(end, is_symbol) ? end : any_end();
    }
    if (*begin == ' ') word = behind_first;
  } else {
    const bool is_prefix = kind == CharClass::kOther || kind == CharClass::kSpace;
    if (is_prefix && *begin != '\r' && *begin != '\n' && *begin != '\'') word = behind_first;
  }
  if (word == nullptr) return any_end();
  const char* const end = skip_wide(word, is_word);
  return end != word && ends(end, may_go_on) ? end : any_end();
}

void TextEncoder::add_wide_piece(const char* begin, const char* end) {
  const auto add_character = [this](const WideCharacter& character) {
    make_room(sizeof character / sizeof(TokenId));
    std::memcpy(out_, &character, sizeof character);
    out_ += character.facts >> kCountShift & 3;
  };
  const char* part = begin;
  const char* at = begin;
  const WideCharacter* before = nullptr;  // if a whole one ends at `at`
  while (at < end) {
    const WideCharacter* const next = end - at >= 3 ? wide_at(at) : nullptr;
    if (next != nullptr && before != nullptr) {
      const unsigned shapes = shapes_between(*before, *next);
      if (shapes == 0 || !parts_.boundaries.may_span(at, shapes)) {
        if (at - part == 3) {
          add_character(*before);
        } else {
          add_part(part, at, true);
        }
        part = at;
      }
    }
    before = next;
    at += next != nullptr ? 3 : 1;
  }
  const bool is_character = end - part == 3 && before != nullptr;
  if (is_character && (part != begin || (before->facts & kSameAsPiece) != 0)) {
    add_character(*before);
  } else {
    add_part(part, end, part != begin);
  }
}

void TextEncoder::add_part(const char* begin, const char* end, bool is_part) {
  const std::string_view bytes(begin, static_cast<std::size_t>(end - begin));
  Piece piece{bytes, is_part, {}, nullptr};
  if (piece.is_short()) {
    piece.key = PieceKey::before(begin, bytes.size(), end_);
    if (is_part) piece.key = piece.key.as_part();
    piece.line = cache_.line_of(piece.key);
    make_room(PieceCache::kMaxTokens);
    const std::size_t known = PieceCache::find(*piece.line, piece.key, out_);
    out_ += known;
    if (known != 0) return;
  }
  add_new(piece);
}

template const char* TextEncoder::add_wide_pieces<SplitPattern::kGpt2>(const char*);
template const char* TextEncoder::add_wide_pieces<SplitPattern::kCl100k>(const char*);
template const char* TextEncoder::add_wide_pieces<SplitPattern::kO200k>(const char*);

}  // namespace glassgpt::tokenizer
