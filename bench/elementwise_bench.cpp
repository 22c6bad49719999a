// Beside what every benchmark reports, each result carries x_reference, its speed over the scalar
// reference at the same shape on as many threads, and %copy, its traffic against a plain copy of
// arrays of the same size. A kernel that disagrees with its reference is not timed.
#include "bench/elementwise_bench.h"

#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/elementwise_operations.h"
#include "bench/result.h"
#include "kernels/dispatch.h"
#include "kernels/reference_table.h"
#include "kernels/streaming.h"

namespace glassgpt::bench {
namespace {

using kernels::KernelTable;
using kernels::reference_table;

// 32 MiB per array are beyond the caches of one core.
constexpr std::size_t kColdFloats = std::size_t{1} << 23;

// As many as a last cache cannot keep, also one larger than that: input and output together are
// half as large again.
std::size_t memory_floats() {
  static const std::size_t last_cache = kernels::last_cache_bytes();
  std::size_t floats = kColdFloats;
  while (floats * sizeof(float) < last_cache / 4 * 3) floats *= 2;
  return floats;
}

struct Shape {
  std::size_t rows, cols;
  bool hot;
};

struct Case {
  const Operation* operation;
  const KernelTable* table;
  Shape shape;
  int threads;

  std::string shape_name() const {
    const std::string rows = operation->row_wise() ? std::to_string(shape.rows) + "x" : "";
    return rows + std::to_string(shape.cols) + variant(threads, shape.hot);
  }
  std::string name() const {
    return std::string(operation->name) + "/" + table->isa + "/" + shape_name();
  }
  kernels::Work work() const {
    const auto n = static_cast<double>(shape.rows * shape.cols);
    const double read = n * operation->read_bytes;
    const double written = n * operation->written_bytes;
    return {.flops = n * operation->flops,
            .read_bytes = read,
            .written_bytes = written,
            .working_set = shape.rows * shape.cols >= memory_floats() ? HUGE_VAL
                           : operation->in_place                      ? read
                                                                      : read + written,
            .in_place = operation->in_place};
  }
};

// One thread is timed by its own clock: what else the machine does is not its. More are timed by
// the wall's.
double seconds(int threads, const std::function<void()>& f) {
  if (threads > 1) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  const auto own = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  };
  const double begin = own();
  f();
  return own() - begin;
}

// The operation over all of the arrays, split as its callers split it, in parts of whole cache
// lines.
void run(const Operation& operation, const KernelTable& table, Arrays& x, int threads) {
  const std::size_t whole = operation.split == Split::kElements ? x.size()
                            : operation.split == Split::kRows   ? x.rows
                                                                : x.cols;
  if (threads == 1) return operation.run(table, x, {0, whole});
  const std::size_t share = (whole / static_cast<std::size_t>(threads) + 15) / 16 * 16;
#pragma omp parallel num_threads(threads)
  {
    const std::size_t begin =
        std::min(whole, share * static_cast<std::size_t>(omp_get_thread_num()));
    const std::size_t end =
        omp_get_thread_num() + 1 == threads ? whole : std::min(whole, begin + share);
    if (begin < end) operation.run(table, x, {begin, end - begin});
  }
}

// In the cache a run takes less than a microsecond: several are timed at once.
int runs_at_once(const Shape& shape) { return shape.hot ? 64 : 1; }

double seconds_per_run(const Case& c, const KernelTable& table, Arrays& x) {
  const int runs = runs_at_once(c.shape);
  return seconds(c.threads,
                 [&] {
                   for (int i = 0; i < runs; ++i) {
                     run(*c.operation, table, x, c.threads);
                     benchmark::ClobberMemory();
                   }
                 }) /
         runs;
}

// The reference's time, measured once per shape.
double reference_seconds(const Case& c, Arrays& x) {
  static std::map<std::string, double> known;
  const std::string key = std::string(c.operation->name) + "/" + c.shape_name();
  if (const auto found = known.find(key); found != known.end()) return found->second;
  std::vector<double> times;
  for (int i = 0; i < (c.shape.hot ? 21 : x.size() > kColdFloats ? 1 : 3); ++i)
    times.push_back(seconds_per_run(c, reference_table(), x));
  std::sort(times.begin(), times.end());
  return known[key] = times[times.size() / 2];
}

// The same traffic as softmax or GELU, and no work. Where the kernels' results stay in the caches,
// with ordinary stores as they have: a streaming copy may be faster there, but who reads it next
// pays. Elsewhere the faster of both.
class Copies {
 public:
  explicit Copies(const Case& c) : case_(c) {}
  void run(Arrays& x) {
    if (leaves_caches()) streaming_ += seconds_of(kStreaming, x);
    ordinary_ += seconds_of(kOrdinary, x);  // last, as its stores leave the caches like a kernel's
  }
  double seconds() const { return leaves_caches() ? std::min(ordinary_, streaming_) : ordinary_; }

 private:
  bool leaves_caches() const {
    return case_.shape.rows * case_.shape.cols * sizeof(float) >= kernels::streaming_threshold();
  }
  double seconds_of(const Operation& copy, Arrays& x) const {
    Case copies = case_;
    copies.operation = &copy;
    return seconds_per_run(copies, *case_.table, x);
  }
  static const kernels::RoofProbe& probe() {
    static const kernels::RoofProbe& fastest = *kernels::supported_probes().back();
    return fastest;
  }
  static constexpr Operation kOrdinary = {
      "copy", Split::kElements, 1, 4, 4, false, [](const KernelTable&, Arrays& x, Part p) {
        probe().copy(x.a + p.begin, x.out + p.begin, p.count);
      }};
  static constexpr Operation kStreaming = {
      "copy", Split::kElements, 1, 4, 4, false, [](const KernelTable&, Arrays& x, Part p) {
        probe().streaming_copy(x.a + p.begin, x.out + p.begin, p.count);
      }};

  const Case& case_;
  double ordinary_ = 0.0, streaming_ = 0.0;
};

// The largest difference from the reference, relative to 1 + |expected|, on a part of the shape.
double max_error(const Case& c) {
  const std::size_t rows = std::min<std::size_t>(c.shape.rows, 64);
  const std::size_t cols = std::min<std::size_t>(c.shape.cols, 65536);
  Arrays expected(rows, cols);
  Arrays actual(rows, cols);
  run(*c.operation, reference_table(), expected, 1);
  run(*c.operation, *c.table, actual, 1);
  double worst = 0.0;
  const auto compare = [&](const float* got, const float* want) {
    for (std::size_t i = 0; i < rows * cols; ++i) {
      const double error = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i])) /
                           (1.0 + std::fabs(static_cast<double>(want[i])));
      if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
    }
  };
  compare(actual.out, expected.out);
  compare(actual.m, expected.m);
  compare(actual.v, expected.v);
  return worst;
}

void run_benchmark(benchmark::State& state, const Case& c, const kernels::Roofs& roofs) {
  constexpr double kTolerance = 2e-5;
  const double error = max_error(c);
  if (!(error <= kTolerance)) {
    state.SkipWithError("disagrees with the reference and is not timed");
    return;
  }
  Arrays x(c.shape.rows, c.shape.cols);
  const double reference_time = reference_seconds(c, x);
  double total = 0.0;
  Copies copies(c);
  for ([[maybe_unused]] auto _ : state) {
    // In turn: the machine's memory is not equally fast at all times.
    copies.run(x);
    const double once = seconds_per_run(c, *c.table, x);
    total += once;
    state.SetIterationTime(once);
  }
  const bool reference = c.table == &reference_table();
  const kernels::Work work = c.work();
  report(state, roofs, {reference ? "scalar" : c.table->isa, c.threads, work, error});
  const auto elements = static_cast<double>(x.size());
  const double copied = 2.0 * sizeof(float) * elements;
  const double mean = total / static_cast<double>(state.iterations());
  state.counters["ns/element"] = 1e9 * mean / elements;
  state.counters["%copy"] =
      100.0 * (work.read_bytes + work.written_bytes) / copied * copies.seconds() / total;
  state.counters["x_reference"] = reference_time / mean;
}

void register_case(const Case& c, const kernels::Roofs& roofs) {
  benchmark::RegisterBenchmark(
      c.name().c_str(), [c, &roofs](benchmark::State& state) { run_benchmark(state, c, roofs); })
      ->UseManualTime()
      ->Iterations(c.shape.hot ? 101 : 7);
}

}  // namespace

void register_elementwise_benchmarks(const kernels::Roofs& roofs, const std::vector<int>& threads) {
  std::vector<const KernelTable*> tables = kernels::supported_kernels();
  tables.insert(tables.begin(), &reference_table());
  std::vector<Shape> arrays = {{1, 2048, true}, {1, kColdFloats, false}};
  std::vector<Shape> matrices = {{8, 256, true}, {4, 1024, true}, {kColdFloats / 256, 256, false}};
  if (const std::size_t floats = memory_floats(); floats > kColdFloats) {
    arrays.push_back({1, floats, false});
    matrices.push_back({floats / 256, 256, false});
  }
  for (const Operation& operation : operations())
    for (const Shape& shape : operation.row_wise() ? matrices : arrays)
      for (const int count : threads) {
        if (shape.hot && count > 1) continue;  // starting a thread takes longer than the work
        for (const KernelTable* table : tables) {
          const bool takes_minutes = shape.rows * shape.cols > kColdFloats;
          if (takes_minutes && table == &reference_table()) continue;
          register_case({&operation, table, shape, count}, roofs);
        }
      }
}

}  // namespace glassgpt::bench
