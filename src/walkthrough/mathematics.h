// Small sums in double precision that several chapters need.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace glassgpt::walkthrough {

// To nine significant digits: as many as a float32 has, in half the room that a double takes.
double nine_digits(double value);

double norm(std::span<const float> x);
double cosine(std::span<const float> x, std::span<const float> y);

// e^(x - max) / sum.
std::vector<double> softmax(std::span<const float> x);
double entropy_bits(std::span<const double> probabilities);

// The indices of the k largest, largest first; the smaller index first among equals.
std::vector<std::size_t> largest(std::span<const double> values, std::size_t k);

// Principal components of rows [rows, cols]: the rows' coordinates along the k directions of
// largest variance, and each direction's share of the variance. A direction's sign is such that its
// largest entry is positive, so that the same rows always give the same picture.
struct Components {
  std::vector<float> coordinates;  // [rows, k]
  std::vector<double> explained;   // [k]
};
Components principal_components(std::span<const double> rows, std::size_t cols, std::size_t k);

}  // namespace glassgpt::walkthrough
