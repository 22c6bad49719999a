// Bags of words: a text as how often each word is in it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace glassgpt::cli {

// Words (UAX 29, case-folded) and their numbers: the text's vector in the space that has an axis
// for every word there is.
using CountVector = std::map<std::string, std::uint64_t>;

CountVector count_words(std::string_view text);

// 0 for a text without words. Sums in double, exact below 2^53.
double count_cosine(const CountVector& a, const CountVector& b);

}  // namespace glassgpt::cli
