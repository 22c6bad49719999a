#include "tokenizer/text_encoder.h"

#include <algorithm>

#include "tokenizer/block_splitter.h"

namespace glassgpt::tokenizer {
namespace {

PieceKey key_of(const char* begin, std::size_t length, const char* text_end) noexcept {
  if (text_end - begin >= 16) return PieceKey::of(begin, length);
  char copy[16] = {};  // a key reads 16 bytes, whatever is behind the piece
  std::memcpy(copy, begin, length);
  return PieceKey::of(copy, length);
}

}  // namespace

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
      add_pieces<SplitPattern::kGpt2>(text);
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
  for_each_piece<kPattern>(
      text, [this, text_end = text.data() + text.size()](const char* begin, const char* end) {
        add_piece(begin, end, text_end);
      });
}

inline void TextEncoder::add_piece(const char* begin, const char* end, const char* text_end) {
  // Words of scripts without blanks are hardly ever met again as a whole.
  const bool is_wide = static_cast<unsigned char>(begin[end - begin > 1 ? 1 : 0]) >= 0x80;
  if (is_wide && end - begin >= kMinCut && add_parts(begin, end, text_end)) return;
  wait_for(begin, end, text_end, true);
}

// Cuts the piece where no token reaches across; false, and nothing is done, if there is no such
// place.
bool TextEncoder::add_parts(const char* begin, const char* end, const char* text_end) {
  const char* part = begin;
  for (const char* at = begin; end - at >= 6;) {
    if (!TokenBoundaries::is_lead(at[0])) {
      ++at;
      continue;
    }
    at += 3;
    if (!TokenBoundaries::is_lead(at[0]) || parts_.boundaries.may_span(at - 3)) continue;
    wait_for(part, at, text_end, false);
    part = at;
  }
  if (part == begin) return false;
  wait_for(part, end, text_end, false);
  return true;
}

inline void TextEncoder::wait_for(const char* begin, const char* end, const char* text_end,
                                  bool is_piece) {
  const auto length = static_cast<std::size_t>(end - begin);
  if (waiting_count_ == kWaiting) flush();
  Waiting& waiting = waiting_[waiting_count_++];
  waiting.bytes = {begin, length};
  waiting.is_piece = is_piece;
  if (length > PieceKey::kMaxBytes) return;
  waiting.key = key_of(begin, length, text_end);
  if (!is_piece) waiting.key = waiting.key.as_part();
  cache_.prefetch(waiting.key);
}

void TextEncoder::flush() {
  make_room(kWaiting * PieceCache::kMaxTokens);
  for (std::size_t i = 0; i < waiting_count_; ++i) {
    const Waiting& waiting = waiting_[i];
    const bool is_short = waiting.bytes.size() <= PieceKey::kMaxBytes;
    const std::size_t count = is_short ? cache_.find(waiting.key, ids_.data() + used_) : 0;
    used_ += count;
    if (count == 0) {
      add_new(waiting);
      make_room((waiting_count_ - i) * PieceCache::kMaxTokens);
    }
  }
  waiting_count_ = 0;
}

void TextEncoder::add_new(const Waiting& waiting) {
  new_ids_.clear();
  merge(waiting);
  make_room(new_ids_.size());
  std::copy(new_ids_.begin(), new_ids_.end(), ids_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ += new_ids_.size();
  if (waiting.bytes.size() <= PieceKey::kMaxBytes && new_ids_.size() <= PieceCache::kMaxTokens) {
    cache_.insert(waiting.key, new_ids_);
  }
}

void TextEncoder::merge(const Waiting& waiting) {
  if (waiting.is_piece) {
    const TokenId whole = parts_.whole_token(waiting.bytes, waiting.key);
    if (whole != kNoToken) {
      new_ids_.push_back(whole);
      return;
    }
  }
  parts_.encoder.encode_piece(waiting.bytes, new_ids_);
}

}  // namespace glassgpt::tokenizer
