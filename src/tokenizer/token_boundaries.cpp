#include "tokenizer/token_boundaries.h"

#include <algorithm>

namespace glassgpt::tokenizer {

TokenBoundaries::TokenBoundaries()
    : before_(0x10000), behind_(0x10000), filter_((std::size_t{1} << kFilterBits) / 64) {}

void TokenBoundaries::add_token(std::string_view bytes) {
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    if (!is_lead(bytes[at])) continue;
    const char* const place = bytes.data() + at;
    const std::size_t before = std::min(at, kCharacter);
    const std::size_t behind = std::min(bytes.size() - at, kCharacter);
    const std::uint64_t bit = hash_pair(context(place, before, behind)) >> (64 - kFilterBits);
    filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
    const unsigned shape = 1u << ((before - 1) * 3 + behind - 1);
    note_before(place, before, shape);
    note_behind(place, behind, shape);
  }
}

// All characters that end with the `bytes` bytes before the place.
void TokenBoundaries::note_before(const char* place, std::size_t bytes, unsigned shape) {
  std::size_t low = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    low |= static_cast<std::size_t>(place[-1 - static_cast<std::ptrdiff_t>(i)] & (i == 2 ? 15 : 63))
           << (6 * i);
  }
  const std::size_t step = std::size_t{1} << (6 * bytes);
  for (std::size_t character = low; character < before_.size(); character += step) {
    before_[character] = static_cast<std::uint16_t>(before_[character] | shape);
  }
}

// All characters that begin with the `bytes` bytes behind the place.
void TokenBoundaries::note_behind(const char* place, std::size_t bytes, unsigned shape) {
  std::size_t high = static_cast<std::size_t>(place[0] & 15);
  for (std::size_t i = 1; i < bytes; ++i)
    high = high << 6 | static_cast<std::size_t>(place[i] & 63);
  const std::size_t count = std::size_t{1} << (6 * (kCharacter - bytes));
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t& shapes = behind_[high * count + i];
    shapes = static_cast<std::uint16_t>(shapes | shape);
  }
}

}  // namespace glassgpt::tokenizer
