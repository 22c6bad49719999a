// Google Benchmark's reporters, with names that are operation/implementation/shape and nothing
// else: by itself it appends "/iterations:101", "/real_time" and the like.
#pragma once

#include <benchmark/benchmark.h>

#include <vector>

namespace glassgpt::bench {

// The console shows the median of each benchmark, as plain numbers.
class MedianReporter : public benchmark::ConsoleReporter {
 public:
  MedianReporter() : ConsoleReporter(OO_Tabular) {}
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
};

// --benchmark_out has every repetition.
class FileReporter : public benchmark::JSONReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override;
};

}  // namespace glassgpt::bench
