#include <cmath>
#include <limits>

#include "kernels/softmax/softmax.h"

namespace glassgpt::kernels {

// y = exp(x - max) / sum(exp(x - max)). Taking the maximum away keeps exp from overflowing.
void softmax_reference(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                       float* y, std::size_t y_stride) noexcept {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (std::size_t r = 0; r < rows; ++r) {
    const float* x_row = x + r * x_stride;
    float* y_row = y + r * y_stride;

    double max = -kInfinity;
    bool any_nan = false;
    for (std::size_t c = 0; c < cols; ++c) {
      if (x_row[c] > max) max = x_row[c];
      any_nan = any_nan || std::isnan(x_row[c]);
    }
    if (max == -kInfinity && !any_nan) {
      for (std::size_t c = 0; c < cols; ++c) y_row[c] = 0.0f;  // fully masked: -inf - -inf is NaN
      continue;
    }

    double sum = 0.0;
    for (std::size_t c = 0; c < cols; ++c) sum += std::exp(x_row[c] - max);
    for (std::size_t c = 0; c < cols; ++c)
      y_row[c] = static_cast<float>(std::exp(x_row[c] - max) / sum);
  }
}

// Forward: y = exp(x - max) / sum, whose Jacobian is diag(y) - y y^T: d_x = y * (d_y - dot(y,
// d_y)).
void softmax_backward_reference(std::size_t rows, std::size_t cols, const float* y,
                                std::size_t y_stride, const float* d_y, std::size_t d_y_stride,
                                float* d_x, std::size_t d_x_stride) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    const float* y_row = y + r * y_stride;
    const float* d_y_row = d_y + r * d_y_stride;
    float* d_x_row = d_x + r * d_x_stride;

    double dot = 0.0;
    for (std::size_t c = 0; c < cols; ++c) dot += static_cast<double>(y_row[c]) * d_y_row[c];
    for (std::size_t c = 0; c < cols; ++c)
      d_x_row[c] = static_cast<float>(y_row[c] * (d_y_row[c] - dot));
  }
}

}  // namespace glassgpt::kernels
