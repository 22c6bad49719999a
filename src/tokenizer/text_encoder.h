// From texts to ids: splits, remembers the tokens of short pieces, and merges the others.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/parts.h"
#include "tokenizer/piece_cache.h"

namespace glassgpt::tokenizer {

// For one call of encode() on one thread.
class TextEncoder {
 public:
  // `bytes`: about how much text will come.
  TextEncoder(const Tokenizer::Parts& parts, std::size_t bytes);

  // Ordinary text that is split by itself, all of whose bytes have a token.
  void add_text(std::string_view text);
  void add_token(TokenId id);

  // The ids of all that was added.
  std::vector<TokenId> take();

 private:
  // Pieces, and parts of long pieces, that wait, in order, for the cache's memory to arrive.
  struct Waiting {
    std::string_view bytes;
    PieceKey key;  // of a short one
    PieceCache::Line* line;
    PieceCache::LongEntry* entry;  // of a longer one; null if it is too long for the cache, too
    bool is_piece;

    bool is_short() const noexcept { return bytes.size() <= PieceKey::kMaxBytes; }
  };

  template <SplitPattern kPattern>
  void add_pieces(std::string_view text);
  void add_piece(const char* begin, const char* end, const char* text_end);
  bool add_parts(const char* begin, const char* end, const char* text_end);
  void wait_for(const char* begin, const char* end, const char* text_end, bool is_piece);
  void look_up(std::size_t count);
  void look_up_long(const Waiting& waiting);
  void add_new(const Waiting& waiting);
  void merge(const Waiting& waiting);
  void append(std::span<const TokenId> ids);
  void make_room(std::size_t tokens);
  void grow(std::size_t tokens);

  const Tokenizer::Parts& parts_;
  PieceCache& cache_;
  std::vector<TokenId> ids_;  // as long as there is room; used_ of them are meant
  std::size_t used_ = 0;
  std::vector<TokenId> new_ids_;

  static constexpr std::ptrdiff_t kMinCut = 6;  // bytes: two characters
  // A ring. The older half is looked up when it is full: its memory has had time to come.
  static constexpr std::size_t kWaiting = 64;
  std::array<Waiting, kWaiting> waiting_;
  std::size_t first_waiting_ = 0, next_waiting_ = 0;  // counted on and on
};

}  // namespace glassgpt::tokenizer
