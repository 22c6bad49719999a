#pragma once

#include "kernels/math_simd.h"
#include "kernels/unary/unary.h"

namespace glassgpt::kernels {
namespace {

template <class Arch>
void exp_simd(std::size_t n, const float* x, float* y) noexcept {
  map_vector<Arch>(n, x, y, [](F32Of<Arch> v) noexcept { return exp_vector<Arch>(v); });
}

template <class Arch>
void tanh_simd(std::size_t n, const float* x, float* y) noexcept {
  map_vector<Arch>(n, x, y, [](F32Of<Arch> v) noexcept { return tanh_vector<Arch>(v); });
}

template <class Arch>
void erf_simd(std::size_t n, const float* x, float* y) noexcept {
  map_vector<Arch>(n, x, y, [](F32Of<Arch> v) noexcept { return erf_vector<Arch>(v); });
}

}  // namespace
}  // namespace glassgpt::kernels
