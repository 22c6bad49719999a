// Word boundaries in any script: all that this folder asks of ICU.
#pragma once

#include <string>
#include <string_view>

struct UBreakIterator;
struct UCaseMap;

namespace glassgpt::word2vec {

// Finds words by the rules of Unicode's annex 29 and, for Chinese, Japanese and Thai, by ICU's
// dictionaries. Not for several threads at a time.
class IcuWords {
 public:
  IcuWords();  // throws Error (kUnavailable) where ICU lacks its data
  IcuWords(const IcuWords&) = delete;
  IcuWords& operator=(const IcuWords&) = delete;
  ~IcuWords();

  // f(word) for each word of a text in UTF-8 that has a letter, a digit or the like.
  template <class F>
  void for_each_word(std::string_view text, F f) {
    begin(text);
    for (std::string_view word; next(word);) f(word);
  }

  // Lower case, by Unicode's rules without those of a language. Valid until the next call.
  std::string_view lower(std::string_view word);

 private:
  void begin(std::string_view text);
  bool next(std::string_view& word);

  UBreakIterator* breaks_ = nullptr;
  UCaseMap* case_map_ = nullptr;
  std::string_view text_;
  int at_ = 0;
  std::string lowered_;
};

}  // namespace glassgpt::word2vec
