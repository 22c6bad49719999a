#include "bench/result.h"

namespace glassgpt::bench {

void report(benchmark::State& state, const kernels::Roofs& roofs, const Result& result) {
  const kernels::Work& work = result.work;
  constexpr auto kRate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GFLOP/s"] = benchmark::Counter(work.flops * 1e-9, kRate);
  state.counters["GB/s"] = benchmark::Counter((work.read_bytes + work.written_bytes) * 1e-9, kRate);
  // The least time that the work can take, over the time that it took.
  state.counters["%roof"] =
      benchmark::Counter(100.0 * roofs.seconds(result.isa, result.threads, work), kRate);
  state.counters["max_error"] = result.max_error;
  state.SetLabel("isa=" + result.isa + " threads=" + std::to_string(result.threads) +
                 " type=" + (work.bf16 ? "bf16" : "float32") +
                 " level=" + roofs.level(work.working_set, result.threads).name);
}

std::string variant(int threads, bool hot) {
  return (threads > 1 ? "/" + std::to_string(threads) + "t" : "") + (hot ? "/hot" : "");
}

}  // namespace glassgpt::bench
