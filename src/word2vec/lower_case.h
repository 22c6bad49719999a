// Lower case in any script.
#pragma once

#include <string>
#include <string_view>

struct UCaseMap;

namespace glassgpt::word2vec {

// By Unicode's rules, without those of a language. Not for several threads at a time.
class LowerCase {
 public:
  LowerCase();  // throws Error (kUnavailable) where ICU lacks its data
  LowerCase(const LowerCase&) = delete;
  LowerCase& operator=(const LowerCase&) = delete;
  ~LowerCase();

  // Of a word in UTF-8; valid until the next call.
  std::string_view operator()(std::string_view word);

 private:
  UCaseMap* map_ = nullptr;
  std::string lowered_;
};

}  // namespace glassgpt::word2vec
