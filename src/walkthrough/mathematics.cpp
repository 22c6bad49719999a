#include "walkthrough/mathematics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace glassgpt::walkthrough {
namespace {

double dot(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

// The sum of row^T row over the rows of x: [cols, cols], symmetric.
std::vector<double> products_of_columns(std::span<const double> x, std::size_t cols) {
  std::vector<double> matrix(cols * cols, 0.0);
  for (std::size_t begin = 0; begin < x.size(); begin += cols) {
    const double* row = x.data() + begin;
    for (std::size_t i = 0; i < cols; ++i) {
      double* out = matrix.data() + i * cols;
      for (std::size_t j = 0; j < cols; ++j) out[j] += row[i] * row[j];
    }
  }
  return matrix;
}

std::vector<double> transposed(std::span<const double> x, std::size_t cols) {
  const std::size_t rows = x.size() / cols;
  std::vector<double> out(x.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) out[c * rows + r] = x[r * cols + c];
  }
  return out;
}

// v times the rows of x, added up: of as many numbers as x has columns.
std::vector<double> combined_rows(std::span<const double> v, std::span<const double> x) {
  const std::size_t cols = x.size() / v.size();
  std::vector<double> sum(cols, 0.0);
  for (std::size_t r = 0; r < v.size(); ++r) {
    for (std::size_t c = 0; c < cols; ++c) sum[c] += v[r] * x[r * cols + c];
  }
  return sum;
}

// The eigenvector of the largest eigenvalue of a symmetric matrix among those orthogonal to
// `found`, by power iteration; zeros if nothing is left.
std::vector<double> next_eigenvector(std::span<const double> matrix, std::size_t size,
                                     const std::vector<std::vector<double>>& found) {
  constexpr std::size_t kMostSteps = 1000;
  constexpr double kStill = 1e-10;
  std::vector<double> vector(size);
  // Any start that no symmetry makes orthogonal to the answer.
  for (std::size_t i = 0; i < size; ++i) vector[i] = 1.0 / static_cast<double>(i + 2);
  for (std::size_t step = 0; step < kMostSteps; ++step) {
    std::vector<double> image = combined_rows(vector, matrix);
    for (const std::vector<double>& other : found) {
      const double along = dot(image, other);
      for (std::size_t i = 0; i < size; ++i) image[i] -= along * other[i];
    }
    const double length = std::sqrt(dot(image, image));
    if (!(length > 1e-300)) return std::vector<double>(size, 0.0);
    double change = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const double next = image[i] / length;
      change = std::max(change, std::abs(next - vector[i]));
      vector[i] = next;
    }
    if (change < kStill) break;
  }
  return vector;
}

// Of length 1, the largest entry positive; zeros stay zeros.
void normalize(std::vector<double>& direction) {
  const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
  const double top = *std::max_element(direction.begin(), direction.end(), smaller);
  const double length = std::sqrt(dot(direction, direction));
  if (!(length > 1e-300)) return;
  for (double& value : direction) value /= top < 0 ? -length : length;
}

}  // namespace

double nine_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.8e", value);
  return std::strtod(text, nullptr);
}

double norm(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

double cosine(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  }
  const double lengths = norm(x) * norm(y);
  return lengths > 0 ? sum / lengths : 0.0;
}

std::vector<double> softmax(std::span<const float> x) {
  std::vector<double> out(x.begin(), x.end());
  const double top = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (double& value : out) sum += value = std::exp(value - top);
  for (double& value : out) value /= sum;
  return out;
}

double entropy_bits(std::span<const double> probabilities) {
  double bits = 0;
  for (const double p : probabilities) {
    if (p > 0) bits -= p * std::log2(p);
  }
  return bits;
}

std::vector<std::size_t> largest(std::span<const double> values, std::size_t k) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return values[a] != values[b] ? values[a] > values[b] : a < b;
                    });
  order.resize(k);
  return order;
}

Components principal_components(std::span<const double> rows, std::size_t cols, std::size_t k) {
  const std::size_t count = cols == 0 ? 0 : rows.size() / cols;
  if (count == 0) return {{}, std::vector<double>(k, 0.0)};
  std::vector<double> centred(rows.begin(), rows.end());
  for (std::size_t c = 0; c < cols; ++c) {
    double mean = 0;
    for (std::size_t r = 0; r < count; ++r) mean += rows[r * cols + c];
    mean /= static_cast<double>(std::max<std::size_t>(1, count));
    for (std::size_t r = 0; r < count; ++r) centred[r * cols + c] -= mean;
  }
  double total = 0;
  for (const double value : centred) total += value * value;

  // The products of columns and those of rows have the same eigenvalues; the smaller matrix does.
  const bool by_rows = count < cols;
  const std::vector<double> matrix = by_rows ? products_of_columns(transposed(centred, cols), count)
                                             : products_of_columns(centred, cols);
  Components components;
  components.coordinates.resize(count * k);
  std::vector<std::vector<double>> found;
  for (std::size_t axis = 0; axis < k; ++axis) {
    found.push_back(next_eigenvector(matrix, by_rows ? count : cols, found));
    std::vector<double> direction = by_rows ? combined_rows(found.back(), centred) : found.back();
    normalize(direction);
    double variance = 0;
    for (std::size_t r = 0; r < count; ++r) {
      const double along = dot(std::span(centred).subspan(r * cols, cols), direction);
      components.coordinates[r * k + axis] = static_cast<float>(along);
      variance += along * along;
    }
    components.explained.push_back(total > 0 ? variance / total : 0.0);
  }
  return components;
}

}  // namespace glassgpt::walkthrough
