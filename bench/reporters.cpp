#include "bench/reporters.h"

#include <algorithm>
#include <string>

namespace glassgpt::bench {
namespace {

using Run = benchmark::BenchmarkReporter::Run;

void plain_name(Run& run) {
  benchmark::BenchmarkName& name = run.run_name;
  for (std::string* part :
       {&name.min_time, &name.iterations, &name.repetitions, &name.time_type, &name.threads})
    part->clear();
}

}  // namespace

// The column of names is as wide as the longest with the suffixes that are not shown.
bool MedianReporter::ReportContext(const Context& context) {
  constexpr std::size_t kSuffix = sizeof("/iterations:101/manual_time_median") - sizeof("");
  constexpr std::size_t kNarrowest = 48;
  Context shorter = context;
  const std::size_t width = shorter.name_field_width;
  shorter.name_field_width = std::max(width > kSuffix ? width - kSuffix : width, kNarrowest);
  return ConsoleReporter::ReportContext(shorter);
}

void MedianReporter::ReportRuns(const std::vector<Run>& runs) {
  std::vector<Run> shown;
  for (const Run& run : runs) {
    const bool repeated = run.repetitions > 1;
    const bool is_median = run.run_type == Run::RT_Aggregate && run.aggregate_name == "median";
    if (repeated && !is_median && !run.error_occurred) continue;
    shown.push_back(run);
    plain_name(shown.back());
    shown.back().run_type = Run::RT_Iteration;  // else the name ends in "_median"
    shown.back().report_label.clear();
    for (auto& [name, counter] : shown.back().counters)
      counter.flags = benchmark::Counter::kDefaults;
  }
  if (!shown.empty()) ConsoleReporter::ReportRuns(shown);
}

void FileReporter::ReportRuns(const std::vector<Run>& runs) {
  std::vector<Run> renamed = runs;
  for (Run& run : renamed) plain_name(run);
  JSONReporter::ReportRuns(renamed);
}

}  // namespace glassgpt::bench
