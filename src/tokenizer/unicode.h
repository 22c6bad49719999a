// UTF-8 and the character classes that the split patterns ask for (Unicode 16.0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace glassgpt::tokenizer {

// \p{Lu} and \p{Lt} are kUpper, \p{Ll} is kLower, \p{Lm} and \p{Lo} are kOtherLetter, \p{M} is
// kMark, \p{N} is kNumber, White_Space (regex \s) is kSpace. The numbers stand in
// unicode_tables.inc.
enum class CharClass : std::uint8_t {
  kOther = 0,
  kMark = 1,
  kSpace = 2,
  kNumber = 3,
  kUpper = 4,
  kLower = 5,
  kOtherLetter = 6,
};

inline bool is_letter(CharClass c) noexcept { return c >= CharClass::kUpper; }

namespace unicode_tables {
extern const std::uint8_t kBlockOfCodePoint[0x110000 / 128];
extern const char kClassesOfBlock[];
}  // namespace unicode_tables

// The class of a code point below 0x110000.
inline CharClass char_class(char32_t code_point) noexcept {
  const std::size_t block = unicode_tables::kBlockOfCodePoint[code_point >> 7];
  // The table is written in the digits '0' to '6', whose low bits are their values.
  return static_cast<CharClass>(unicode_tables::kClassesOfBlock[block * 128 + (code_point & 127)] &
                                7);
}

// One character of a text that may be any bytes: a code point, or a byte that belongs to none. An
// invalid byte stands for itself: length 1, value kInvalidByte, class kOther.
struct Character {
  char32_t value;
  std::uint32_t length;  // in bytes
};
constexpr char32_t kInvalidByte = 0xFFFFFFFF;

// The character at `at` (at < end). Overlong forms, surrogates, code points beyond U+10FFFF and
// cut-off sequences are invalid (Unicode 16.0, table 3-7).
Character character_at(const char* at, const char* end) noexcept;

inline CharClass class_of(Character character) noexcept {
  return character.value == kInvalidByte ? CharClass::kOther : char_class(character.value);
}

// The number of characters in the text; each invalid byte counts as one.
std::size_t count_characters(std::string_view text) noexcept;

// How many bytes at the end of the text begin a character that is not complete: 0 to 3.
std::size_t incomplete_tail(std::string_view text) noexcept;

}  // namespace glassgpt::tokenizer
