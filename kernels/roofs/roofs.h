// The machine's limits, measured at the start of the run that is held against them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/roofs/roof_probe.h"

namespace glassgpt::kernels {

// A level of the memory hierarchy: what fits in `bytes` per core (L3 and memory: in all) is read
// and copied this fast.
struct MemoryLevel {
  std::string name;  // "L1", "L2", "L3", "memory"
  std::size_t bytes;
  std::map<int, double> read_gbps, copy_gbps;  // by threads; a copy counts both directions
};

struct Roofs {
  std::map<std::pair<std::string, int>, double> gflops;  // by ISA and threads
  std::vector<MemoryLevel> memory;                       // smallest first

  // Seconds that `flops` and `bytes` take at least, the bytes coming from the level that holds
  // `working_set` bytes.
  double seconds(const std::string& isa, int threads, double flops, double bytes,
                 double working_set) const;
};

std::vector<const RoofProbe*> supported_probes();  // slowest first

// Takes some seconds. `threads`: 1 and all that will be used.
Roofs measure_roofs(const std::vector<int>& threads);

// One ISA and number of threads, and reading alone: what a program can afford to measure before it
// answers, a fifth of a second.
Roofs measure_quick_roofs(const std::string& isa, int threads);

// The last level's size, for inputs that must not fit.
std::size_t last_cache_bytes();

}  // namespace glassgpt::kernels
