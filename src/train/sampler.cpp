#include "train/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

#include "train/hash.h"

namespace glassgpt::training {

std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t key) noexcept {
  if (size < 2) return 0;
  constexpr int kRounds = 6;
  const auto half = (static_cast<unsigned>(std::bit_width(size - 1)) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {
    std::uint64_t left = index >> half, right = index & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t next = left ^ (Hasher().add(key).add(round).add(right).value() & mask);
      left = right;
      right = next;
    }
    index = left << half | right;
  } while (index >= size);
  return index;
}

WindowSampler::WindowSampler(const std::vector<Source>& sources, std::size_t context,
                             std::uint64_t seed)
    : first_{0}, seed_(seed) {
  for (const Source& source : sources) {
    if (source.tokens < 2) {
      throw std::invalid_argument("WindowSampler: got a corpus of " +
                                  std::to_string(source.tokens) +
                                  " tokens, expected at least 2 to learn from");
    }
    const std::uint64_t targets = source.tokens - 1;
    // One window less than fit, so that the cuts can be moved by a whole window.
    const std::uint64_t windows = std::max<std::uint64_t>(targets / context, 2) - 1;
    const std::uint64_t length = std::min<std::uint64_t>(context, targets);
    const auto drawn = static_cast<std::uint64_t>(
        std::max(1.0, std::round(source.weight * static_cast<double>(windows))));
    streams_.push_back(
        {windows, targets - windows * length, drawn, static_cast<std::size_t>(length)});
    first_.push_back(first_.back() + drawn);
  }
}

Window WindowSampler::window(std::uint64_t n) const {
  const std::uint64_t epoch = n / windows_per_epoch();
  const std::uint64_t place = permuted(n % windows_per_epoch(), windows_per_epoch(),
                                       Hasher().add(seed_).add(epoch).value());
  const auto after = std::upper_bound(first_.begin(), first_.end(), place);
  const auto stream = static_cast<std::size_t>(after - first_.begin()) - 1;
  const Stream& s = streams_[stream];
  // The stream's own count of windows, over all epochs.
  const std::uint64_t drawn = epoch * s.drawn + (place - first_[stream]);
  const std::uint64_t pass = drawn / s.windows;
  const std::uint64_t shift = Hasher().add(seed_).add(stream).add(pass).value() % (s.slack + 1);
  return {stream, shift + drawn % s.windows * s.length, s.length};
}

}  // namespace glassgpt::training
