// Splitting work among OpenMP threads so that no byte depends on their number.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>

namespace glassgpt {

// As many threads as `operations` (elementary ones, of which a thread does some thousands in a
// microsecond) are worth, for starting them costs microseconds; at least one, at most `threads`.
inline int threads_worth(std::size_t operations, int threads) noexcept {
  constexpr std::size_t kSmallestShare = 8192;
  return static_cast<int>(
      std::clamp(operations / kSmallestShare, std::size_t{1}, static_cast<std::size_t>(threads)));
}

// f(begin, end) for ranges that cover 0 .. rows; f must treat each row by itself.
template <class F>
void for_row_ranges(std::size_t rows, std::size_t cols, int threads, const F& f) {
  const int shares = threads_worth(rows * cols, threads);
  if (shares == 1) {
    if (rows > 0) f(std::size_t{0}, rows);
    return;
  }
  const auto bound = [&](int share) {
    return rows * static_cast<std::size_t>(share) / static_cast<std::size_t>(shares);
  };
#pragma omp parallel for num_threads(shares) schedule(static)
  for (int share = 0; share < shares; ++share) f(bound(share), bound(share + 1));
}

// f(task, thread) for each task, in any order; thread < threads.
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
