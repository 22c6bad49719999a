// Walking through bytes that may or may not be UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace glassgpt::cli {

struct Utf8Step {
  char32_t code_point;  // 0xFFFD for what is not valid
  std::size_t bytes;    // at least 1: a maximal part of an ill-formed sequence is one step
  bool valid;
  bool incomplete;  // not valid, but the text ended inside a sequence that could have become valid
};

// What begins at text[0]; text is not empty. Accepts what Unicode 15, table 3-7 calls well-formed.
Utf8Step next_utf8(std::string_view text) noexcept;

// Length of the longest beginning of `text` that does not end inside a character that more bytes
// could complete.
std::size_t complete_utf8_prefix(std::string_view text) noexcept;

}  // namespace glassgpt::cli
