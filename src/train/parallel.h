// Loops over chunks of rows, with sums that do not depend on threads.
#pragma once

#include <algorithm>
#include <cstddef>

#include "model/parallel.h"

namespace glassgpt::training {

// Rows are handled in chunks of a fixed size, small enough to stay in a core's cache from one
// operation to the next, and the same for any number of threads: sums over rows are sums of chunk
// sums, in the order of the chunks.
inline constexpr std::size_t kRowChunk = 64;

inline std::size_t row_chunks(std::size_t rows) noexcept {
  return (rows + kRowChunk - 1) / kRowChunk;
}

// work(chunk, first row, rows in the chunk).
template <class Work>
void for_row_chunks(std::size_t rows, int threads, const Work& work) {
  for_tasks(row_chunks(rows), threads, [&](std::size_t chunk, int) {
    const std::size_t begin = chunk * kRowChunk;
    work(chunk, begin, std::min(kRowChunk, rows - begin));
  });
}

}  // namespace glassgpt::training
