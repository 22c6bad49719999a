// The readable truth: three loops and double accumulators.
#include "kernels/gemm/gemm_backends.h"

namespace glassgpt::kernels {
namespace {

float element(const Operand& x, std::size_t row, std::size_t col) {
  return x.transposed ? x.data[col * x.stride + row] : x.data[row * x.stride + col];
}

float activated(Activation activation, float x) {
  float y = x;
  if (activation == Activation::kGeluTanh) gelu_tanh_reference(1, &x, &y);
  if (activation == Activation::kGeluErf) gelu_erf_reference(1, &x, &y);
  return y;
}

}  // namespace

void gemm_reference(const Product& p) {
  const Epilogue& e = p.epilogue;
#pragma omp parallel for num_threads(p.threads) schedule(static)
  for (std::size_t i = 0; i < p.m; ++i) {
    for (std::size_t j = 0; j < p.n; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < p.k; ++k)
        sum += static_cast<double>(element(p.a, i, k)) * static_cast<double>(element(p.b, k, j));
      float& c = p.c[i * p.c_stride + j];
      if (p.accumulate) sum += static_cast<double>(c);
      float y = static_cast<float>(sum);
      if (e.bias != nullptr) y += e.bias[j];
      if (e.pre_activation != nullptr) e.pre_activation[i * e.pre_activation_stride + j] = y;
      y = activated(e.activation, y);
      if (e.residual != nullptr) y += e.residual[i * e.residual_stride + j];
      c = y;
    }
  }
}

}  // namespace glassgpt::kernels
