#include "kernels/roofs/roofs.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>

#include "kernels/built_isas.h"
#include "kernels/dispatch.h"
#include "kernels/gemm/gemm.h"

namespace glassgpt::kernels {

#define GLASSGPT_DECLARE_PROBE(name) extern const RoofProbe roof_probe_##name;
GLASSGPT_FOR_EACH_ISA(GLASSGPT_DECLARE_PROBE)
#undef GLASSGPT_DECLARE_PROBE

namespace {

constexpr std::size_t kPageFloats = 4096 / sizeof(float);

// Seconds that `work(thread)` takes on all of `threads` threads at once: every thread times itself
// behind a barrier, so that starting and joining them is not counted, and the slowest counts. The
// least of several tries: whatever disturbs the machine makes a roof lower, nothing makes it
// higher.
double least_seconds(int threads, int tries, const std::function<void(std::size_t)>& work) {
  using Clock = std::chrono::steady_clock;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < tries; ++i) {
    double slowest = 0;
#pragma omp parallel num_threads(threads) reduction(max : slowest)
    {
      const auto own = static_cast<std::size_t>(omp_get_thread_num());
#pragma omp barrier
      const auto begin = Clock::now();
      work(own);
      slowest = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    least = std::min(least, slowest);
  }
  return least;
}

// A millisecond or so, so that a try fits between two interruptions; and many of them.
constexpr int kShortTries = 48;
constexpr int kMemoryTries = 12;

std::size_t cache_bytes(int name, std::size_t otherwise) {
  const long bytes = sysconf(name);
  return bytes > 0 ? static_cast<std::size_t>(bytes) : otherwise;
}

double measure_gflops(float (*loop)(std::size_t) noexcept, double flops_per_iteration,
                      int threads) {
  constexpr std::size_t kIterations = 250'000;  // of 12 cycles each on one of the machines at hand
  std::vector<float> sums(static_cast<std::size_t>(threads) * kPageFloats);
  const double seconds = least_seconds(
      threads, kShortTries, [&](std::size_t own) { sums[own * kPageFloats] = loop(kIterations); });
  return flops_per_iteration * static_cast<double>(kIterations) * threads / seconds * 1e-9;
}

// An array to read and one to write, both at the beginning of a page: loads never seem to wait for
// stores that agree with them in the lower bits of their addresses.
class Stream {
 public:
  explicit Stream(std::size_t floats)
      : stride_((floats + kPageFloats - 1) / kPageFloats * kPageFloats) {
    float* memory = buffer_.reserve(2 * stride_ + kPageFloats);
    const std::size_t page = sizeof(float) * kPageFloats;
    const std::size_t past = reinterpret_cast<std::uintptr_t>(memory) % page;
    from_ = memory + (page - past) % page / sizeof(float);
    std::fill_n(from_, 2 * stride_, 1.0f);
  }
  const float* from() const { return from_; }
  float* to() const { return from_ + stride_; }

 private:
  std::size_t stride_;
  PackedBuffer buffer_;
  float* from_;
};

enum class Traffic { kRead, kCopy, kStreamingCopy, kUpdate };

// Every thread goes `rounds` times over `floats` floats of its own.
double measure_gbps(const RoofProbe& probe, int threads, std::size_t floats, Traffic traffic) {
  constexpr std::size_t kShort = std::size_t{1} << 20;  // floats in a try that the caches serve
  const std::size_t rounds = std::max(kShort, floats) / floats;
  std::vector<std::unique_ptr<Stream>> streams(static_cast<std::size_t>(threads));
#pragma omp parallel num_threads(threads)
  streams[static_cast<std::size_t>(omp_get_thread_num())] = std::make_unique<Stream>(floats);
  std::vector<float> sums(streams.size() * kPageFloats);
  const int tries = floats > kShort ? kMemoryTries : kShortTries;
  const double seconds = least_seconds(threads, tries, [&](std::size_t own) {
    const Stream& stream = *streams[own];
    for (std::size_t round = 0; round < rounds; ++round) {
      if (traffic == Traffic::kCopy)
        probe.copy(stream.from(), stream.to(), floats);
      else if (traffic == Traffic::kStreamingCopy)
        probe.streaming_copy(stream.from(), stream.to(), floats);
      else if (traffic == Traffic::kUpdate)
        probe.update(stream.to(), floats);
      else
        sums[own * kPageFloats] += probe.read(stream.from(), floats);
    }
  });
  const double bytes = static_cast<double>(floats * rounds * sizeof(float)) * threads;
  return bytes * (traffic == Traffic::kRead ? 1 : 2) / seconds * 1e-9;
}

std::vector<MemoryLevel> memory_levels() {
  return {{"L1", cache_bytes(_SC_LEVEL1_DCACHE_SIZE, std::size_t{32} * 1024), {}, {}, {}},
          {"L2", cache_bytes(_SC_LEVEL2_CACHE_SIZE, std::size_t{512} * 1024), {}, {}, {}},
          {"L3", last_cache_bytes(), {}, {}, {}},
          {"memory", ~std::size_t{0}, {}, {}, {}}};
}

// Floats per thread and array that surely lie in the level and not in the one below. A last cache
// that other machines share may have little left: four times the cache below it must do.
std::size_t probe_floats(const std::vector<MemoryLevel>& levels, const MemoryLevel& level,
                         int threads, Traffic traffic) {
  std::size_t bytes = level.bytes / 2;
  if (level.name == "L3") bytes = 4 * levels[1].bytes;
  if (level.name == "memory") bytes = 4 * last_cache_bytes() / static_cast<std::size_t>(threads);
  if (traffic == Traffic::kCopy || traffic == Traffic::kStreamingCopy) bytes /= 2;
  return std::max<std::size_t>(bytes / sizeof(float) / 128, 1) * 128;
}

void measure_arithmetic(const RoofProbe& probe, int threads, Roofs& roofs) {
  roofs.gflops[{probe.isa, threads}] =
      measure_gflops(probe.multiply_add, probe.flops_per_iteration, threads);
  if (probe.multiply_add_bf16 != nullptr)
    roofs.bf16_gflops[{probe.isa, threads}] =
        measure_gflops(probe.multiply_add_bf16, probe.bf16_flops_per_iteration, threads);
}

}  // namespace

// What Linux says of the cache that this core shares; on AMD's virtual machines the C library sums
// up caches that other machines use.
std::size_t last_cache_bytes() {
  std::ifstream size("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::size_t kibibytes = 0;
  char unit = 0;
  if (size >> kibibytes >> unit && unit == 'K' && kibibytes > 0) return kibibytes * 1024;
  return cache_bytes(_SC_LEVEL3_CACHE_SIZE, std::size_t{32} * 1024 * 1024);
}

std::vector<const RoofProbe*> supported_probes() {
#define GLASSGPT_PROBE_ADDRESS(name) &roof_probe_##name,
  const RoofProbe* const built[] = {GLASSGPT_FOR_EACH_ISA(GLASSGPT_PROBE_ADDRESS)};
#undef GLASSGPT_PROBE_ADDRESS
  std::vector<const RoofProbe*> probes;
  for (const KernelTable* table : supported_kernels())
    for (const RoofProbe* probe : built)
      if (std::string_view(probe->isa) == table->isa) probes.push_back(probe);
  return probes;
}

Roofs measure_roofs(const std::vector<int>& threads) {
  Roofs roofs;
  roofs.memory = memory_levels();
  const std::vector<const RoofProbe*> probes = supported_probes();
  for (const int count : threads) {
    for (const RoofProbe* probe : probes) measure_arithmetic(*probe, count, roofs);
    for (MemoryLevel& level : roofs.memory) {
      const auto measured = [&](Traffic traffic) {
        return measure_gbps(*probes.back(), count,
                            probe_floats(roofs.memory, level, count, traffic), traffic);
      };
      level.read_gbps[count] = measured(Traffic::kRead);
      level.copy_gbps[count] = measured(Traffic::kCopy);
      if (level.name == "memory")
        level.copy_gbps[count] =
            std::max(level.copy_gbps[count], measured(Traffic::kStreamingCopy));
      level.update_gbps[count] = measured(Traffic::kUpdate);
    }
  }
  return roofs;
}

Roofs measure_quick_roofs(const std::string& isa, int threads) {
  Roofs roofs;
  roofs.memory = memory_levels();
  const std::vector<const RoofProbe*> probes = supported_probes();
  for (const RoofProbe* probe : probes)
    if (probe->isa == isa) measure_arithmetic(*probe, threads, roofs);
  for (MemoryLevel& level : roofs.memory)
    level.read_gbps[threads] =
        measure_gbps(*probes.back(), threads,
                     probe_floats(roofs.memory, level, threads, Traffic::kRead), Traffic::kRead);
  return roofs;
}

double Roofs::peak(const std::string& isa, int threads, bool bf16) const {
  if (const auto found = bf16_gflops.find({isa, threads}); bf16 && found != bf16_gflops.end())
    return found->second;
  return gflops.at({isa, threads});
}

const MemoryLevel& Roofs::level(double working_set, int threads) const {
  for (std::size_t i = 0; i + 1 < memory.size(); ++i) {
    const bool shared = i + 2 == memory.size();
    const double share = shared ? working_set : working_set / threads;
    if (share <= static_cast<double>(memory[i].bytes)) return memory[i];
  }
  return memory.back();
}

double Roofs::seconds(const std::string& isa, int threads, const Work& work) const {
  const MemoryLevel& from = level(work.working_set, threads);
  const double read_alone = std::max(work.read_bytes - work.written_bytes, 0.0);
  const double both_ways = work.read_bytes + work.written_bytes - read_alone;
  double traffic = read_alone / from.read_gbps.at(threads);
  if (both_ways > 0)
    traffic += both_ways / (work.in_place ? from.update_gbps : from.copy_gbps).at(threads);
  return std::max(work.flops / peak(isa, threads, work.bf16), traffic) * 1e-9;
}

}  // namespace glassgpt::kernels
