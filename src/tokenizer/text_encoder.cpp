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
  look_up(next_waiting_ - first_waiting_);
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
  if (next_waiting_ - first_waiting_ == kWaiting) look_up(kWaiting / 2);
  Waiting& waiting = waiting_[next_waiting_++ % kWaiting];
  waiting.bytes = {begin, static_cast<std::size_t>(end - begin)};
  waiting.is_piece = is_piece;
  if (waiting.is_short()) {
    waiting.key = key_of(begin, waiting.bytes.size(), text_end);
    if (!is_piece) waiting.key = waiting.key.as_part();
    waiting.line = cache_.line_of(waiting.key);
    __builtin_prefetch(waiting.line);
  } else {
    const bool fits = is_piece && waiting.bytes.size() <= PieceCache::LongEntry::kMaxBytes;
    waiting.entry = fits ? cache_.long_entry(waiting.bytes) : nullptr;
    if (fits) __builtin_prefetch(waiting.entry);
  }
}

// Looks up the first `count` that wait.
void TextEncoder::look_up(std::size_t count) {
  make_room(count * PieceCache::kMaxTokens);
  for (const std::size_t end = first_waiting_ + count; first_waiting_ < end; ++first_waiting_) {
    const Waiting& waiting = waiting_[first_waiting_ % kWaiting];
    if (waiting.is_short()) {
      const std::size_t known = PieceCache::find(*waiting.line, waiting.key, ids_.data() + used_);
      used_ += known;
      if (known != 0) continue;
      add_new(waiting);
    } else {
      look_up_long(waiting);
    }
    make_room((end - first_waiting_) * PieceCache::kMaxTokens);
  }
}

void TextEncoder::look_up_long(const Waiting& waiting) {
  if (waiting.entry != nullptr) {
    const std::span<const TokenId> known = waiting.entry->find(waiting.bytes);
    if (!known.empty()) return append(known);
  }
  add_new(waiting);
}

void TextEncoder::add_new(const Waiting& waiting) {
  new_ids_.clear();
  merge(waiting);
  append(new_ids_);
  if (waiting.is_short()) {
    if (new_ids_.size() <= PieceCache::kMaxTokens) {
      PieceCache::insert(*waiting.line, waiting.key, new_ids_);
    }
  } else if (waiting.entry != nullptr && new_ids_.size() <= PieceCache::LongEntry::kMaxTokens) {
    waiting.entry->set(waiting.bytes, new_ids_);
  }
}

void TextEncoder::append(std::span<const TokenId> ids) {
  make_room(ids.size());
  std::copy(ids.begin(), ids.end(), ids_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ += ids.size();
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
