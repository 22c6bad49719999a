#include "kernels/streaming.h"

#include <omp.h>
#include <unistd.h>

#include <atomic>

namespace glassgpt::kernels {
namespace {

std::size_t quarter_of_last_cache() noexcept {
  constexpr std::size_t kOtherwise = std::size_t{32} << 20;  // where the system does not say
  const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return (bytes > 0 ? static_cast<std::size_t>(bytes) : kOtherwise) / 4;
}

std::atomic<std::size_t>& threshold() noexcept {
  static std::atomic<std::size_t> bytes = quarter_of_last_cache();
  return bytes;
}

}  // namespace

bool outgrows_caches(std::size_t bytes) noexcept {
  const auto threads = static_cast<std::size_t>(omp_get_num_threads());
  return bytes >= streaming_threshold() / threads;
}

std::size_t streaming_threshold() noexcept { return threshold().load(std::memory_order_relaxed); }
void set_streaming_threshold(std::size_t bytes) noexcept {
  threshold().store(bytes, std::memory_order_relaxed);
}

}  // namespace glassgpt::kernels
