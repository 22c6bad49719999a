// From texts to ids: splits, remembers the tokens of short pieces, and merges the others.
#pragma once

#include <array>
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
  // Pieces, and parts of long pieces, that wait, in order, for the cache's memory to arrive. The
  // key of what is longer than a key is not meant.
  struct Waiting {
    std::string_view bytes;
    PieceKey key;
    bool is_piece;
  };

  template <SplitPattern kPattern>
  void add_pieces(std::string_view text);
  void add_piece(const char* begin, const char* end, const char* text_end);
  bool add_parts(const char* begin, const char* end, const char* text_end);
  void wait_for(const char* begin, const char* end, const char* text_end, bool is_piece);
  void flush();
  void add_new(const Waiting& waiting);
  void merge(const Waiting& waiting);
  void make_room(std::size_t tokens);
  void grow(std::size_t tokens);

  const Tokenizer::Parts& parts_;
  PieceCache& cache_;
  std::vector<TokenId> ids_;  // as long as there is room; used_ of them are meant
  std::size_t used_ = 0;
  std::vector<TokenId> new_ids_;

  static constexpr std::ptrdiff_t kMinCut = 6;  // bytes: two characters
  static constexpr std::size_t kWaiting = 16;
  std::array<Waiting, kWaiting> waiting_;
  std::size_t waiting_count_ = 0;
};

}  // namespace glassgpt::tokenizer
