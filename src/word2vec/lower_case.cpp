#include "word2vec/lower_case.h"

#include <unicode/ucasemap.h>

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

LowerCase::LowerCase() {
  UErrorCode code = U_ZERO_ERROR;
  map_ = ucasemap_open("", 0, &code);
  check(code, "no case mapping");
}

LowerCase::~LowerCase() { ucasemap_close(map_); }

std::string_view LowerCase::operator()(std::string_view word) {
  UErrorCode code = U_ZERO_ERROR;
  lowered_.resize(std::max<std::size_t>(lowered_.size(), 3 * word.size() + 8));
  const int length = ucasemap_utf8ToLower(map_, lowered_.data(), static_cast<int>(lowered_.size()),
                                          word.data(), static_cast<int>(word.size()), &code);
  check(code, "a word was refused");
  return std::string_view(lowered_).substr(0, static_cast<std::size_t>(length));
}

}  // namespace glassgpt::word2vec
