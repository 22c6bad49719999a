// A 64-bit hash to recognise data by, and to draw from: not against an adversary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "model/random_bits.h"

namespace glassgpt::training {

// Of a sequence of numbers and strings, in their order.
class Hasher {
 public:
  Hasher& add(std::uint64_t number) noexcept {
    state_ = random_bits(state_ ^ number, 0);
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
