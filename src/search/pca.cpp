#include "search/pca.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace glassgpt {
namespace {

using Vector = std::vector<double>;

constexpr int kMostIterations = 2000;
constexpr double kTolerance = 1e-12;  // of the change of an axis in one iteration, squared
constexpr std::size_t kBlock = 4;     // two axes and two more, for their sake: it converges faster

double dot(const double* a, const double* b, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

Vector centred(std::span<const float> x, std::size_t rows, std::size_t cols) {
  Vector mean(cols, 0.0), centred(rows * cols);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) mean[c] += static_cast<double>(x[r * cols + c]);
  }
  for (double& value : mean) value /= static_cast<double>(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) {
      centred[r * cols + c] = static_cast<double>(x[r * cols + c]) - mean[c];
    }
  }
  return centred;
}

// The products of rows with rows: its eigenvectors, times the roots of their eigenvalues, are the
// points' coordinates along the principal axes.
Vector gram_matrix(const Vector& x, std::size_t rows, std::size_t cols) {
  Vector gram(rows * rows);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      gram[i * rows + j] = gram[j * rows + i] = dot(&x[i * cols], &x[j * cols], cols);
    }
  }
  return gram;
}

// Gram-Schmidt, twice for the digits that the first time loses. What is left of a vector that lies
// in the span of those before becomes 0.
void make_orthonormal(std::vector<Vector>& vectors) {
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    Vector& v = vectors[i];
    const double before = std::sqrt(dot(v.data(), v.data(), v.size()));
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < i; ++j) {
        const double along = dot(v.data(), vectors[j].data(), v.size());
        for (std::size_t k = 0; k < v.size(); ++k) v[k] -= along * vectors[j][k];
      }
    }
    const double length = std::sqrt(dot(v.data(), v.data(), v.size()));
    const bool gone = length <= 1e-13 * before;
    for (double& value : v) value = gone ? 0.0 : value / length;
  }
}

// Orthogonal iteration (Golub and Van Loan 2013, section 8.2.4): the eigenvectors of the largest
// eigenvalues, in their order.
std::vector<Vector> leading_eigenvectors(const Vector& matrix, std::size_t n) {
  std::mt19937 random(1);
  std::vector<Vector> vectors(std::min(kBlock, n), Vector(n));
  for (Vector& v : vectors) {
    for (double& value : v) value = static_cast<double>(random()) / 4294967296.0 - 0.5;
  }
  make_orthonormal(vectors);
  for (int iteration = 0; iteration < kMostIterations; ++iteration) {
    std::vector<Vector> next(vectors.size(), Vector(n));
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      for (std::size_t r = 0; r < n; ++r) {
        next[i][r] = dot(&matrix[r * n], vectors[i].data(), n);
      }
    }
    make_orthonormal(next);
    double change = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(2, next.size()); ++i) {
      change = std::max(change, 1 - std::abs(dot(next[i].data(), vectors[i].data(), n)));
    }
    vectors = std::move(next);
    if (change < kTolerance) break;
  }
  return vectors;
}

}  // namespace

PrincipalPlane principal_plane(std::span<const float> x, std::size_t cols) {
  const std::size_t rows = cols == 0 ? 0 : x.size() / cols;
  PrincipalPlane plane;
  plane.points.assign(rows, {0, 0});
  if (rows < 2) return plane;
  const Vector gram = gram_matrix(centred(x, rows, cols), rows, cols);
  double variance = 0;
  for (std::size_t i = 0; i < rows; ++i) variance += gram[i * rows + i];
  if (!(variance > 0)) return plane;
  const std::vector<Vector> axes = leading_eigenvectors(gram, rows);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const Vector& v = axes[axis];
    double value = 0;
    for (std::size_t r = 0; r < rows; ++r) value += v[r] * dot(&gram[r * rows], v.data(), rows);
    value = std::max(0.0, value);
    const auto farther = [](double a, double b) { return std::abs(a) < std::abs(b); };
    const double sign = *std::max_element(v.begin(), v.end(), farther) < 0 ? -1 : 1;
    for (std::size_t r = 0; r < rows; ++r) plane.points[r][axis] = sign * v[r] * std::sqrt(value);
    plane.share[axis] = value / variance;
  }
  return plane;
}

}  // namespace glassgpt
