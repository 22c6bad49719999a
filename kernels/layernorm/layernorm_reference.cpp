#include <cmath>

#include "kernels/layernorm/layernorm.h"

namespace glassgpt::kernels {

// mean = sum(x) / C, variance = sum((x - mean)^2) / C, rstd = 1 / sqrt(variance + epsilon), y = (x
// - mean) * rstd * gamma + beta. Two passes: E[x^2] - mean^2 would cancel.
void layer_norm_reference(std::size_t rows, std::size_t cols, const float* x, std::size_t x_stride,
                          const float* gamma, const float* beta, float epsilon, float* y,
                          std::size_t y_stride, float* mean, float* rstd) noexcept {
  if (cols == 0) return;
  for (std::size_t r = 0; r < rows; ++r) {
    const float* x_row = x + r * x_stride;
    float* y_row = y + r * y_stride;

    double sum = 0.0;
    for (std::size_t c = 0; c < cols; ++c) sum += x_row[c];
    const double row_mean = sum / static_cast<double>(cols);

    double squares = 0.0;
    for (std::size_t c = 0; c < cols; ++c) {
      const double centred = x_row[c] - row_mean;
      squares += centred * centred;
    }
    const double variance = squares / static_cast<double>(cols);
    const double row_rstd = 1.0 / std::sqrt(variance + static_cast<double>(epsilon));

    for (std::size_t c = 0; c < cols; ++c)
      y_row[c] = static_cast<float>((x_row[c] - row_mean) * row_rstd * gamma[c] + beta[c]);
    if (mean != nullptr) mean[r] = static_cast<float>(row_mean);
    if (rstd != nullptr) rstd[r] = static_cast<float>(row_rstd);
  }
}

// Forward: x_hat = (x - mean) * rstd, y = x_hat * gamma + beta. With g = d_y * gamma: d_x += rstd *
// (g - mean(g) - x_hat * mean(g * x_hat)).
void layer_norm_backward_reference(std::size_t rows, std::size_t cols, const float* d_y,
                                   std::size_t d_y_stride, const float* x, std::size_t x_stride,
                                   const float* gamma, const float* mean, const float* rstd,
                                   float* d_x, std::size_t d_x_stride) noexcept {
  if (cols == 0) return;
  const double scale = 1.0 / static_cast<double>(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* d_y_row = d_y + r * d_y_stride;
    const float* x_row = x + r * x_stride;
    float* d_x_row = d_x + r * d_x_stride;
    const double row_mean = mean[r];
    const double row_rstd = rstd[r];

    double g_sum = 0.0;
    double g_x_hat_sum = 0.0;
    for (std::size_t c = 0; c < cols; ++c) {
      const double x_hat = (x_row[c] - row_mean) * row_rstd;
      const double g = static_cast<double>(d_y_row[c]) * gamma[c];
      g_sum += g;
      g_x_hat_sum += g * x_hat;
    }
    for (std::size_t c = 0; c < cols; ++c) {
      const double x_hat = (x_row[c] - row_mean) * row_rstd;
      const double g = static_cast<double>(d_y_row[c]) * gamma[c];
      const double d = row_rstd * (g - scale * g_sum - x_hat * scale * g_x_hat_sum);
      d_x_row[c] = static_cast<float>(d_x_row[c] + d);
    }
  }
}

// Forward: y = x_hat * gamma + beta, so d_gamma += sum_rows d_y * x_hat and d_beta += sum_rows d_y.
void layer_norm_backward_parameters_reference(std::size_t rows, std::size_t cols, const float* d_y,
                                              std::size_t d_y_stride, const float* x,
                                              std::size_t x_stride, const float* mean,
                                              const float* rstd, float* d_gamma,
                                              float* d_beta) noexcept {
  for (std::size_t c = 0; c < cols; ++c) {
    double gamma_sum = 0.0;
    double beta_sum = 0.0;
    for (std::size_t r = 0; r < rows; ++r) {
      const double d = d_y[r * d_y_stride + c];
      const double x_hat = (static_cast<double>(x[r * x_stride + c]) - mean[r]) * rstd[r];
      gamma_sum += d * x_hat;
      beta_sum += d;
    }
    d_gamma[c] = static_cast<float>(d_gamma[c] + gamma_sum);
    d_beta[c] = static_cast<float>(d_beta[c] + beta_sum);
  }
}

}  // namespace glassgpt::kernels
