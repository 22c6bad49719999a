// Chapter 11: what the pass over the reader's text costs on this machine.
#include <fmt/format.h>

#include "cli/profile_measurement.h"
#include "cli/profile_report.h"
#include "kernels/dispatch.h"
#include "walkthrough/chapters.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::ordered_json;

// Beyond, the reference would take longer than all the rest of the page.
constexpr std::size_t kMostForReference = 32;
constexpr std::size_t kReferencePasses = 1;
// Of each measurement: the page is to be there soon, and `profile` measures longer.
constexpr double kMeasuredSeconds = 0.2;

std::vector<std::string> compared_backends(const Subject& subject) {
  if (subject.common.dtype == "bf16") return {"simd"};
  std::vector<std::string> names = {"simd", "blas"};
  if (subject.tokens() <= kMostForReference) names.emplace_back("reference");
  return names;
}

ordered_json implementation_json(const cli::Measurement& measurement,
                                 const cli::ProfileRoof& roof) {
  const cli::ProfileSummary summary = cli::summarize(measurement, roof, false);
  ordered_json stages = ordered_json::array();
  for (const cli::StageSummary& stage : summary.stages) {
    const double seconds = std::max(stage.seconds, 1e-12);
    stages.push_back({{"name", timed_stage_name(stage.stage)},
                      {"ms", 1e3 * stage.seconds},
                      {"gflops_per_second", 1e-9 * stage.cost.flops / seconds},
                      {"gb_per_second", 1e-9 * stage.cost.bytes() / seconds},
                      {"percent_of_roof", 100 * stage.least_seconds / seconds}});
  }
  return {{"isa", roof.isa},
          {"gemm", measurement.gemm},
          {"median_ms", 1e3 * summary.total.seconds},
          {"stages", std::move(stages)}};
}

}  // namespace

void add_cost(Document& document, const Subject& subject) {
  const int threads = subject.common.threads > 0 ? subject.common.threads : default_threads();
  const std::string isa = kernels::active_kernels().isa;
  const std::size_t offsets[] = {0, subject.tokens()};
  const auto measure = [&](const std::string& gemm, std::size_t passes) {
    cli::CommonOptions chosen = subject.common;
    chosen.gemm = gemm;
    chosen.threads = threads;
    return cli::measure_passes(subject.model, Batch{subject.encoding.ids, offsets},
                               chosen.forward(), gemm, passes, subject.progress, kMeasuredSeconds);
  };
  cli::ProfileRoof roof{isa, threads, subject.common.dtype == "bf16", {}};
  const cli::Measurement measurement = measure(subject.common.gemm, 0);
  roof.measure();
  const std::vector<std::string> backends = compared_backends(subject);
  ordered_json implementations = ordered_json::array();
  for (const std::string& gemm : backends) {
    // 0: as many as fit into the time.
    const std::size_t passes = gemm == "reference" ? kReferencePasses : 0;
    implementations.push_back(implementation_json(measure(gemm, passes), roof));
  }
  const cli::ProfileSubject measured{subject.tokens(), 1, subject.model.config(),
                                     subject.common.dtype};
  document.json["cost"] = {
      {"command", subject.command("profile --json")},
      {"cpu", text_json(kernels::cpu_name())},
      {"isa", isa},
      {"threads", threads},
      {"compare_command",
       subject.command(fmt::format("profile --json --compare {}", fmt::join(backends, ",")),
                       {subject.text}, false)},
      {"implementations", std::move(implementations)},
      {"profile", ordered_json::parse(cli::profile_json(measured, {measurement}, roof))}};
}

}  // namespace glassgpt::walkthrough
