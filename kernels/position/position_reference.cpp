#include <cmath>

#include "kernels/position/position.h"

namespace glassgpt::kernels {

// angle = (first + t) / 10000^(2i / C); y[t, 2i] = sin(angle), y[t, 2i + 1] = cos(angle).
void sinusoidal_positions_reference(std::size_t rows, std::size_t cols, std::size_t first, float* y,
                                    std::size_t y_stride) noexcept {
  for (std::size_t t = 0; t < rows; ++t) {
    const auto position = static_cast<double>(first + t);
    for (std::size_t c = 0; c < cols; ++c) {
      const auto even = static_cast<double>(c - c % 2);
      const double angle = position / std::pow(10000.0, even / static_cast<double>(cols));
      y[t * y_stride + c] = static_cast<float>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
}

}  // namespace glassgpt::kernels
