#include "tokenizer/piece_cache.h"

#include <sys/mman.h>

#include <memory>
#include <new>

namespace glassgpt::tokenizer {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

PieceCache::PieceCache() {
  constexpr std::size_t kBytes = sizeof(Line) << kLineBits;
  std::size_t space = kBytes + kHugePage;
  memory_ = mmap(nullptr, space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) throw std::bad_alloc();
  void* start = memory_;
  lines_ = static_cast<Line*>(std::align(kHugePage, kBytes, start, space));
  // Pieces lie anywhere in it: with small pages, half of them would miss the page table's cache.
  madvise(lines_, kBytes, MADV_HUGEPAGE);
}

PieceCache::~PieceCache() { munmap(memory_, (sizeof(Line) << kLineBits) + kHugePage); }

void PieceCache::insert(PieceKey key, std::span<const TokenId> ids) noexcept {
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
