// Large memory that is touched all over: with small pages, half of the touches would miss the page
// table's cache, and each first touch of 4 KiB would ask the kernel.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace glassgpt::tokenizer {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Asks for huge pages where whole ones lie within the memory. A wish: nothing else changes.
inline void prefer_huge_pages(void* memory, std::size_t bytes) noexcept {
#if defined(MADV_HUGEPAGE)
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t last = (begin + bytes) / kHugePage * kHugePage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  static_cast<void>(memory), static_cast<void>(bytes);
#endif
}

}  // namespace glassgpt::tokenizer
