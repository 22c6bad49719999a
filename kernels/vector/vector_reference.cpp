#include "kernels/vector/vector.h"

namespace glassgpt::kernels {

// y = a + b
void add_reference(std::size_t n, const float* a, const float* b, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

// sum of x^2
double sum_of_squares_reference(std::size_t n, const float* x) noexcept {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

// y[c] += sum over rows of x[r, c]
void column_sum_reference(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                          float* y) noexcept {
  for (std::size_t c = 0; c < cols; ++c) {
    double sum = 0.0;
    for (std::size_t r = 0; r < rows; ++r) sum += x[r * x_stride + c];
    y[c] = static_cast<float>(y[c] + sum);
  }
}

}  // namespace glassgpt::kernels
