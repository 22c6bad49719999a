#include "word2vec/icu_words.h"

#include <unicode/ubrk.h>
#include <unicode/ucasemap.h>
#include <unicode/utext.h>

#include <algorithm>

#include "glassgpt/error.h"

namespace glassgpt::word2vec {
namespace {

void check(UErrorCode code, const char* what) {
  if (U_SUCCESS(code)) return;
  throw Error(ErrorCode::kUnavailable, "", std::string("ICU: ") + what + ": " + u_errorName(code),
              "is ICU's data installed?");
}

}  // namespace

IcuWords::IcuWords() {
  UErrorCode code = U_ZERO_ERROR;
  breaks_ = ubrk_open(UBRK_WORD, "", nullptr, 0, &code);
  check(code, "no word boundaries");
  case_map_ = ucasemap_open("", 0, &code);
  if (U_FAILURE(code)) ubrk_close(breaks_);
  check(code, "no case mapping");
}

IcuWords::~IcuWords() {
  ubrk_close(breaks_);
  ucasemap_close(case_map_);
}

void IcuWords::begin(std::string_view text) {
  UErrorCode code = U_ZERO_ERROR;
  UText* handle =
      utext_openUTF8(nullptr, text.data(), static_cast<std::int64_t>(text.size()), &code);
  if (U_SUCCESS(code)) ubrk_setUText(breaks_, handle, &code);
  utext_close(handle);  // the iterator has its own
  check(code, "a text was refused");
  text_ = text;
  at_ = ubrk_first(breaks_);
}

bool IcuWords::next(std::string_view& word) {
  for (int end = ubrk_next(breaks_); end != UBRK_DONE; end = ubrk_next(breaks_)) {
    word = text_.substr(static_cast<std::size_t>(at_), static_cast<std::size_t>(end - at_));
    at_ = end;
    // Underscores alone pass for a word there.
    if (ubrk_getRuleStatus(breaks_) >= UBRK_WORD_NONE_LIMIT &&
        word.find_first_not_of('_') != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

std::string_view IcuWords::lower(std::string_view word) {
  UErrorCode code = U_ZERO_ERROR;
  lowered_.resize(std::max<std::size_t>(lowered_.size(), 3 * word.size() + 8));
  const int length =
      ucasemap_utf8ToLower(case_map_, lowered_.data(), static_cast<int>(lowered_.size()),
                           word.data(), static_cast<int>(word.size()), &code);
  check(code, "a word was refused");
  return std::string_view(lowered_).substr(0, static_cast<std::size_t>(length));
}

}  // namespace glassgpt::word2vec
