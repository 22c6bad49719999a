#include "tokenizer/piece_cache.h"

#include <cstdlib>
#include <new>

namespace glassgpt::tokenizer {

PieceCache::PieceCache() {
  constexpr std::size_t kBytes = sizeof(Line) << kLineBits;
  // calloc takes zeroed pages from the system as they are touched: a short text pays for a few.
  memory_.reset(std::calloc(kBytes + sizeof(Line), 1));
  if (memory_ == nullptr) throw std::bad_alloc();
  void* start = memory_.get();
  std::size_t space = kBytes + sizeof(Line);
  lines_ = static_cast<Line*>(std::align(sizeof(Line), kBytes, start, space));
}

void PieceCache::insert(Key key, std::span<const TokenId> ids) noexcept {
  Line& line = line_of(key);
  line[1] = line[0];
  line[0].key = key;
  for (std::size_t i = 0; i < kMaxTokens; ++i) line[0].ids[i] = i < ids.size() ? ids[i] : 0;
  line[0].ids[0] |= static_cast<TokenId>(ids.size()) << kCountShift;
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
