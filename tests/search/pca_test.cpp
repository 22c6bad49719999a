// The principal plane beside eigenvalues by Jacobi's method on the covariance, and known shapes.
#include "search/pca.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace glassgpt::testing {
namespace {

// All eigenvalues of a symmetric matrix, largest first (Jacobi 1846).
std::vector<double> eigenvalues(std::vector<double> a, std::size_t n) {
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (std::size_t k = 0; k < n; ++k) {
          const double x = a[k * n + p], y = a[k * n + q];
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double x = a[p * n + k], y = a[q * n + k];
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
        }
      }
    }
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(a[i * n + i]);
  std::sort(values.rbegin(), values.rend());
  return values;
}

std::vector<double> covariance(const std::vector<float>& x, std::size_t rows, std::size_t cols) {
  std::vector<double> mean(cols, 0), result(cols * cols, 0);
  for (std::size_t i = 0; i < x.size(); ++i) mean[i % cols] += x[i] / static_cast<double>(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t a = 0; a < cols; ++a) {
      for (std::size_t b = 0; b < cols; ++b) {
        result[a * cols + b] += (x[r * cols + a] - mean[a]) * (x[r * cols + b] - mean[b]);
      }
    }
  }
  return result;
}

TEST(PrincipalPlane, HasTheTwoLargestVariances) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(3, 1);
  for (const auto& [rows, cols] :
       {std::pair<std::size_t, std::size_t>{40, 7}, {6, 30}, {2, 5}, {90, 2}}) {
    std::vector<float> x(rows * cols);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = normal(random) * static_cast<float>(1 + i % cols);
    }
    const PrincipalPlane plane = principal_plane(x, cols);
    const std::vector<double> values = eigenvalues(covariance(x, rows, cols), cols);
    double all = 0;
    for (const double value : values) all += value;
    double across = 0;
    for (std::size_t axis = 0; axis < 2; ++axis) {
      double squares = 0, sum = 0;
      for (const auto& point : plane.points) {
        squares += point[axis] * point[axis];
        sum += point[axis];
      }
      EXPECT_NEAR(squares, values[axis], 1e-6 * values[0]) << rows << "x" << cols;
      EXPECT_NEAR(sum, 0, 1e-6 * std::sqrt(values[0]));
      EXPECT_NEAR(plane.share[axis], values[axis] / all, 1e-6);
    }
    for (const auto& point : plane.points) across += point[0] * point[1];
    EXPECT_NEAR(across, 0, 1e-6 * values[0]);
  }
}

TEST(PrincipalPlane, FindsAPlaneInSpace) {
  // Points of a plane spanned by (1, 1, 0) / √2 and (0, 0, 1).
  std::vector<float> x;
  const double along[] = {-5, -1, 0, 1, 5}, up[] = {1, -1, 0, -1, 1};
  for (int i = 0; i < 5; ++i) {
    x.insert(x.end(), {static_cast<float>(along[i] / std::sqrt(2)),
                       static_cast<float>(along[i] / std::sqrt(2)), static_cast<float>(up[i])});
  }
  const PrincipalPlane plane = principal_plane(x, 3);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(std::abs(plane.points[i][0]), std::abs(along[i]), 1e-6);
    EXPECT_NEAR(plane.points[i][0], -plane.points[4 - i][0], 1e-6);
    EXPECT_NEAR(plane.points[i][1], up[i], 1e-6);
  }
  EXPECT_NEAR(plane.share[0] + plane.share[1], 1, 1e-12);
}

TEST(PrincipalPlane, OfFewOrEqualPointsIsTheOrigin) {
  const std::vector<float> one = {1, 2, 3}, equal = {1, 2, 1, 2, 1, 2};
  EXPECT_EQ(principal_plane(one, 3).points.size(), 1u);
  for (const auto& point : principal_plane(equal, 2).points) {
    EXPECT_EQ(point, (std::array<double, 2>{0, 0}));
  }
  EXPECT_TRUE(principal_plane({}, 4).points.empty());
  const std::vector<float> line = {0, 0, 1, 1, 3, 3};  // no second direction
  const PrincipalPlane plane = principal_plane(line, 2);
  EXPECT_NEAR(plane.share[0], 1, 1e-12);
  for (const auto& point : plane.points) EXPECT_NEAR(point[1], 0, 1e-6);
}

}  // namespace
}  // namespace glassgpt::testing
