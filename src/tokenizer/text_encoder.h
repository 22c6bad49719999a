// From texts to ids: splits, remembers the tokens of short pieces, and merges the others.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/block_splitter.h"
#include "tokenizer/parts.h"
#include "tokenizer/piece_cache.h"

namespace glassgpt::tokenizer {

// For one call of encode() on one thread.
class TextEncoder {
 public:
  // `bytes`: how much text will come, or a guess.
  TextEncoder(const Tokenizer::Parts& parts, std::size_t bytes);

  // Ordinary text that is split by itself, all of whose bytes have a token.
  void add_text(std::string_view text);
  void add_token(TokenId id);

  // The ids of all that was added.
  std::vector<TokenId> take();

 private:
  // Pieces, one behind the other. Three short loops instead of one long one: where all begin; what
  // their keys are, and to ask for the cache's lines; and, while the next batch is filled and the
  // lines arrive, nothing. Then, what the lines say.
  struct Batch {
    static constexpr std::size_t kFull = 96;
    static constexpr std::size_t kRoom = kFull + kBlockRoom;

    std::array<const char*, kRoom + 1> begins;  // one more than pieces: the end of the last
    std::array<std::uint8_t, kRoom> is_part;    // 1: of a piece that is not looked up as a whole
    std::array<PieceKey, kRoom> keys;
    std::array<PieceCache::Line*, kRoom> lines;
    std::size_t count;
  };

  // A piece, or a part of one.
  struct Piece {
    std::string_view bytes;
    bool is_part;
    PieceKey key;  // these two of a short one
    PieceCache::Line* line;

    bool is_short() const noexcept { return bytes.size() <= PieceKey::kMaxBytes; }
  };

  template <SplitPattern kPattern>
  void add_pieces(const char* at);
  void start_batches(const char* at) noexcept;
  void finish_batch();
  void finish_batches();
  void read_keys(Batch& batch) const noexcept;
  void look_up(const Batch& batch);

  // Wide characters are those of three bytes (wide_text.cpp).
  template <SplitPattern kPattern>
  const char* add_wide_piece(const char* begin);
  template <class Accept>
  const char* add_parts(const char* at, const char* end, TokenBoundaries::Wide& before,
                        Accept accept);

  void add_new(const Piece& piece);
  void tokens_of(const Piece& piece, std::vector<TokenId>& ids) const;
  void append(std::span<const TokenId> ids);
  void make_room(std::size_t tokens);
  void flush();

  const Tokenizer::Parts& parts_;
  PieceCache& cache_;
  const SplitBlocksFn split_blocks_;
  const std::size_t bytes_;
  std::size_t bytes_before_ = 0;  // in texts that are done
  const char* text_ = nullptr;    // the text, how far about its ids are known, and its end
  const char* done_ = nullptr;
  const char* end_ = nullptr;

  // Ids gather in a small place that stays in the CPU's cache; the vector is written once.
  TokenId* const chunk_;
  TokenId* out_;
  std::vector<TokenId> ids_;
  std::vector<TokenId> new_ids_;

  Batch batches_[2];
  Batch* filling_ = &batches_[0];
  Batch* waiting_ = &batches_[1];
};

}  // namespace glassgpt::tokenizer
