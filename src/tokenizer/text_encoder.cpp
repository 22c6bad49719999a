#include "tokenizer/text_encoder.h"

#include <algorithm>

#include "tokenizer/gpt2_scanner.h"
#include "tokenizer/split.h"

namespace glassgpt::tokenizer {

TextEncoder::TextEncoder(const Tokenizer::Parts& parts, std::size_t bytes)
    : parts_(parts), cache_(PieceCache::of_thread(parts.number)) {
  ids_.resize(bytes / 4 + 2 * PieceCache::kMaxTokens);
}

inline void TextEncoder::make_room(std::size_t tokens) {
  if (ids_.size() - used_ < tokens) grow(tokens);
}

void TextEncoder::grow(std::size_t tokens) {
  ids_.resize(std::max(used_ + tokens, ids_.size() * 3 / 2));
}

void TextEncoder::add_token(TokenId id) {
  make_room(1);
  ids_[used_++] = id;
}

std::vector<TokenId> TextEncoder::take() {
  ids_.resize(used_);
  return std::move(ids_);
}

void TextEncoder::add_text(std::string_view text) {
  switch (parts_.pattern) {
    case SplitPattern::kGpt2:
      Gpt2Scanner(text).for_each_piece(
          [this, text_end = text.data() + text.size()](const char* begin, const char* end) {
            add_piece(begin, end, text_end);
          });
      break;
    case SplitPattern::kCl100k:
      add_pieces<SplitPattern::kCl100k>(text);
      break;
    case SplitPattern::kO200k:
      add_pieces<SplitPattern::kO200k>(text);
      break;
  }
  flush();
}

template <SplitPattern kPattern>
void TextEncoder::add_pieces(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const char* const next =
        kPattern == SplitPattern::kCl100k ? cl100k_piece_end(at, end) : o200k_piece_end(at, end);
    add_piece(at, next, end);
    at = next;
  }
}

inline void TextEncoder::add_piece(const char* begin, const char* end, const char* text_end) {
  const auto length = static_cast<std::size_t>(end - begin);
  if (waiting_count_ == kWaiting) flush();
  Waiting& waiting = waiting_[waiting_count_++];
  waiting.piece = {begin, length};
  if (length > PieceCache::kMaxPiece) return;
  if (text_end - begin >= 16) {
    waiting.key = PieceCache::key_of(begin, length);
  } else {  // a key is made of 16 bytes, whatever is behind the piece
    char copy[16] = {};
    std::memcpy(copy, begin, length);
    waiting.key = PieceCache::key_of(copy, length);
  }
  cache_.prefetch(waiting.key);
}

void TextEncoder::flush() {
  make_room(kWaiting * PieceCache::kMaxTokens);
  for (std::size_t i = 0; i < waiting_count_; ++i) {
    const auto& [piece, key] = waiting_[i];
    const bool is_short = piece.size() <= PieceCache::kMaxPiece;
    const std::size_t count = is_short ? cache_.find(key, ids_.data() + used_) : 0;
    used_ += count;
    if (count == 0) {
      add_new_piece(piece, is_short ? &key : nullptr);
      make_room((waiting_count_ - i) * PieceCache::kMaxTokens);
    }
  }
  waiting_count_ = 0;
}

void TextEncoder::add_new_piece(std::string_view piece, const PieceCache::Key* key) {
  piece_ids_.clear();
  const TokenId whole = parts_.whole_piece_first ? parts_.vocabulary.find(piece) : kNoToken;
  if (whole != kNoToken) {
    piece_ids_.push_back(whole);
  } else {
    parts_.encoder.encode_piece(piece, piece_ids_);
  }
  make_room(piece_ids_.size());
  std::copy(piece_ids_.begin(), piece_ids_.end(),
            ids_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ += piece_ids_.size();
  if (key != nullptr && piece_ids_.size() <= PieceCache::kMaxTokens)
    cache_.insert(*key, piece_ids_);
}

}  // namespace glassgpt::tokenizer
