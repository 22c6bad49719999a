// A 64-bit hash to recognise data by, and to draw from: not against an adversary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace glassgpt::training {

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of x reaches every bit of the
// result.
inline std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// Of a sequence of numbers and strings, in their order.
class Hasher {
 public:
  Hasher& add(std::uint64_t number) noexcept {
    state_ = mix(state_ ^ number);
    return *this;
  }
  Hasher& add_bytes(const void* data, std::size_t size) noexcept {
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes + at, 8);
      add(word);
    }
    std::uint64_t rest = 0;
    if (at < size) std::memcpy(&rest, bytes + at, size - at);
    return add(rest).add(size);
  }
  Hasher& add(std::string_view text) noexcept { return add_bytes(text.data(), text.size()); }
  std::uint64_t value() const noexcept { return state_; }

 private:
  std::uint64_t state_ = 0;
};

}  // namespace glassgpt::training
