// GPT-2's split for whole texts: 64 bytes at a time, with one bit per byte.
//
// Where a piece begins depends on a character's class, on its neighbours', and on nothing else,
// contractions apart:
//   a letter, number or symbol begins a piece unless the character before it is of its class, or is
//   a blank (U+0020); a space begins one if the character before it is no space, or if it is the
//   last space before other text.
// So the starts among 64 bytes are a few operations on bit masks. All bytes of a character carry
// its class.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace glassgpt::tokenizer {

class Gpt2Scanner {
 public:
  explicit Gpt2Scanner(std::string_view text) noexcept
      : at_(text.data()), end_(text.data() + text.size()) {}

  // Calls visit(begin, end) for each piece, in order.
  template <class Visit>
  void for_each_piece(Visit visit) {
    const char* piece = at_;
    while (at_ < end_) {
      const char* const base = at_;
      for (std::uint64_t starts = next_starts(); starts != 0; starts &= starts - 1) {
        const char* const start = base + std::countr_zero(starts);
        if (start != piece) visit(piece, start);
        piece = start;
      }
    }
    if (piece < end_) visit(piece, end_);
  }

 private:
  struct Masks {
    std::uint64_t letters, numbers, spaces, symbols, blanks, apostrophes, beyond_ascii;
  };
  // What the byte before the block was: bit 0 of each.
  struct Before {
    std::uint64_t letter = 0, number = 0, space = 0, symbol = 0, blank = 0;
  };

  // The starts among the bytes from at_ on, which then moves on by up to 64.
  std::uint64_t next_starts() noexcept;
  static Masks ascii_masks(const char* block) noexcept;
  std::uint32_t classify_beyond_ascii(Masks& masks, std::uint32_t length) const noexcept;
  bool is_space_or_end(const char* at) const noexcept;
  std::uint64_t first_bytes(std::uint64_t last, std::uint64_t beyond_ascii) const noexcept;
  void split_contractions(std::uint64_t& starts, std::uint64_t apostrophes,
                          std::uint32_t length) noexcept;

  const char* at_;
  const char* end_;
  Before before_;
  std::uint64_t forced_ = 0,
                barred_ = 0;  // starts in the next block that a contraction makes or prevents
};

}  // namespace glassgpt::tokenizer
