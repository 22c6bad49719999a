#include "tokenizer/unicode.h"

#include <algorithm>

namespace glassgpt::tokenizer {
namespace unicode_tables {

#include "tokenizer/unicode_tables.inc"

}  // namespace unicode_tables

namespace {

constexpr Character kInvalid{kInvalidByte, 1};

bool continues(const char* at) noexcept { return (static_cast<unsigned char>(*at) & 0xC0) == 0x80; }

char32_t low_bits(const char* at) noexcept { return static_cast<unsigned char>(*at) & 0x3F; }

}  // namespace

Character character_at(const char* at, const char* end) noexcept {
  const auto lead = static_cast<unsigned char>(*at);
  const auto left = end - at;
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC2) return kInvalid;
  if (lead < 0xE0) {
    if (left < 2 || !continues(at + 1)) return kInvalid;
    return {static_cast<char32_t>(lead & 0x1F) << 6 | low_bits(at + 1), 2};
  }
  if (lead < 0xF0) {
    if (left < 3 || !continues(at + 1) || !continues(at + 2)) return kInvalid;
    const char32_t value =
        static_cast<char32_t>(lead & 0x0F) << 12 | low_bits(at + 1) << 6 | low_bits(at + 2);
    if (value < 0x800 || (value >= 0xD800 && value < 0xE000)) return kInvalid;
    return {value, 3};
  }
  if (lead > 0xF4 || left < 4 || !continues(at + 1) || !continues(at + 2) || !continues(at + 3)) {
    return kInvalid;
  }
  const char32_t value = static_cast<char32_t>(lead & 0x07) << 18 | low_bits(at + 1) << 12 |
                         low_bits(at + 2) << 6 | low_bits(at + 3);
  if (value < 0x10000 || value >= 0x110000) return kInvalid;
  return {value, 4};
}

std::size_t count_characters(std::string_view text) noexcept {
  std::size_t count = 0;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end; at += character_at(at, end).length) ++count;
  return count;
}

std::size_t incomplete_tail(std::string_view text) noexcept {
  for (std::size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    const char* const begin = text.data() + text.size() - length;
    if (continues(begin)) continue;
    // Whether some bytes behind it make it a character: 0x80 and 0xBF are the extremes of what may
    // follow, and what is wrong already stays wrong.
    for (const char filler : {'\x80', '\xBF'}) {
      char completed[4] = {filler, filler, filler, filler};
      std::copy(begin, begin + length, completed);
      if (character_at(completed, completed + 4).length > length) return length;
    }
    return 0;
  }
  return 0;
}

}  // namespace glassgpt::tokenizer
