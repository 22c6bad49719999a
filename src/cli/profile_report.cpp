#include "cli/profile_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/display.h"

namespace glassgpt::cli {
namespace {

using nlohmann::ordered_json;
using enum Table::Align;

double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

std::string stage_label(const StageSummary& stage) {
  const std::string name(timed_stage_name(stage.stage));
  return stage.layer ? fmt::format("{}.{}", name, *stage.layer) : name;
}

std::string headline(const ProfileSubject& subject, const ProfileRoof& roof) {
  std::string levels;
  for (const kernels::MemoryLevel& level : roof.measured.memory)
    levels += fmt::format("{}{} {:.0f}", levels.empty() ? "" : ", ", level.name,
                          level.read_gbps.at(roof.threads));
  return fmt::format(
      "{} in {}; {} of width {}; {}, {}, {}\nroof: {:.0f} GFLOP/s{}; read GB/s: {}\n",
      counted(subject.tokens, "token"), counted(subject.texts, "sequence"),
      counted(subject.config.n_layer, "layer"), subject.config.n_embd, subject.dtype, roof.isa,
      counted(static_cast<std::uint64_t>(roof.threads), "thread"), roof.gflops(),
      roof.bf16 ? fmt::format(", {:.0f} in bf16", roof.product_gflops()) : "", levels);
}

std::vector<std::string> row(const std::string& label, const StageSummary& stage,
                             double total_seconds) {
  return {label,
          std::to_string(stage.calls),
          fmt::format("{:.3f}", 1e3 * stage.seconds),
          fmt::format("{:.1f}%", 100 * per_second(stage.seconds, total_seconds)),
          fmt::format("{:.1f}", 1e-9 * per_second(stage.cost.flops, stage.seconds)),
          fmt::format("{:.1f}", 1e-9 * per_second(stage.cost.bytes(), stage.seconds)),
          fmt::format("{:.0f}%", 100 * per_second(stage.least_seconds, stage.seconds))};
}

ordered_json stage_json(const StageSummary& stage) {
  return {{"ms", 1e3 * stage.seconds},
          {"flops", stage.cost.flops},
          {"bytes", stage.cost.bytes()},
          {"calls", stage.calls},
          {"gflops_per_second", 1e-9 * per_second(stage.cost.flops, stage.seconds)},
          {"gb_per_second", 1e-9 * per_second(stage.cost.bytes(), stage.seconds)},
          {"percent_of_roof", 100 * per_second(stage.least_seconds, stage.seconds)}};
}

ordered_json measurement_json(const Measurement& measurement, const ProfileRoof& roof) {
  const ProfileSummary summary = summarize(measurement, roof, true);
  ordered_json stages = ordered_json::array();
  for (const StageSummary& stage : summary.stages) {
    ordered_json entry = {{"name", timed_stage_name(stage.stage)},
                          {"layer", stage.layer ? ordered_json(*stage.layer) : nullptr}};
    entry.update(stage_json(stage));
    stages.push_back(std::move(entry));
  }
  return {{"gemm", measurement.gemm},
          {"passes", measurement.wall_seconds.size()},
          {"median_ms", 1e3 * summary.total.seconds},
          {"mean_ms", 1e3 * summary.mean_seconds},
          {"accounted", summary.accounted},
          {"other_ms", 1e3 * summary.other_seconds},
          {"total", stage_json(summary.total)},
          {"stages", std::move(stages)}};
}

ordered_json roof_json(const ProfileRoof& roof) {
  ordered_json levels = ordered_json::array();
  for (const kernels::MemoryLevel& level : roof.measured.memory) {
    const bool bounded = &level != &roof.measured.memory.back();
    levels.push_back({{"name", level.name},
                      {"size", bounded ? ordered_json(level.bytes) : nullptr},
                      {"read_gb_per_second", level.read_gbps.at(roof.threads)}});
  }
  return {{"gflops_per_second", roof.gflops()},
          {"product_gflops_per_second", roof.product_gflops()},
          {"levels", levels}};
}

// Complete events of one track, in the order of their beginnings; times in microseconds from the
// track's first pass.
class Track {
 public:
  Track(std::string& out, std::size_t number, const Measurement& measurement)
      : out_(out), number_(number) {
    fmt::format_to(
        std::back_inserter(out_),
        R"({{"name":"thread_name","ph":"M","pid":1,"tid":{},"args":{{"name":"gemm {}"}}}})",
        number_, measurement.gemm);
    if (measurement.first_passes.empty()) return;
    origin_ = measurement.first_passes.front().spans.front().begin;
    for (std::size_t i = 0; i < measurement.first_passes.size(); ++i)
      add_pass(i, measurement.first_passes[i].spans);
  }

 private:
  void add_event(const std::string& name, std::int64_t begin, std::int64_t end,
                 const std::string& arguments) {
    fmt::format_to(
        std::back_inserter(out_),
        ",\n"
        R"({{"name":"{}","ph":"X","pid":1,"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{{{}}}}})",
        name, number_, 1e-3 * static_cast<double>(begin - origin_),
        1e-3 * static_cast<double>(end - begin), arguments);
  }

  void add_pass(std::size_t number, const std::vector<StageSpan>& spans) {
    add_event(fmt::format("pass {}", number), spans.front().begin, spans.back().end, "");
    for (std::size_t i = 0; i < spans.size(); ++i) {
      const StageSpan& span = spans[i];
      if (span.calls == 0) continue;
      if (!timed_stage_is_per_block(span.stage)) {
        add_stage(std::string(timed_stage_name(span.stage)), span, end_of_call(spans, i), "");
        continue;
      }
      if (span.stage == TimedStage::kLn1)
        add_event(fmt::format("block {}", span.layer), span.begin, end_of_block(spans, i), "");
      add_stage(fmt::format("{}.{}", timed_stage_name(span.stage), span.layer), span,
                end_of_call(spans, i), fmt::format(R"("layer":{},)", span.layer));
    }
  }

  void add_stage(const std::string& name, const StageSpan& span, std::int64_t end,
                 const std::string& layer) {
    add_event(name, span.begin, end,
              fmt::format(R"({}"flops":{:.0f},"bytes":{:.0f})", layer, span.cost.flops,
                          span.cost.bytes()));
  }

  // With what an observer interrupted.
  static std::int64_t end_of_call(const std::vector<StageSpan>& spans, std::size_t first) {
    std::int64_t end = spans[first].end;
    for (std::size_t i = first + 1; i < spans.size() && spans[i].calls == 0; ++i)
      if (spans[i].stage == spans[first].stage && spans[i].layer == spans[first].layer)
        end = spans[i].end;
    return end;
  }

  static std::int64_t end_of_block(const std::vector<StageSpan>& spans, std::size_t first) {
    std::int64_t end = spans[first].end;
    for (std::size_t i = first; i < spans.size(); ++i)
      if (timed_stage_is_per_block(spans[i].stage) && spans[i].layer == spans[first].layer)
        end = spans[i].end;
    return end;
  }

  std::string& out_;
  std::size_t number_;
  std::int64_t origin_ = 0;
};

}  // namespace

std::string profile_table(const ProfileSubject& subject, const Measurement& measurement,
                          const ProfileRoof& roof, bool per_layer) {
  const ProfileSummary summary = summarize(measurement, roof, per_layer);
  const double seconds = summary.total.seconds;
  Table table({kLeft, kRight, kRight, kRight, kRight, kRight, kRight});
  table.add_row({"stage", "calls", "ms", "share", "GFLOP/s", "GB/s", "of roof"});
  for (const StageSummary& stage : summary.stages)
    table.add_row(row(stage_label(stage), stage, seconds));
  table.add_row({"other", "", fmt::format("{:.3f}", 1e3 * summary.other_seconds),
                 fmt::format("{:.1f}%", 100 * per_second(summary.other_seconds, seconds)), "", "",
                 ""});
  table.add_row(row("total", summary.total, seconds));
  return headline(subject, roof) +
         fmt::format("gemm {}: median of {}, {} tokens/s\n\n", measurement.gemm,
                     measurement.wall_seconds.size() == 1
                         ? "1 pass"
                         : fmt::format("{} passes", measurement.wall_seconds.size()),
                     short_count(per_second(static_cast<double>(subject.tokens), seconds))) +
         table.to_string() +
         fmt::format("\nthe stages account for {:.1f}% of the time\n", 100 * summary.accounted);
}

std::string comparison_table(const ProfileSubject& subject,
                             const std::vector<Measurement>& measurements, const ProfileRoof& roof,
                             bool per_layer) {
  std::vector<ProfileSummary> summaries;
  std::vector<Table::Align> columns = {kLeft, kRight};
  std::vector<std::string> titles = {"stage, ms"};
  for (const Measurement& measurement : measurements) {
    summaries.push_back(summarize(measurement, roof, per_layer));
    titles.push_back(measurement.gemm);
    if (summaries.size() == 1) continue;
    titles.emplace_back("faster");
    columns.insert(columns.end(), {kRight, kRight});
  }
  Table table(columns);
  table.add_row(titles);
  const auto add_row = [&](const std::string& label, const auto& seconds_of) {
    std::vector<std::string> cells = {label};
    for (const ProfileSummary& summary : summaries) {
      cells.push_back(fmt::format("{:.3f}", 1e3 * seconds_of(summary)));
      if (cells.size() == 2) continue;
      cells.push_back(
          fmt::format("{:.2f}x", per_second(seconds_of(summaries[0]), seconds_of(summary))));
    }
    table.add_row(cells);
  };
  for (std::size_t i = 0; i < summaries[0].stages.size(); ++i)
    add_row(stage_label(summaries[0].stages[i]),
            [i](const ProfileSummary& summary) { return summary.stages[i].seconds; });
  add_row("other", [](const ProfileSummary& summary) { return summary.other_seconds; });
  add_row("total", [](const ProfileSummary& summary) { return summary.total.seconds; });
  return headline(subject, roof) + "\n" + table.to_string();
}

std::string profile_json(const ProfileSubject& subject,
                         const std::vector<Measurement>& measurements, const ProfileRoof& roof) {
  ordered_json object = {{"tokens", subject.tokens}, {"texts", subject.texts},
                         {"isa", roof.isa},          {"threads", roof.threads},
                         {"dtype", subject.dtype},   {"roof", roof_json(roof)}};
  object.update(measurement_json(measurements.front(), roof));
  if (measurements.size() > 1) {
    object["compare"] = ordered_json::array();
    for (const Measurement& measurement : measurements)
      object["compare"].push_back(measurement_json(measurement, roof));
  }
  return object.dump() + "\n";
}

std::string profile_trace(const std::vector<Measurement>& measurements) {
  std::string out = R"({"displayTimeUnit":"ms","traceEvents":[)"
                    "\n";
  out += R"({"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"glassgpt"}})";
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    out += ",\n";
    Track(out, i + 1, measurements[i]);
  }
  return out + "\n]}\n";
}

}  // namespace glassgpt::cli
