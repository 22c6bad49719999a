#include <cmath>
#include <numbers>

#include "kernels/gelu/gelu.h"

namespace glassgpt::kernels {
namespace {

constexpr double kCubic = 0.044715;
constexpr double kSqrt2OverPi = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
constexpr double kInvSqrt2Pi = std::numbers::inv_sqrtpi / std::numbers::sqrt2;

// (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)): the right-hand side does not cancel for negative u.
double tanh_gate(double x) noexcept {
  return 1.0 / (1.0 + std::exp(-2.0 * kSqrt2OverPi * (x + kCubic * x * x * x)));
}

// The normal distribution function (1 + erf(x / sqrt 2)) / 2 = erfc(-x / sqrt 2) / 2, which does
// not cancel either.
double normal_cdf(double x) noexcept { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

}  // namespace

// y = x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, and its limit 0 at -inf.
void gelu_tanh_reference(std::size_t n, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const double gate = tanh_gate(x[i]);
    y[i] = gate == 0.0 ? -0.0f : static_cast<float>(x[i] * gate);
  }
}

// y = x * (1 + erf(x / sqrt 2)) / 2, and its limit 0 at -inf.
void gelu_erf_reference(std::size_t n, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const double gate = normal_cdf(x[i]);
    y[i] = gate == 0.0 ? -0.0f : static_cast<float>(x[i] * gate);
  }
}

// Forward: y = x * gate(x) with gate = (1 + tanh(u)) / 2 and u = sqrt(2 / pi) * (x + 0.044715 x^3).
// gate' = 2 gate (1 - gate) u', so d_x = d_y * (gate + x * 2 gate (1 - gate) * u').
void gelu_tanh_backward_reference(std::size_t n, const float* x, const float* d_y,
                                  float* d_x) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i];
    const double gate = tanh_gate(v);
    const double complement = tanh_gate(-v);  // 1 - gate without the cancellation
    const double d_u = kSqrt2OverPi * (1.0 + 3.0 * kCubic * v * v);
    // Far out the product is 0 * inf; its limit is 0.
    const double slope = gate == 0.0 || complement == 0.0 ? 0.0 : 2.0 * v * gate * complement * d_u;
    d_x[i] = static_cast<float>(d_y[i] * (gate + slope));
  }
}

// Forward: y = x * Phi(x). d_x = d_y * (Phi(x) + x * phi(x)), phi(x) = exp(-x^2 / 2) / sqrt(2 pi).
void gelu_erf_backward_reference(std::size_t n, const float* x, const float* d_y,
                                 float* d_x) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i];
    const double density = kInvSqrt2Pi * std::exp(-0.5 * v * v);
    const double slope = density == 0.0 ? 0.0 : v * density;
    d_x[i] = static_cast<float>(d_y[i] * (normal_cdf(v) + slope));
  }
}

}  // namespace glassgpt::kernels
