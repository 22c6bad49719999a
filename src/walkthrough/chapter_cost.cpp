// Chapter 11: what the pass over the reader's text costs on this machine.
#include "cli/profile_measurement.h"
#include "cli/profile_report.h"
#include "kernels/dispatch.h"
#include "walkthrough/chapters.h"

namespace glassgpt::walkthrough {

using nlohmann::ordered_json;

void add_cost(Document& document, const Subject& subject) {
  const int threads = subject.common.threads > 0 ? subject.common.threads : default_threads();
  const std::string isa = kernels::active_kernels().isa;
  const std::size_t offsets[] = {0, subject.tokens()};
  ForwardOptions forward = subject.forward();
  forward.threads = threads;
  cli::ProfileRoof roof{isa, threads, subject.common.dtype == "bf16", {}};
  roof.measure();
  const cli::Measurement measurement =
      cli::measure_passes(subject.model, Batch{subject.encoding.ids, offsets}, forward,
                          subject.common.gemm, 0, subject.progress);
  roof.measure();
  const cli::ProfileSubject measured{subject.tokens(), 1, subject.model.config(),
                                     subject.common.dtype};
  document.json["cost"] = {
      {"command", subject.command("profile --json")},
      {"cpu", text_json(kernels::cpu_name())},
      {"isa", isa},
      {"threads", threads},
      {"profile", ordered_json::parse(cli::profile_json(measured, {measurement}, roof))}};
}

}  // namespace glassgpt::walkthrough
