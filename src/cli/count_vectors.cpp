#include "cli/count_vectors.h"

#include <cmath>

#include "glassgpt/words.h"

namespace glassgpt::cli {
namespace {

double sum_of_squares(const CountVector& counts) {
  double sum = 0;
  for (const auto& [word, count] : counts) {
    sum += static_cast<double>(count) * static_cast<double>(count);
  }
  return sum;
}

}  // namespace

CountVector count_words(std::string_view text) {
  CountVector counts;
  for (const WordSpan& word : split_words(text)) {
    ++counts[fold_case(text.substr(word.begin, word.end - word.begin))];
  }
  return counts;
}

double count_cosine(const CountVector& a, const CountVector& b) {
  double dot = 0;
  for (const auto& [word, count] : a) {
    const auto other = b.find(word);
    if (other == b.end()) continue;
    dot += static_cast<double>(count) * static_cast<double>(other->second);
  }
  const double norms = std::sqrt(sum_of_squares(a)) * std::sqrt(sum_of_squares(b));
  return norms > 0 ? std::min(1.0, dot / norms) : 0.0;
}

}  // namespace glassgpt::cli
