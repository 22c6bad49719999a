#include "tokenizer/piece_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "tokenizer/huge_pages.h"

namespace glassgpt::tokenizer {

PieceCache::PieceCache() {
  const std::size_t line_bytes = sizeof(Line) << kLineBits;
  const std::size_t long_bytes = sizeof(LongEntry) << kLongBits;
  const std::size_t all = line_bytes + long_bytes + kChunkIds * sizeof(TokenId);
  bytes_ = (all + kHugePage - 1) / kHugePage * kHugePage + kHugePage;
  memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) throw std::bad_alloc();
  void* start = memory_;
  std::size_t space = bytes_;
  std::align(kHugePage, all, start, space);
  prefer_huge_pages(start, space);
  char* at = static_cast<char*>(start);
  const auto take = [&at](std::size_t bytes) { return std::exchange(at, at + bytes); };
  lines_ = reinterpret_cast<Line*>(take(line_bytes));
  long_entries_ = reinterpret_cast<LongEntry*>(take(long_bytes));
  chunk_ = reinterpret_cast<TokenId*>(at);
}

PieceCache::~PieceCache() { munmap(memory_, bytes_); }

std::size_t PieceCache::find_elsewhere(Line& line, PieceKey key, TokenId* out,
                                       bool& is_long) noexcept {
  is_long = line[0].key == key || line[1].key == key;  // and find() found no ids there
  if (is_long || line[1].key == PieceKey{}) return 0;  // a line that is not full has lost nothing
  for (Entry& entry : neighbour(line)) {
    if (!(entry.key == key)) continue;
    std::swap(entry, line[1]);  // next time it is found at once
    const std::size_t count = copy(line[1], out);
    is_long = count == 0;
    return count;
  }
  return 0;
}

// The line's older entry goes on to the neighbour if there is an empty place.
void PieceCache::insert(Line& line, PieceKey key, std::span<const TokenId> ids) noexcept {
  const auto is_empty = [](const Entry& entry) { return entry.key == PieceKey{}; };
  if (!is_empty(line[1])) {
    Line& next = neighbour(line);
    for (Entry& entry : next) {
      if (!is_empty(entry)) continue;
      entry = line[1];
      break;
    }
  }
  line[1] = line[0];
  line[0].key = key;
  const std::size_t count = ids.size() <= kMaxTokens ? ids.size() : 0;
  for (std::size_t i = 0; i < kMaxTokens; ++i) line[0].ids[i] = i < count ? ids[i] : 0;
  line[0].ids[0] |= static_cast<TokenId>(count) << kCountShift;
}

void PieceCache::LongEntry::set(std::string_view piece, bool as_part,
                                std::span<const TokenId> tokens) noexcept {
  std::copy(piece.begin(), piece.end(), bytes.begin());
  std::copy(tokens.begin(), tokens.end(), ids.begin());
  length = static_cast<std::uint8_t>(piece.size());
  count = static_cast<std::uint8_t>(tokens.size());
  is_part = as_part;
}

PieceCache& PieceCache::of_thread(std::uint64_t tokenizer) {
  struct Owned {
    std::uint64_t tokenizer = ~std::uint64_t{0};
    std::unique_ptr<PieceCache> cache;
  };
  thread_local std::array<Owned, 4> caches;
  thread_local std::size_t next = 0;
  for (Owned& owned : caches) {
    if (owned.tokenizer == tokenizer) return *owned.cache;
  }
  Owned& owned = caches[next++ % caches.size()];
  owned.cache = std::make_unique<PieceCache>();
  owned.tokenizer = tokenizer;
  return *owned.cache;
}

}  // namespace glassgpt::tokenizer
