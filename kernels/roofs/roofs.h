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
// copied and updated in place this fast. Stores to the caches are ordinary ones, as the kernels
// have: whoever comes next finds the result there. A copy of memory has the better of ordinary and
// streaming stores: an ordinary one also reads the line that it overwrites, which is not counted.
// An update has that line already, so it may show twice the speed of a copy. By threads; copy and
// update count both directions.
struct MemoryLevel {
  std::string name;  // "L1", "L2", "L3", "memory"
  std::size_t bytes;
  std::map<int, double> read_gbps, copy_gbps, update_gbps;
};

// What an operation does at least: arithmetic, and the bytes that it reads and writes once.
struct Work {
  double flops, read_bytes, written_bytes;
  double working_set;     // bytes; HUGE_VAL where the caches are left behind
  bool bf16 = false;      // products of bfloat16
  bool in_place = false;  // what is written was read before, so no line is fetched for it
};

struct Roofs {
  using Key = std::pair<std::string, int>;  // ISA and threads
  std::map<Key, double> gflops;             // float32
  std::map<Key, double> bf16_gflops;        // of ISAs with products of bfloat16
  std::vector<MemoryLevel> memory;          // smallest first

  // What multiplies on this ISA: without products of its own, bfloat16 goes through float32's.
  double peak(const std::string& isa, int threads, bool bf16) const;
  // The level that holds a working set that the threads share; caches below the last belong to one
  // core each.
  const MemoryLevel& level(double working_set, int threads) const;

  // Seconds that the work takes at least: its arithmetic at the peak, or its traffic, whichever is
  // longer. A byte written costs what it costs in a copy (or an update), together with a byte read;
  // what is read beyond that goes at the speed of reading.
  double seconds(const std::string& isa, int threads, const Work& work) const;
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
