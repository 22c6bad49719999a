// Splitting work among OpenMP threads so that no byte depends on their number.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>

namespace glassgpt {

// f(begin, end) for ranges that cover 0 .. rows; f must treat each row by itself. Work below what
// starting the threads costs stays on the calling one.
template <class F>
void for_row_ranges(std::size_t rows, std::size_t cols, int threads, const F& f) {
  constexpr std::size_t kSmallestShare = 8192;  // floats per thread: some microseconds of work
  const std::size_t shares =
      std::min(static_cast<std::size_t>(threads), rows * cols / kSmallestShare);
  if (shares <= 1) {
    if (rows > 0) f(std::size_t{0}, rows);
    return;
  }
#pragma omp parallel for num_threads(static_cast <int>(shares)) schedule(static)
  for (std::size_t share = 0; share < shares; ++share)
    f(rows * share / shares, rows * (share + 1) / shares);
}

// f(task, thread) for each task, in any order.
template <class F>
void for_tasks(std::size_t tasks, int threads, const F& f) {
  if (threads <= 1 || tasks <= 1) {
    for (std::size_t task = 0; task < tasks; ++task) f(task, 0);
    return;
  }
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (std::size_t task = 0; task < tasks; ++task) f(task, omp_get_thread_num());
}

}  // namespace glassgpt
