// Where a piece may be cut, because no token reaches across.
//
// If no token that merging can make has these bytes before and those behind a place, then nothing
// merges across it, and the two sides are merged by themselves. Scripts without blanks (Chinese,
// Japanese, Thai) make long pieces, no two alike; cut between their characters they are short parts
// that a cache knows.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/unicode.h"

namespace glassgpt::tokenizer {

// Speaks of wide characters: those of three bytes. Immutable once filled.
class TokenBoundaries {
 public:
  TokenBoundaries();

  void add_token(std::string_view bytes);

  // Characters of three bytes begin with one of these.
  static bool is_lead(char byte) noexcept { return (static_cast<unsigned char>(byte) >> 4) == 0xE; }

  // What there is to know of three bytes: their class, and what a token may have before a place
  // where they end, and behind a place where they begin.
  class Wide {
   public:
    // Whether they have the form of a wide character.
    bool is_whole() const noexcept { return (facts_ & kWhole) != 0; }
    // Whether they are one. Otherwise each byte stands for itself.
    bool is_valid() const noexcept { return (facts_ & kValid) != 0; }
    CharClass kind() const noexcept { return static_cast<CharClass>(facts_ >> kClassShift & 7); }

   private:
    friend class TokenBoundaries;
    std::uint32_t facts_ = 0, index_ = 0;
  };

  // The three bytes at `at`.
  Wide wide_at(const char* at) const noexcept {
    const auto byte = [at](int i) { return std::uint32_t{static_cast<unsigned char>(at[i])}; };
    Wide wide;
    wide.index_ = (byte(0) & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
    const bool is_whole = ((byte(0) << 16 | byte(1) << 8 | byte(2)) & 0xF0C0C0) == 0xE08080;
    wide.facts_ = is_whole ? facts_[wide.index_] : 0;
    return wide;
  }

  // Whether a token may reach across the place between two whole wide characters. False is certain.
  bool may_span(Wide before, Wide behind) const noexcept {
    // It may only if the two have a shape in common, and the filter has what the shape says of
    // them. Most have none in common, or one or two; how many is as good as random, so two are
    // asked for without a branch.
    std::uint32_t shapes = before.facts_ & behind.facts_ >> kBehindShift & kAllShapes;
    const std::uint32_t characters = before.index_ << 16 | behind.index_;
    if (shapes == 0) return false;
    const auto first = static_cast<unsigned>(std::countr_zero(shapes));
    const auto last = static_cast<unsigned>(31 - std::countl_zero(shapes));
    const bool spans = (filter_bit(characters, first) | filter_bit(characters, last)) != 0;
    shapes &= ~(1u << first | 1u << last);
    return shapes == 0 || spans ? spans : filter_has_any(characters, shapes);
  }

 private:
  static constexpr std::size_t kCharacter = 3;  // bytes
  static constexpr int kFilterBits = 19;

  // Wide's facts: shapes before a place, shapes behind it, the class.
  static constexpr int kShapes = 9;
  static constexpr std::uint32_t kAllShapes = (1u << kShapes) - 1;
  static constexpr int kBehindShift = kShapes, kClassShift = 2 * kShapes;
  static constexpr std::uint32_t kWhole = 1u << (kClassShift + 3), kValid = kWhole << 1;

  // What a token has around a place: 1 to 3 bytes before it and as many behind it. Fewer than three
  // are all that the token has there. The pair of numbers is the context's shape.
  static constexpr unsigned shape_of(std::size_t before, std::size_t behind) noexcept {
    return static_cast<unsigned>((before - 1) * 3 + behind - 1);
  }
  // Which bits of two characters' indices a shape has: the last bytes of the one before and the
  // first ones of the one behind.
  static constexpr std::array<std::uint32_t, kShapes> kMasks = [] {
    constexpr std::uint32_t kLast[] = {0x3F, 0xFFF, 0xFFFF}, kFirst[] = {0xF000, 0xFFC0, 0xFFFF};
    std::array<std::uint32_t, kShapes> masks{};
    for (std::size_t i = 0; i < kShapes; ++i) masks[i] = kLast[i / 3] << 16 | kFirst[i % 3];
    return masks;
  }();

  // Where the filter keeps a context.
  static std::size_t filter_place(std::uint32_t characters, unsigned shape) noexcept {
    const std::uint64_t context = std::uint64_t{shape + 1} << 32 | (characters & kMasks[shape]);
    return context * 0x9E3779B97F4A7C15 >> (64 - kFilterBits);
  }
  std::uint32_t filter_bit(std::uint32_t characters, unsigned shape) const noexcept {
    const std::size_t place = filter_place(characters, shape);
    return filter_[place / 32] >> (place % 32) & 1;
  }
  bool filter_has_any(std::uint32_t characters, std::uint32_t shapes) const noexcept;

  void note_before(std::uint32_t index, std::size_t bytes, std::uint32_t shape);
  void note_behind(std::uint32_t index, std::size_t bytes, std::uint32_t shape);

  std::vector<std::uint32_t> facts_;   // by index: the code point
  std::vector<std::uint32_t> filter_;  // a bit per hash value of a context
};

}  // namespace glassgpt::tokenizer
