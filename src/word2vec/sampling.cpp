#include "word2vec/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glassgpt::word2vec {
namespace {

constexpr double kAll = 0x1p32;

}  // namespace

NoiseTable::NoiseTable(std::span<const std::uint64_t> counts) : slots_(counts.size()) {
  std::vector<double> weights(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    weights[i] = std::pow(static_cast<double>(counts[i]), 0.75);
  }
  // In units of a slot: 1 is the mean.
  const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) /
                      static_cast<double>(std::max<std::size_t>(counts.size(), 1));
  std::vector<std::uint32_t> small, large;
  for (std::uint32_t i = 0; i < weights.size(); ++i) {
    weights[i] /= mean;
    (weights[i] < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t poor = small.back(), rich = large.back();
    small.pop_back();
    slots_[poor] = {static_cast<std::uint64_t>(std::lround(weights[poor] * kAll)), rich};
    weights[rich] -= 1 - weights[poor];
    if (weights[rich] < 1) {
      large.pop_back();
      small.push_back(rich);
    }
  }
  // What rounding left over is full.
  for (const auto* rest : {&small, &large}) {
    for (const std::uint32_t i : *rest) slots_[i] = {static_cast<std::uint64_t>(kAll), i};
  }
}

std::vector<double> NoiseTable::probabilities() const {
  std::vector<double> sums(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const double own = static_cast<double>(slots_[i].threshold) / kAll;
    sums[i] += own;
    sums[slots_[i].alias] += 1 - own;
  }
  for (double& sum : sums) sum /= static_cast<double>(slots_.size());
  return sums;
}

std::vector<std::uint64_t> keep_thresholds(std::span<const std::uint64_t> counts, double sample) {
  std::vector<std::uint64_t> thresholds;
  const double total =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  for (const std::uint64_t count : counts) {
    const double ratio = sample * total / static_cast<double>(count);
    const double keep = sample <= 0 ? 1.0 : std::min(1.0, std::sqrt(ratio) + ratio);
    thresholds.push_back(static_cast<std::uint64_t>(keep * kAll));
  }
  return thresholds;
}

}  // namespace glassgpt::word2vec
