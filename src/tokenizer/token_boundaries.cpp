#include "tokenizer/token_boundaries.h"

#include <algorithm>

namespace glassgpt::tokenizer {

TokenBoundaries::TokenBoundaries()
    : facts_(0x10000), filter_((std::size_t{1} << kFilterBits) / 32) {
  for (std::uint32_t i = 0; i < facts_.size(); ++i) {
    facts_[i] = kWhole;
    const bool is_valid = i >= 0x800 && (i < 0xD800 || i >= 0xE000);
    if (is_valid) facts_[i] |= kValid | static_cast<std::uint32_t>(char_class(i)) << kClassShift;
  }
}

// Bytes that continue no character are taken for some that do: more contexts than there are do no
// harm.
void TokenBoundaries::add_token(std::string_view bytes) {
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    if (!is_lead(bytes[at])) continue;
    const std::size_t before = std::min(at, kCharacter);
    const std::size_t behind = std::min(bytes.size() - at, kCharacter);
    const auto bits = [&](std::size_t place, int shift, unsigned mask) {
      return (static_cast<unsigned char>(bytes[place]) & mask) << shift;
    };
    std::uint32_t index_before = bits(at - 1, 0, 63);
    if (before > 1) index_before |= bits(at - 2, 6, 63);
    if (before > 2) index_before |= bits(at - 3, 12, 15);
    std::uint32_t index_behind = bits(at, 12, 15);
    if (behind > 1) index_behind |= bits(at + 1, 6, 63);
    if (behind > 2) index_behind |= bits(at + 2, 0, 63);
    const unsigned shape = shape_of(before, behind);
    const std::size_t place = filter_place(index_before << 16 | index_behind, shape);
    filter_[place / 32] |= 1u << (place % 32);
    note_before(index_before, before, 1u << shape);
    note_behind(index_behind, behind, 1u << shape << kBehindShift);
  }
}

// All characters that end with the last `bytes` bytes of this one.
void TokenBoundaries::note_before(std::uint32_t index, std::size_t bytes, std::uint32_t shape) {
  const std::size_t step = std::size_t{1} << (6 * bytes);
  for (std::size_t i = index; i < facts_.size(); i += step) facts_[i] |= shape;
}

// All characters that begin with the first `bytes` bytes of this one.
void TokenBoundaries::note_behind(std::uint32_t index, std::size_t bytes, std::uint32_t shape) {
  const std::size_t count = std::size_t{1} << (6 * (kCharacter - bytes));
  for (std::size_t i = index; i < index + count; ++i) facts_[i] |= shape;
}

bool TokenBoundaries::filter_has_any(std::uint32_t characters,
                                     std::uint32_t shapes) const noexcept {
  for (; shapes != 0; shapes &= shapes - 1) {
    if (filter_bit(characters, static_cast<unsigned>(std::countr_zero(shapes))) != 0) return true;
  }
  return false;
}

}  // namespace glassgpt::tokenizer
