// What chance decides: which words are negatives, and which are left out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/random_bits.h"

namespace glassgpt::word2vec {

// Draws words with probability proportional to count^0.75, by Walker's alias method (Vose 1991): a
// slot, and either the slot's word or its alias. Exact to 2^-32 per word.
class NoiseTable {
 public:
  explicit NoiseTable(std::span<const std::uint64_t> counts);

  std::uint32_t draw(std::uint64_t bits) const noexcept {
    // The upper half chooses the slot by multiplication, the lower half the word.
    const auto slot = static_cast<std::size_t>((bits >> 32) * slots_.size() >> 32);
    const auto low = static_cast<std::uint32_t>(bits);
    return low < slots_[slot].threshold ? static_cast<std::uint32_t>(slot) : slots_[slot].alias;
  }

  // The probabilities that draw() has, given that every slot is as likely. For tests.
  std::vector<double> probabilities() const;

 private:
  struct Slot {
    std::uint64_t threshold;  // of 2^32
    std::uint32_t alias;
  };
  std::vector<Slot> slots_;
};

// For each word the chance of 2^32 that an occurrence is kept: sqrt(sample / f) + sample / f of its
// relative frequency f, at most all (Mikolov's word2vec.c; the paper has the first term alone).
std::vector<std::uint64_t> keep_thresholds(std::span<const std::uint64_t> counts, double sample);

// The stream of random_bits.h as a sequence.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : seed_(seed) {}
  std::uint64_t bits() noexcept { return random_bits(seed_, drawn_++); }
  // Uniform in 0 .. bound - 1, for a bound below 2^32.
  std::size_t below(std::size_t bound) noexcept {
    return static_cast<std::size_t>((bits() >> 32) * bound >> 32);
  }

 private:
  std::uint64_t seed_, drawn_ = 0;
};

}  // namespace glassgpt::word2vec
