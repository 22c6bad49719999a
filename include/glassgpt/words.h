// Words of a text, as Unicode defines them: one rule for every script.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace glassgpt {

// Bytes begin .. end of a text.
struct WordSpan {
  std::size_t begin, end;
  bool operator==(const WordSpan&) const = default;
};

// The words of UTF-8 text in their order: the segments between the word boundaries of Unicode's
// Standard Annex 29 (by ICU, which cuts Chinese, Japanese, Thai and the like by dictionary) that
// hold letters, digits, kana or ideographs. Spaces, punctuation, symbols and emoji are between
// words. Any bytes: those that are not UTF-8 are in no word. Throws Error (kUnsupported) where
// ICU's data is not installed, std::invalid_argument from 2 GiB of text on.
std::vector<WordSpan> split_words(std::string_view text);

// The text with upper and lower case made one ("Straße" and "STRASSE" become equal): Unicode's full
// case folding. What is not UTF-8 becomes U+FFFD.
std::string fold_case(std::string_view text);

}  // namespace glassgpt
