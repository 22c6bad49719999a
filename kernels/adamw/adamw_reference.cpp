#include <cmath>

#include "kernels/adamw/adamw.h"

namespace glassgpt::kernels {

// g = gradient_scale * gradient; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -=
// learning_rate * (m / bias_correction1 / (sqrt(v / bias_correction2) + epsilon) + weight_decay *
// p)
void adamw_reference(std::size_t n, float* parameters, const float* gradients, float* moment1,
                     float* moment2, const AdamWStep& step) noexcept {
  const double beta1 = step.beta1;
  const double beta2 = step.beta2;
  for (std::size_t i = 0; i < n; ++i) {
    const double g = static_cast<double>(step.gradient_scale) * gradients[i];
    const double m = beta1 * moment1[i] + (1.0 - beta1) * g;
    const double v = beta2 * moment2[i] + (1.0 - beta2) * g * g;
    const double p = parameters[i];
    const double update =
        m / step.bias_correction1 / (std::sqrt(v / step.bias_correction2) + step.epsilon);
    parameters[i] = static_cast<float>(p - step.learning_rate * (update + step.weight_decay * p));
    moment1[i] = static_cast<float>(m);
    moment2[i] = static_cast<float>(v);
  }
}

}  // namespace glassgpt::kernels
