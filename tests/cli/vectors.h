// Rows of vectors, and the cosine by its definition, for tests of what compares them.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace glassgpt::testing {

using Row = std::vector<float>;
using Rows = std::vector<Row>;

inline double cosine(const Row& a, const Row& b) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

}  // namespace glassgpt::testing
