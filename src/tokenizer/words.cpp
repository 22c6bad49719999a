#include "glassgpt/words.h"

#include <unicode/ubrk.h>
#include <unicode/ucasemap.h>
#include <unicode/utext.h>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

#include "glassgpt/error.h"

namespace glassgpt {
namespace {

struct CloseIterator {
  void operator()(UBreakIterator* iterator) const { ubrk_close(iterator); }
};
struct CloseText {
  void operator()(UText* text) const { utext_close(text); }
};
struct CloseCaseMap {
  void operator()(UCaseMap* map) const { ucasemap_close(map); }
};

void check(UErrorCode status) {
  if (U_SUCCESS(status) != 0) return;
  throw Error(ErrorCode::kUnsupported, "",
              std::string("ICU cannot read the text: ") + u_errorName(status),
              "install the data of ICU (Debian: libicu72)");
}

std::unique_ptr<UBreakIterator, CloseIterator> open_iterator() {
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<UBreakIterator, CloseIterator> iterator(
      ubrk_open(UBRK_WORD, "", nullptr, 0, &status));
  check(status);
  return iterator;
}

std::unique_ptr<UCaseMap, CloseCaseMap> open_case_map() {
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<UCaseMap, CloseCaseMap> map(ucasemap_open("", U_FOLD_CASE_DEFAULT, &status));
  check(status);
  return map;
}

}  // namespace

std::vector<WordSpan> split_words(std::string_view text) {
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<int32_t>::max())) {
    throw std::invalid_argument("a text of 2 GiB or more cannot be cut into words, got " +
                                std::to_string(text.size()) + " bytes");
  }
  UErrorCode status = U_ZERO_ERROR;
  // Made once a thread: loading the rules and the dictionary costs more than most texts do.
  thread_local const std::unique_ptr<UBreakIterator, CloseIterator> iterator = open_iterator();
  const std::unique_ptr<UText, CloseText> view(
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status));
  check(status);
  ubrk_setUText(iterator.get(), view.get(), &status);
  check(status);
  std::vector<WordSpan> words;
  int32_t begin = ubrk_first(iterator.get());
  for (int32_t end; (end = ubrk_next(iterator.get())) != UBRK_DONE; begin = end) {
    if (ubrk_getRuleStatus(iterator.get()) < UBRK_WORD_NONE_LIMIT) continue;
    const WordSpan word = {static_cast<std::size_t>(begin), static_cast<std::size_t>(end)};
    // Underscores alone pass for a word there.
    if (text.substr(word.begin, word.end - word.begin).find_first_not_of('_') == text.npos)
      continue;
    words.push_back(word);
  }
  return words;
}

std::string fold_case(std::string_view text) {
  const auto length = static_cast<int32_t>(text.size());
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<int32_t>::max()) / 4) {
    throw std::invalid_argument("a text of 512 MiB or more cannot be case-folded");
  }
  UErrorCode status = U_ZERO_ERROR;
  thread_local const std::unique_ptr<UCaseMap, CloseCaseMap> map = open_case_map();
  std::string folded(text.size() + 16, '\0');
  for (;;) {
    const int32_t needed =
        ucasemap_utf8FoldCase(map.get(), folded.data(), static_cast<int32_t>(folded.size()),
                              text.data(), length, &status);
    folded.resize(static_cast<std::size_t>(needed));
    if (status != U_BUFFER_OVERFLOW_ERROR) break;
    status = U_ZERO_ERROR;
  }
  check(status);
  return folded;
}

}  // namespace glassgpt
