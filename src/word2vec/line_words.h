// A line of text as words.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "glassgpt/word2vec.h"
#include "glassgpt/words.h"
#include "word2vec/lower_case.h"

namespace glassgpt::word2vec {

// The first byte of `text` that is not UTF-8, or npos.
std::size_t find_invalid_utf8(std::string_view text) noexcept;

// Not for several threads at a time.
class LineWords {
 public:
  LineWords(WordSplit split, bool lower_case) : split_(split), lower_case_(lower_case) {}

  // f(word) for each word of a line that is UTF-8; the word is valid until f returns.
  template <class F>
  void for_each_word(std::string_view line, F f) {
    if (split_ == WordSplit::kSpace) {
      for (std::size_t at = 0; next_between_spaces(line, at, word_);) f(word_);
    } else if (has_short_way(line)) {
      for (std::size_t at = 0; next_of_ascii(line, at, word_);) f(cased_ascii(word_));
    } else {
      if (lower_ == nullptr) lower_ = std::make_unique<LowerCase>();
      for (const WordSpan& span : split_words(line)) {
        const std::string_view word = line.substr(span.begin, span.end - span.begin);
        f(lower_case_ ? (*lower_)(word) : word);
      }
    }
  }

 private:
  // ASCII alone, and no '@', which some versions of ICU take for a letter.
  static bool has_short_way(std::string_view line) noexcept;
  // The next word from `at` on, which becomes its end.
  static bool next_between_spaces(std::string_view line, std::size_t& at,
                                  std::string_view& word) noexcept;
  // The same boundaries as split_words(), which takes ten times as long.
  static bool next_of_ascii(std::string_view line, std::size_t& at,
                            std::string_view& word) noexcept;
  std::string_view cased_ascii(std::string_view word);

  WordSplit split_;
  bool lower_case_;
  std::string_view word_;
  std::string lowered_;
  std::unique_ptr<LowerCase> lower_;  // made when the first line needs it
};

}  // namespace glassgpt::word2vec
