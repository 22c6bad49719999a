#include "train/snapshots.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace glassgpt::training {

std::vector<std::size_t> snapshot_steps(std::size_t steps, std::size_t count) {
  if (count == 0) return {};
  // 1/256 of the run: the first words to find their places do so within it.
  const double last = static_cast<double>(steps), first = std::max(1.0, last / 256);
  std::vector<std::size_t> at{0};
  for (std::size_t i = 1; i + 1 < count; ++i) {
    const double part = static_cast<double>(i - 1) / static_cast<double>(count - 2);
    at.push_back(static_cast<std::size_t>(std::llround(first * std::pow(last / first, part))));
  }
  at.push_back(steps);
  at.erase(std::unique(at.begin(), at.end()), at.end());
  return at;
}

std::filesystem::path snapshot_path(const std::filesystem::path& run, std::size_t step) {
  std::string number = std::to_string(step);
  if (number.size() < 8) number.insert(0, 8 - number.size(), '0');
  return run / "snapshots" / ("step_" + number);
}

}  // namespace glassgpt::training
