#include "kernels/skip_gram/skip_gram.h"

#include <cmath>

namespace glassgpt::kernels {

// e = sigmoid(x y) - label; x -= rate e y; y -= rate e x, all from the values before.
void skip_gram_reference(std::size_t inputs, std::size_t outputs, std::size_t cols, float* const* x,
                         float* const* y, bool first_is_true, float rate, float* errors) noexcept {
  for (std::size_t b = 0; b < inputs; ++b) {
    for (std::size_t n = 0; n < outputs; ++n) {
      double dot = 0.0;
      for (std::size_t c = 0; c < cols; ++c) dot += static_cast<double>(x[b][c]) * y[n][c];
      const double label = n == 0 && first_is_true ? 1.0 : 0.0;
      errors[b * outputs + n] = static_cast<float>(1.0 / (1.0 + std::exp(-dot)) - label);
    }
  }
  for (std::size_t c = 0; c < cols; ++c) {
    double x_before[kSkipGramInputs];
    double y_before[kSkipGramOutputs];
    for (std::size_t b = 0; b < inputs; ++b) x_before[b] = static_cast<double>(x[b][c]);
    for (std::size_t n = 0; n < outputs; ++n) y_before[n] = static_cast<double>(y[n][c]);
    for (std::size_t b = 0; b < inputs; ++b) {
      double step = 0.0;
      for (std::size_t n = 0; n < outputs; ++n) {
        step += static_cast<double>(errors[b * outputs + n]) * y_before[n];
      }
      x[b][c] = static_cast<float>(x_before[b] - static_cast<double>(rate) * step);
    }
    for (std::size_t n = 0; n < outputs; ++n) {
      double step = 0.0;
      for (std::size_t b = 0; b < inputs; ++b) {
        step += static_cast<double>(errors[b * outputs + n]) * x_before[b];
      }
      y[n][c] = static_cast<float>(y_before[n] - static_cast<double>(rate) * step);
    }
  }
}

}  // namespace glassgpt::kernels
