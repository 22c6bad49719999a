// The short pieces that are one token, known from the start: nine pieces out of ten.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tokenizer/definition.h"
#include "tokenizer/piece_key.h"

namespace glassgpt::tokenizer {

// An open-addressing hash table from key to id. Immutable once filled; shared by all threads.
class WholeTokens {
 public:
  // `tokens` at most.
  explicit WholeTokens(std::size_t tokens) {
    while (std::size_t{1} << bits_ < 2 * tokens) ++bits_;
    slots_.resize(std::size_t{1} << bits_);
  }

  // 1 to PieceKey::kMaxBytes bytes; the first id of the same bytes stays.
  void add(std::string_view bytes, TokenId id) {
    char copy[16] = {};
    std::memcpy(copy, bytes.data(), bytes.size());
    const PieceKey key = PieceKey::of(copy, bytes.size());
    Slot& slot = slots_[slot_of(key)];
    if (slot.id == kNoToken) slot = {key, id};
  }

  TokenId find(PieceKey key) const noexcept { return slots_[slot_of(key)].id; }

 private:
  struct Slot {
    PieceKey key{};
    TokenId id = kNoToken;
  };

  std::size_t slot_of(PieceKey key) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = key.hash() >> (64 - bits_);
    while (slots_[slot].id != kNoToken && !(slots_[slot].key == key)) slot = (slot + 1) & mask;
    return slot;
  }

  int bits_ = 4;
  std::vector<Slot> slots_;
};

}  // namespace glassgpt::tokenizer
