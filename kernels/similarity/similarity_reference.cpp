#include <cmath>

#include "kernels/similarity/similarity.h"

namespace glassgpt::kernels {

// cosine = sum(q x) / sqrt(sum(q^2) sum(x^2)), 0 where either vector is zero.
void cosine_similarity_reference(std::size_t rows, std::size_t cols, const float* query,
                                 const float* x, std::size_t x_stride, float* cosine) noexcept {
  double query_squares = 0.0;
  for (std::size_t c = 0; c < cols; ++c) query_squares += static_cast<double>(query[c]) * query[c];

  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = x + r * x_stride;
    double dot = 0.0;
    double squares = 0.0;
    for (std::size_t c = 0; c < cols; ++c) {
      dot += static_cast<double>(query[c]) * row[c];
      squares += static_cast<double>(row[c]) * row[c];
    }
    const double norms = std::sqrt(query_squares) * std::sqrt(squares);
    cosine[r] = norms == 0.0 ? 0.0f : static_cast<float>(dot / norms);
  }
}

}  // namespace glassgpt::kernels
