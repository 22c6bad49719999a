#include "tokenizer/text_encoder.h"

#include <algorithm>

#include "tokenizer/huge_pages.h"

namespace glassgpt::tokenizer {
namespace {

SplitBlocksFn split_blocks_of(SplitPattern pattern) noexcept {
  switch (pattern) {
    case SplitPattern::kGpt2:
      return split_blocks_of<SplitPattern::kGpt2>(mask_isa());
    case SplitPattern::kCl100k:
      return split_blocks_of<SplitPattern::kCl100k>(mask_isa());
    case SplitPattern::kO200k:
      return split_blocks_of<SplitPattern::kO200k>(mask_isa());
  }
  return nullptr;
}

}  // namespace

TextEncoder::TextEncoder(const Tokenizer::Parts& parts, std::size_t bytes)
    : parts_(parts),
      cache_(PieceCache::of_thread(parts.number)),
      split_blocks_(split_blocks_of(parts.pattern)),
      bytes_(bytes),
      chunk_(cache_.chunk()),
      out_(chunk_) {}

void TextEncoder::add_token(TokenId id) {
  make_room(1);
  *out_++ = id;
}

std::vector<TokenId> TextEncoder::take() {
  flush();
  return std::move(ids_);
}

void TextEncoder::make_room(std::size_t tokens) {
  if (PieceCache::kChunkIds - static_cast<std::size_t>(out_ - chunk_) < tokens) flush();
}

void TextEncoder::flush() {
  const auto fresh = static_cast<std::size_t>(out_ - chunk_);
  if (ids_.capacity() - ids_.size() < fresh) {
    // The rest of the text will probably have as many tokens to a byte.
    const std::size_t need = ids_.size() + fresh;
    const std::size_t done = bytes_before_ + static_cast<std::size_t>(done_ - text_);
    const double left = done < bytes_ ? static_cast<double>(bytes_ - done) : 0.0;
    const double rate =
        static_cast<double>(need) / static_cast<double>(std::max<std::size_t>(done, 1));
    const auto guess = static_cast<std::size_t>(std::min(rate * 1.05, 1.0) * left);
    const bool is_first = ids_.empty();
    ids_.reserve(std::max(need + guess, is_first ? 0 : ids_.capacity() * 3 / 2));
    if (guess > kHugePage / sizeof(TokenId)) {
      prefer_huge_pages(ids_.data(), ids_.capacity() * sizeof(TokenId));
    }
  }
  ids_.insert(ids_.end(), chunk_, out_);
  out_ = chunk_;
}

void TextEncoder::append(std::span<const TokenId> ids) {
  if (ids.size() > PieceCache::kChunkIds / 2) {
    flush();
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    return;
  }
  make_room(ids.size());
  out_ = std::copy(ids.begin(), ids.end(), out_);
}

void TextEncoder::add_text(std::string_view text) {
  text_ = done_ = text.data();
  end_ = text_ + text.size();
  switch (parts_.pattern) {
    case SplitPattern::kGpt2:
      add_pieces<SplitPattern::kGpt2>(text_);
      break;
    case SplitPattern::kCl100k:
      add_pieces<SplitPattern::kCl100k>(text_);
      break;
    case SplitPattern::kO200k:
      add_pieces<SplitPattern::kO200k>(text_);
      break;
  }
  bytes_before_ += text.size();
  text_ = done_ = end_;
}

// A few bytes of a text may still have nobody to tell them apart: piece_end_of() does, one piece at
// a time.
template <SplitPattern kPattern>
void TextEncoder::add_pieces(const char* at) {
  start_batches(at);
  while (at < end_) {
    if (filling_->count >= Batch::kFull) finish_batch();
    const char** const behind = filling_->begins.data() + filling_->count + 1;
    if (may_begin_block(at, end_)) {
      const char** const last =
          split_blocks_(at, end_, behind, filling_->begins.data() + Batch::kFull);
      filling_->count += static_cast<std::size_t>(last - behind);
      if (last != behind) {
        at = last[-1];
        continue;
      }
    }
    if (end_ - at >= 4 && (TokenBoundaries::is_lead(at[0]) || TokenBoundaries::is_lead(at[1]))) {
      at = add_wide_piece<kPattern>(at);
      continue;
    }
    at = *behind = piece_end_of<kPattern>(at, end_);
    ++filling_->count;
  }
  finish_batches();
}

void TextEncoder::start_batches(const char* at) noexcept {
  filling_->begins[0] = at;
  filling_->count = waiting_->count = 0;
  filling_->is_part.fill(0);
}

void TextEncoder::finish_batch() {
  read_keys(*filling_);
  look_up(*waiting_);
  std::swap(filling_, waiting_);
  filling_->begins[0] = waiting_->begins[waiting_->count];
  filling_->count = 0;
  filling_->is_part.fill(0);
}

void TextEncoder::finish_batches() {
  finish_batch();
  look_up(*waiting_);
}

void TextEncoder::read_keys(Batch& batch) const noexcept {
  // A key reads 16 bytes, whatever is behind the piece.
  const bool all_inside = end_ - batch.begins[batch.count] >= 16;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const char* const begin = batch.begins[i];
    const auto length = static_cast<std::size_t>(batch.begins[i + 1] - begin);
    // A longer piece gets a key that no other has, and is not found.
    const std::size_t kept = std::min(length, PieceKey::kMaxBytes + 1);
    PieceKey key = all_inside ? PieceKey::of(begin, kept) : PieceKey::before(begin, kept, end_);
    key = key.as_part(batch.is_part[i]);
    batch.keys[i] = key;
    batch.lines[i] = cache_.line_of(key);
    __builtin_prefetch(batch.lines[i]);
  }
}

void TextEncoder::look_up(const Batch& batch) {
  if (batch.count == 0) return;
  done_ = batch.begins[0];
  make_room((Batch::kRoom + 1) * PieceCache::kMaxTokens);
  TokenId* out = out_;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const std::size_t known = PieceCache::find(*batch.lines[i], batch.keys[i], out);
    out += known;
    if (known != 0) continue;
    out_ = out;
    const char* const begin = batch.begins[i];
    add_new({{begin, static_cast<std::size_t>(batch.begins[i + 1] - begin)},
             batch.is_part[i] != 0,
             batch.keys[i],
             batch.lines[i]});
    make_room((Batch::kRoom + 1) * PieceCache::kMaxTokens);
    out = out_;
  }
  out_ = out;
}

// What the cache's line does not know.
void TextEncoder::add_new(const Piece& piece) {
  bool is_long = !piece.is_short();
  if (!is_long) {
    make_room(PieceCache::kMaxTokens);
    const std::size_t known = cache_.find_elsewhere(*piece.line, piece.key, out_, is_long);
    out_ += known;
    if (known != 0) return;
  }
  const bool fits = piece.bytes.size() <= PieceCache::LongEntry::kMaxBytes;
  PieceCache::LongEntry* entry = nullptr;
  if (is_long && fits) {
    entry = cache_.long_entry(piece.bytes);
    const std::span<const TokenId> known = entry->find(piece.bytes, piece.is_part);
    if (!known.empty()) return append(known);
  }
  new_ids_.clear();
  tokens_of(piece, new_ids_);
  append(new_ids_);
  if (piece.is_short() && !is_long) cache_.insert(*piece.line, piece.key, new_ids_);
  const bool is_many = is_long || new_ids_.size() > PieceCache::kMaxTokens;
  if (is_many && fits && new_ids_.size() <= PieceCache::LongEntry::kMaxTokens) {
    if (entry == nullptr) entry = cache_.long_entry(piece.bytes);
    entry->set(piece.bytes, piece.is_part, new_ids_);
  }
}

void TextEncoder::tokens_of(const Piece& piece, std::vector<TokenId>& ids) const {
  if (!piece.is_part) {
    const TokenId whole = parts_.whole_token(piece.bytes, piece.key);
    if (whole != kNoToken) {
      ids.push_back(whole);
      return;
    }
  }
  parts_.encoder.encode_piece(piece.bytes, ids);
}

}  // namespace glassgpt::tokenizer
