#include "word2vec/line_words.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "tokenizer/unicode.h"

namespace glassgpt::word2vec {
namespace {

// Of ASCII: what annex 29 calls ALetter, Numeric, ExtendNumLet; MidNumLet and Single_Quote join
// letters and digits alike, MidNum only digits. The colon joins nothing, as in CLDR.
enum class Kind : std::uint8_t { kOther, kLetter, kDigit, kUnderscore, kMidBoth, kMidNumber };

constexpr std::array<Kind, 128> kKinds = [] {
  std::array<Kind, 128> kinds{};
  for (std::size_t c = 0; c < 26; ++c) {
    kinds[std::size_t{'a'} + c] = Kind::kLetter;
    kinds[std::size_t{'A'} + c] = Kind::kLetter;
  }
  for (std::size_t c = 0; c < 10; ++c) kinds[std::size_t{'0'} + c] = Kind::kDigit;
  kinds['_'] = Kind::kUnderscore;
  kinds['.'] = kinds['\''] = Kind::kMidBoth;
  kinds[','] = kinds[';'] = Kind::kMidNumber;
  return kinds;
}();

Kind kind_of(char c) noexcept { return kKinds[static_cast<unsigned char>(c) & 127]; }

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == '\0';
}

// Whether the eight bytes from p on are ASCII.
bool eight_ascii(const char* p) noexcept {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return (word & 0x8080808080808080u) == 0;
}

// Where the run of letters, digits and underscores that begins at `at` ends, with what stands
// between two letters or two digits and joins them.
std::size_t end_of_run(std::string_view line, std::size_t at) noexcept {
  Kind last = Kind::kOther;
  for (; at < line.size(); ++at) {
    const Kind kind = kind_of(line[at]);
    if (kind == Kind::kOther) break;
    if (kind == Kind::kMidBoth || kind == Kind::kMidNumber) {
      const Kind next = at + 1 < line.size() ? kind_of(line[at + 1]) : Kind::kOther;
      const bool joins = next == last && (last == Kind::kDigit ||
                                          (last == Kind::kLetter && kind == Kind::kMidBoth));
      if (!joins) break;
    } else {
      last = kind;
    }
  }
  return at;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    if (end - at >= 8 && eight_ascii(at)) {
      at += 8;
      continue;
    }
    const tokenizer::Character character = tokenizer::character_at(at, end);
    if (character.value == tokenizer::kInvalidByte) {
      return static_cast<std::size_t>(at - text.data());
    }
    at += character.length;
  }
  return std::string_view::npos;
}

bool LineWords::has_short_way(std::string_view line) noexcept {
  const char* at = line.data();
  const char* const end = at + line.size();
  for (; end - at >= 8; at += 8) {
    if (!eight_ascii(at)) return false;
  }
  return std::all_of(at, end, [](char c) { return (c & 0x80) == 0; }) &&
         line.find('@') == std::string_view::npos;
}

bool LineWords::next_between_spaces(std::string_view line, std::size_t& at,
                                    std::string_view& word) noexcept {
  while (at < line.size() && is_space(line[at])) ++at;
  const std::size_t begin = at;
  while (at < line.size() && !is_space(line[at])) ++at;
  word = line.substr(begin, at - begin);
  return !word.empty();
}

bool LineWords::next_of_ascii(std::string_view line, std::size_t& at,
                              std::string_view& word) noexcept {
  while (at < line.size()) {
    const Kind kind = kind_of(line[at]);
    if (kind == Kind::kOther || kind == Kind::kMidBoth || kind == Kind::kMidNumber) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    at = end_of_run(line, begin);
    word = line.substr(begin, at - begin);
    if (word.find_first_not_of('_') != std::string_view::npos) return true;
  }
  return false;
}

std::string_view LineWords::cased_ascii(std::string_view word) {
  if (!lower_case_) return word;
  lowered_.assign(word);
  for (char& c : lowered_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return lowered_;
}

}  // namespace glassgpt::word2vec
