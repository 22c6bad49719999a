#pragma once

#include "kernels/math_simd.h"
#include "kernels/position/position.h"

namespace glassgpt::kernels {
namespace {

// sin(r) and cos(r) for |r| <= pi / 4.
template <class Arch>
inline F32Of<Arch> sin_reduced(F32Of<Arch> r) noexcept {
  // (sin(r) / r - 1) / r^2 in r^2, error of sin 2^-28.0.
  constexpr float kCoefficients[] = {-0x1.555546p-3f, 0x1.110756p-7f, -0x1.994b3ep-13f};
  const F32Of<Arch> square = r * r;
  return Simd<Arch>::fma(polynomial<Arch>(square, kCoefficients) * square, r, r);
}
template <class Arch>
inline F32Of<Arch> cos_reduced(F32Of<Arch> r) noexcept {
  // (cos(r) - 1 + r^2 / 2) / r^4 in r^2, error of cos 2^-33.2.
  constexpr float kCoefficients[] = {0x1.55554ap-5f, -0x1.6c0c82p-10f, 0x1.99ff40p-16f};
  using S = Simd<Arch>;
  const F32Of<Arch> square = r * r;
  const F32Of<Arch> rest = polynomial<Arch>(square, kCoefficients) * (square * square);
  return S::set(1.0f) + S::fma(S::set(-0.5f), square, rest);
}

// One block of columns pairs: what is computed in double, once per element, before the float
// polynomials.
struct PositionBlock {
  static constexpr std::size_t kPairs = 64;
  double frequency[kPairs];
  float reduced[kPairs];   // the angle less a multiple of pi / 2
  float odd[kPairs];       // 1 where that multiple is odd: sine and cosine change places
  float sin_sign[kPairs];  // +-1
  float cos_sign[kPairs];

  // The angle may be a million radians, where a float's spacing is 1/16: product and reduction are
  // in double. pi / 2 is split so that up to 2^20 times its first part is exact (Cody and Waite
  // 1980, chapter 8).
  void reduce(double position, std::size_t pairs) noexcept {
    for (std::size_t i = 0; i < pairs; ++i) {
      const double angle = position * frequency[i];
      const double shifted = angle * 0x1.45f306dc9c883p-1 + 0x1.8p52;  // rounds to an integer
      const double multiple = shifted - 0x1.8p52;
      reduced[i] = static_cast<float>((angle - multiple * 0x1.921fb544p+0) -
                                      multiple * 0x1.0b4611a626331p-34);
      std::uint64_t bits;
      std::memcpy(&bits, &shifted, sizeof bits);
      odd[i] = (bits & 1) != 0 ? 1.0f : 0.0f;
      sin_sign[i] = (bits & 2) != 0 ? -1.0f : 1.0f;
      cos_sign[i] = ((bits + 1) & 2) != 0 ? -1.0f : 1.0f;
    }
  }

  // y[2i] = sin, y[2i + 1] = cos of pair i; the last cosine is left out where cols is odd.
  template <class Arch>
  void write(std::size_t cols, float* y) const noexcept {
    using S = Simd<Arch>;
    float sines[kPairs];
    float cosines[kPairs];
    for_each_vector<Arch>((cols + 1) / 2, [&](std::size_t i, auto span) noexcept {
      const F32Of<Arch> r = span.load(reduced + i);
      const F32Of<Arch> s = sin_reduced<Arch>(r);
      const F32Of<Arch> c = cos_reduced<Arch>(r);
      const auto swap = span.load(odd + i) > S::set(0.5f);
      span.store(sines + i, S::select(swap, c, s) * span.load(sin_sign + i));
      span.store(cosines + i, S::select(swap, s, c) * span.load(cos_sign + i));
    });
    for (std::size_t i = 0; i < cols / 2; ++i) {
      y[2 * i] = sines[i];
      y[2 * i + 1] = cosines[i];
    }
    if (cols % 2 != 0) y[cols - 1] = sines[cols / 2];
  }
};

template <class Arch>
void sinusoidal_positions_simd(std::size_t rows, std::size_t cols, std::size_t first, float* y,
                               std::size_t y_stride) noexcept {
  constexpr std::size_t kCols = 2 * PositionBlock::kPairs;
  PositionBlock block;
  for (std::size_t begin = 0; begin < cols; begin += kCols) {
    const std::size_t count = cols - begin < kCols ? cols - begin : kCols;
    const std::size_t pairs = (count + 1) / 2;
    for (std::size_t i = 0; i < pairs; ++i)
      block.frequency[i] =
          __builtin_pow(10000.0, -static_cast<double>(begin + 2 * i) / static_cast<double>(cols));
    for (std::size_t t = 0; t < rows; ++t) {
      block.reduce(static_cast<double>(first + t), pairs);
      block.write<Arch>(count, y + t * y_stride + begin);
    }
  }
}

}  // namespace
}  // namespace glassgpt::kernels
