// Principal components: the plane in which points lie farthest apart.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace glassgpt {

struct PrincipalPlane {
  std::vector<std::array<double, 2>> points;  // of each row, around the rows' mean
  std::array<double, 2> share = {0, 0};       // of the variance of all rows, per axis
};

// Of the rows of x [rows, cols], all finite: their coordinates along the two directions of the
// largest variance (Pearson 1901; Hotelling 1933). An axis points to the side of its farthest
// point, the first of them if there are several. Sums in double, in a fixed order, by one thread.
// Less than two different rows: all points at the origin.
PrincipalPlane principal_plane(std::span<const float> x, std::size_t cols);

}  // namespace glassgpt
