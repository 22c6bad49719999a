#pragma once

#include "kernels/adamw/adamw.h"
#include "kernels/loops_simd.h"

namespace glassgpt::kernels {
namespace {

// One pass: each of the four arrays is read once and three are written once, because memory is what
// bounds this.
template <class Arch>
void adamw_simd(std::size_t n, float* parameters, const float* gradients, float* moment1,
                float* moment2, const AdamWStep& step) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> beta1 = S::set(step.beta1);
  const F32Of<Arch> beta2 = S::set(step.beta2);
  const F32Of<Arch> one_minus_beta1 = S::set(1.0f - step.beta1);
  const F32Of<Arch> one_minus_beta2 = S::set(1.0f - step.beta2);
  const F32Of<Arch> gradient_scale = S::set(step.gradient_scale);
  const F32Of<Arch> epsilon = S::set(step.epsilon);
  const F32Of<Arch> minus_decay = S::set(-(step.learning_rate * step.weight_decay));
  // Bias corrections are scalars, so they are folded into factors: one division and one root per
  // element remain.
  const F32Of<Arch> minus_rate = S::set(-(step.learning_rate / step.bias_correction1));
  const F32Of<Arch> root_scale =
      S::set(static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(step.bias_correction2))));

  for_each_vector<Arch>(n, [=](std::size_t i, auto span) noexcept {
    const F32Of<Arch> g = gradient_scale * span.load(gradients + i);
    const F32Of<Arch> m = S::fma(beta1, span.load(moment1 + i), one_minus_beta1 * g);
    const F32Of<Arch> v = S::fma(beta2, span.load(moment2 + i), one_minus_beta2 * (g * g));
    const F32Of<Arch> p = span.load(parameters + i);
    const F32Of<Arch> update = minus_rate * m / S::fma(root_scale, S::sqrt(v), epsilon);
    span.store(parameters + i, p + S::fma(minus_decay, p, update));
    span.store(moment1 + i, m);
    span.store(moment2 + i, v);
  });
}

}  // namespace
}  // namespace glassgpt::kernels
