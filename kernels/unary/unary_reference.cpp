#include <cmath>

#include "kernels/unary/unary.h"

namespace glassgpt::kernels {

void exp_reference(std::size_t n, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    y[i] = static_cast<float>(std::exp(static_cast<double>(x[i])));
}

void tanh_reference(std::size_t n, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    y[i] = static_cast<float>(std::tanh(static_cast<double>(x[i])));
}

void erf_reference(std::size_t n, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    y[i] = static_cast<float>(std::erf(static_cast<double>(x[i])));
}

}  // namespace glassgpt::kernels
