#include "cli/utf8.h"

#include <algorithm>

namespace glassgpt::cli {

Utf8Step next_utf8(std::string_view text) noexcept {
  constexpr char32_t kReplacement = 0xFFFD;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true, false};
  std::size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0) return {kReplacement, 1, false, false};
  // The second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t code_point = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {kReplacement, i, false, true};
    const bool fits = i == 1 ? byte(i) >= low && byte(i) <= high : (byte(i) & 0xC0) == 0x80;
    if (!fits) return {kReplacement, i, false, false};
    code_point = (code_point << 6) | (byte(i) & 0x3Fu);
  }
  return {code_point, length, true, false};
}

std::size_t complete_utf8_prefix(std::string_view text) noexcept {
  // An incomplete character is at most three bytes, and its lead byte is the last one that is not a
  // continuation.
  const std::size_t first = text.size() - std::min<std::size_t>(text.size(), 3);
  for (std::size_t i = text.size(); i-- > first;) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    return next_utf8(text.substr(i)).incomplete ? i : text.size();
  }
  return text.size();
}

}  // namespace glassgpt::cli
