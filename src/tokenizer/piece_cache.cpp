#include "tokenizer/piece_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>

namespace glassgpt::tokenizer {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

PieceCache::PieceCache() {
  void* start = memory_ = mmap(nullptr, kAllBytes + kHugePage, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) throw std::bad_alloc();
  std::size_t space = kAllBytes + kHugePage;
  std::align(kHugePage, kAllBytes, start, space);
  lines_ = static_cast<Line*>(start);
  long_entries_ = reinterpret_cast<LongEntry*>(lines_ + (std::size_t{1} << kLineBits));
  // Pieces lie anywhere in it: with small pages, half of them would miss the page table's cache.
  madvise(start, kAllBytes, MADV_HUGEPAGE);
}

PieceCache::~PieceCache() { munmap(memory_, kAllBytes + kHugePage); }

void PieceCache::insert(Line& line, PieceKey key, std::span<const TokenId> ids) noexcept {
  line[1] = line[0];
  line[0].key = key;
  for (std::size_t i = 0; i < kMaxTokens; ++i) line[0].ids[i] = i < ids.size() ? ids[i] : 0;
  line[0].ids[0] |= static_cast<TokenId>(ids.size()) << kCountShift;
}

void PieceCache::LongEntry::set(std::string_view piece, std::span<const TokenId> tokens) noexcept {
  std::copy(piece.begin(), piece.end(), bytes.begin());
  std::copy(tokens.begin(), tokens.end(), ids.begin());
  length = static_cast<std::uint8_t>(piece.size());
  count = static_cast<std::uint8_t>(tokens.size());
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
