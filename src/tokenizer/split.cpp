#include "tokenizer/split.h"

#include "tokenizer/unicode.h"

namespace glassgpt::tokenizer {
namespace {

// A character with its class, read once.
struct Glyph {
  Character character;
  CharClass kind;
};

Glyph glyph_at(const char* at, const char* end) noexcept {
  const auto byte = static_cast<unsigned char>(*at);
  if (byte < 0x80) return {{byte, 1}, char_class(byte)};
  const Character character = character_at(at, end);
  return {character, class_of(character)};
}

bool is_newline(char c) noexcept { return c == '\r' || c == '\n'; }

// [^\s\p{L}\p{N}]
bool is_symbol(CharClass c) noexcept { return c <= CharClass::kMark; }

bool is_upper_like(CharClass c) noexcept {  // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
  return c == CharClass::kUpper || c == CharClass::kOtherLetter || c == CharClass::kMark;
}

bool is_lower_like(CharClass c) noexcept {  // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
  return c == CharClass::kLower || c == CharClass::kOtherLetter || c == CharClass::kMark;
}

template <class Accept>
const char* skip_while(const char* at, const char* end, Accept accept) noexcept {
  while (at < end) {
    const Glyph glyph = glyph_at(at, end);
    if (!accept(glyph.kind)) break;
    at += glyph.character.length;
  }
  return at;
}

const char* skip_newlines(const char* at, const char* end) noexcept {
  while (at < end && is_newline(*at)) ++at;
  return at;
}

// 's 't 'm 'd 'll 've 're at `at`; null if none stands there. `fold` makes capitals equal, and
// U+017F (long s) equal to s.
const char* skip_contraction(const char* at, const char* end, bool fold) noexcept {
  if (end - at < 2 || *at != '\'') return nullptr;
  const auto letter = [&](const char* p) {
    return fold && *p >= 'A' && *p <= 'Z' ? static_cast<char>(*p | 0x20) : *p;
  };
  const char first = letter(at + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if (end - at < 3) return nullptr;
  if (fold && at[1] == '\xC5' && at[2] == '\xBF') return at + 3;
  const char second = letter(at + 2);
  const bool pair =
      (first == 'l' && second == 'l') || ((first == 'v' || first == 'r') && second == 'e');
  return pair ? at + 3 : nullptr;
}

// \s+(?!\S)|\s+ at a space: a run before other text leaves its last character to the next piece,
// unless it is the only one.
const char* plain_space_end(const char* begin, const char* end) noexcept {
  const char* last = begin;
  const char* at = begin;
  while (at < end) {
    const Glyph glyph = glyph_at(at, end);
    if (glyph.kind != CharClass::kSpace) return last == begin ? at : last;
    last = at;
    at += glyph.character.length;
  }
  return end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at a space: a run with a line end goes up to its last line end.
const char* space_end_with_newlines(const char* begin, const char* end) noexcept {
  const char* after_newline = nullptr;
  const char* last = begin;
  const char* at = begin;
  while (at < end) {
    const Glyph glyph = glyph_at(at, end);
    if (glyph.kind != CharClass::kSpace) break;
    last = at;
    at += glyph.character.length;
    if (is_newline(*last)) after_newline = at;
  }
  if (after_newline != nullptr) return after_newline;
  return at == end || last == begin ? at : last;
}

// \p{N}{1,3} at a number.
const char* number_end(const char* begin, const char* end) noexcept {
  const char* at = begin;
  for (int digits = 0; digits < 3 && at < end; ++digits) {
    const Glyph glyph = glyph_at(at, end);
    if (glyph.kind != CharClass::kNumber) break;
    at += glyph.character.length;
  }
  return at;
}

// ` ?[^\s\p{L}\p{N}]+` at `begin`; null if there is none.
const char* symbols_end(const char* begin, const char* end) noexcept {
  const char* const start = begin + (*begin == ' ' ? 1 : 0);
  const char* const at = skip_while(start, end, is_symbol);
  return at == start ? nullptr : at;
}

// [upper-like]*[lower-like]+ at `begin`; null if it does not match. The first part is greedy and
// gives back as little as it must: at the end of its run a lower-case letter may follow; else its
// last character that is also lower-like ends the match.
const char* capitals_then_lower_end(const char* begin, const char* end) noexcept {
  const char* after_lower_like = nullptr;
  const char* at = begin;
  while (at < end) {
    const Glyph glyph = glyph_at(at, end);
    if (!is_upper_like(glyph.kind)) {
      if (glyph.kind == CharClass::kLower) return skip_while(at, end, is_lower_like);
      break;
    }
    at += glyph.character.length;
    if (glyph.kind != CharClass::kUpper) after_lower_like = at;
  }
  return after_lower_like;
}

// [upper-like]+[lower-like]* where the form above does not match: then no lower-like character is
// there.
const char* capitals_end(const char* begin, const char* end) noexcept {
  const char* const at = skip_while(begin, end, is_upper_like);
  return at == begin ? nullptr : at;
}

// o200k's two forms of a word, each with an optional first character that is neither letter, number
// nor line end.
const char* o200k_word_end(const char* begin, const char* end, Glyph first) noexcept {
  const bool prefix =
      !is_letter(first.kind) && first.kind != CharClass::kNumber && !is_newline(*begin);
  const char* const inner = begin + first.character.length;
  const char* word = nullptr;
  if (prefix) word = capitals_then_lower_end(inner, end);
  if (word == nullptr) word = capitals_then_lower_end(begin, end);
  if (word == nullptr && prefix) word = capitals_end(inner, end);
  if (word == nullptr) word = capitals_end(begin, end);
  if (word == nullptr) return nullptr;
  const char* const contraction = skip_contraction(word, end, true);
  return contraction != nullptr ? contraction : word;
}

}  // namespace

const char* gpt2_piece_end(const char* begin, const char* end) noexcept {
  if (const char* contraction = skip_contraction(begin, end, false)) return contraction;
  const char* const start = *begin == ' ' && end - begin > 1 ? begin + 1 : begin;
  const CharClass kind = glyph_at(start, end).kind;
  if (is_letter(kind)) return skip_while(start, end, is_letter);
  if (kind == CharClass::kNumber) {
    return skip_while(start, end, [](CharClass c) { return c == CharClass::kNumber; });
  }
  if (is_symbol(kind)) return skip_while(start, end, is_symbol);
  return plain_space_end(begin, end);
}

const char* cl100k_piece_end(const char* begin, const char* end) noexcept {
  if (const char* contraction = skip_contraction(begin, end, true)) return contraction;
  const Glyph first = glyph_at(begin, end);
  if (is_letter(first.kind)) return skip_while(begin, end, is_letter);
  if (first.kind == CharClass::kNumber) return number_end(begin, end);
  if (!is_newline(*begin)) {
    const char* const inner = begin + first.character.length;
    const char* const word = skip_while(inner, end, is_letter);
    if (word != inner) return word;
  }
  if (const char* symbols = symbols_end(begin, end)) return skip_newlines(symbols, end);
  return space_end_with_newlines(begin, end);
}

const char* o200k_piece_end(const char* begin, const char* end) noexcept {
  const Glyph first = glyph_at(begin, end);
  if (first.kind == CharClass::kNumber) return number_end(begin, end);
  if (const char* word = o200k_word_end(begin, end, first)) return word;
  if (const char* symbols = symbols_end(begin, end)) {
    while (symbols < end && (is_newline(*symbols) || *symbols == '/')) ++symbols;
    return symbols;
  }
  return space_end_with_newlines(begin, end);
}

const char* piece_end(SplitPattern pattern, const char* begin, const char* end) noexcept {
  switch (pattern) {
    case SplitPattern::kGpt2:
      return gpt2_piece_end(begin, end);
    case SplitPattern::kCl100k:
      return cl100k_piece_end(begin, end);
    case SplitPattern::kO200k:
      return o200k_piece_end(begin, end);
  }
  return end;
}

const char* pattern_name(SplitPattern pattern) noexcept {
  switch (pattern) {
    case SplitPattern::kGpt2:
      return "gpt2";
    case SplitPattern::kCl100k:
      return "cl100k";
    case SplitPattern::kO200k:
      return "o200k";
  }
  return "";
}

std::string_view pattern_regex(SplitPattern pattern) noexcept {
  switch (pattern) {
    case SplitPattern::kGpt2:
      return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    case SplitPattern::kCl100k:
      return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
             R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    case SplitPattern::kO200k:
      return R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
             R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
             R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
             R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)"
             R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
  }
  return {};
}

}  // namespace glassgpt::tokenizer
