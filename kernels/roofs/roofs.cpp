#include "kernels/roofs/roofs.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <string_view>

#include "kernels/built_isas.h"
#include "kernels/dispatch.h"

namespace glassgpt::kernels {

#define GLASSGPT_DECLARE_PROBE(name) extern const RoofProbe roof_probe_##name;
GLASSGPT_FOR_EACH_ISA(GLASSGPT_DECLARE_PROBE)
#undef GLASSGPT_DECLARE_PROBE

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// A roof is the best of several tries: whatever disturbs the machine makes it lower, nothing makes
// it higher.
double least_seconds(const std::function<void()>& work) {
  constexpr int kTries = 12;
  double least = seconds_of(work);
  for (int i = 1; i < kTries; ++i) least = std::min(least, seconds_of(work));
  return least;
}

std::size_t cache_bytes(int name, std::size_t otherwise) {
  const long bytes = sysconf(name);
  return bytes > 0 ? static_cast<std::size_t>(bytes) : otherwise;
}

double measure_gflops(const RoofProbe& probe, int threads) {
  // About 5 ms, so that a measurement fits between two interruptions.
  const double scalar_rate = 4e9;
  const auto iterations = static_cast<std::size_t>(5e-3 * scalar_rate / 24);
  volatile float sink = 0;
  const double seconds = least_seconds([&] {
#pragma omp parallel num_threads(threads)
    {
      const float sum = probe.multiply_add(iterations);
#pragma omp critical
      sink = sum;
    }
  });
  return probe.flops_per_iteration * static_cast<double>(iterations) * threads / seconds * 1e-9;
}

// Every thread goes `rounds` times over `floats` floats of its own.
double measure_gbps(const RoofProbe& probe, int threads, std::size_t floats, bool copies) {
  const std::size_t rounds = std::max<std::size_t>(std::size_t{1} << 22, floats) / floats;
  std::vector<std::vector<float>> from(static_cast<std::size_t>(threads)), to(from.size());
#pragma omp parallel num_threads(threads)
  {
    const auto own = static_cast<std::size_t>(omp_get_thread_num());
    from[own].assign(floats, 1.0f);
    if (copies) to[own].assign(floats, 0.0f);
  }
  volatile float sink = 0;
  const double seconds = least_seconds([&] {
#pragma omp parallel num_threads(threads)
    {
      const auto own = static_cast<std::size_t>(omp_get_thread_num());
      for (std::size_t round = 0; round < rounds; ++round) {
        if (copies)
          probe.copy(from[own].data(), to[own].data(), floats);
        else
          sink = probe.read(from[own].data(), floats);
      }
    }
  });
  const double bytes = static_cast<double>(floats * rounds * sizeof(float)) * threads;
  return bytes * (copies ? 2 : 1) / seconds * 1e-9;
}

std::vector<MemoryLevel> memory_levels() {
  return {{"L1", cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 * 1024), {}, {}},
          {"L2", cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 * 1024), {}, {}},
          {"L3", last_cache_bytes(), {}, {}},
          {"memory", ~std::size_t{0}, {}, {}}};
}

// Floats per thread and array that surely lie in the level and not in the one below. A last cache
// that other machines share may have little left: four times the cache below it must do.
std::size_t probe_floats(const std::vector<MemoryLevel>& levels, const MemoryLevel& level,
                         int threads, bool copies) {
  std::size_t bytes = level.bytes / 2;
  if (level.name == "L3") bytes = 4 * levels[1].bytes;
  if (level.name == "memory") bytes = 4 * last_cache_bytes() / static_cast<std::size_t>(threads);
  if (copies) bytes /= 2;
  return std::max<std::size_t>(bytes / sizeof(float) / 128, 1) * 128;
}

}  // namespace

// What Linux says of the cache that this core shares; on AMD's virtual machines the C library sums
// up caches that other machines use.
std::size_t last_cache_bytes() {
  std::ifstream size("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::size_t kibibytes = 0;
  char unit = 0;
  if (size >> kibibytes >> unit && unit == 'K' && kibibytes > 0) return kibibytes * 1024;
  return cache_bytes(_SC_LEVEL3_CACHE_SIZE, 32 * 1024 * 1024);
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
    for (const RoofProbe* probe : probes)
      roofs.gflops[{probe->isa, count}] = measure_gflops(*probe, count);
    for (MemoryLevel& level : roofs.memory) {
      level.read_gbps[count] = measure_gbps(*probes.back(), count,
                                            probe_floats(roofs.memory, level, count, false), false);
      level.copy_gbps[count] =
          measure_gbps(*probes.back(), count, probe_floats(roofs.memory, level, count, true), true);
    }
  }
  return roofs;
}

Roofs measure_quick_roofs(const std::string& isa, int threads) {
  Roofs roofs;
  roofs.memory = memory_levels();
  const std::vector<const RoofProbe*> probes = supported_probes();
  for (const RoofProbe* probe : probes)
    if (probe->isa == isa) roofs.gflops[{isa, threads}] = measure_gflops(*probe, threads);
  for (MemoryLevel& level : roofs.memory)
    level.read_gbps[threads] = measure_gbps(
        *probes.back(), threads, probe_floats(roofs.memory, level, threads, false), false);
  return roofs;
}

double Roofs::seconds(const std::string& isa, int threads, double flops, double bytes,
                      double working_set) const {
  double gbps = memory.back().read_gbps.at(threads);
  for (const MemoryLevel& level : memory) {
    if (working_set > static_cast<double>(level.bytes)) continue;
    gbps = level.read_gbps.at(threads);
    break;
  }
  return std::max(flops / gflops.at({isa, threads}), bytes / gbps) * 1e-9;
}

}  // namespace glassgpt::kernels
