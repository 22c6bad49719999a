#include "cli/profile_measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace glassgpt::cli {
namespace {

constexpr double kWarmUpSeconds = 0.1;
constexpr double kFewestPasses = 3, kMostPasses = 2000;
constexpr std::size_t kTracedPasses = 20;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  const auto at = [&](std::size_t i) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(i), values.end());
    return values[i];
  };
  return values.size() % 2 == 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
}

double read_gbps(const ProfileRoof& roof, double bytes) {
  return roof.measured.level(bytes, roof.threads).read_gbps.at(roof.threads);
}

void add(StageCost& sum, const StageCost& cost) {
  sum.flops += cost.flops;
  sum.weight_bytes += cost.weight_bytes;
  sum.activation_bytes += cost.activation_bytes;
}

bool multiplies_weights(TimedStage stage) {
  return stage == TimedStage::kQueryKeyValue || stage == TimedStage::kAttentionOut ||
         stage == TimedStage::kMlpHidden || stage == TimedStage::kMlpOut ||
         stage == TimedStage::kLogits;
}

double seconds(const StageTime& time) { return 1e-9 * static_cast<double>(time.nanoseconds); }

}  // namespace

void ProfileRoof::measure() {
  kernels::Roofs again = kernels::measure_quick_roofs(isa, threads);
  if (measured.memory.empty()) {
    measured = std::move(again);
    return;
  }
  for (auto& [key, peak] : measured.gflops) peak = std::max(peak, again.gflops.at(key));
  for (auto& [key, peak] : measured.bf16_gflops) peak = std::max(peak, again.bf16_gflops.at(key));
  for (std::size_t i = 0; i < measured.memory.size(); ++i) {
    double& read = measured.memory[i].read_gbps.at(threads);
    read = std::max(read, again.memory[i].read_gbps.at(threads));
  }
}

double ProfileRoof::least_seconds(TimedStage stage, const StageCost& cost,
                                  double pass_weight_bytes) const {
  const double peak = multiplies_weights(stage) ? product_gflops() : gflops();
  const double moving = cost.weight_bytes / read_gbps(*this, pass_weight_bytes) +
                        cost.activation_bytes / read_gbps(*this, cost.activation_bytes);
  return 1e-9 * std::max(cost.flops / peak, moving);
}

Measurement measure_passes(const Model& model, const Batch& batch, const ForwardOptions& options,
                           std::string gemm, std::size_t repeat, Progress& progress,
                           double budget_seconds) {
  Measurement measurement{std::move(gemm), {}, {}, {}};
  AllLayers layers;
  PassProfile profile;
  ForwardOptions timed = options;
  timed.profile = &profile;
  const auto pass = [&] {
    throw_if_interrupted();
    const double start = seconds_now();
    model.forward(batch, layers, timed);
    return seconds_now() - start;
  };
  // The first pass packs weights and finds its memory; the second tells how long one takes.
  const double start = seconds_now();
  double one = pass();
  while (seconds_now() - start < kWarmUpSeconds) one = pass();
  if (repeat == 0)
    repeat = static_cast<std::size_t>(
        std::clamp(std::ceil(budget_seconds / one), kFewestPasses, kMostPasses));
  for (std::size_t i = 0; i < repeat; ++i) {
    measurement.wall_seconds.push_back(pass());
    measurement.stages.push_back(stage_times(profile));
    if (i < kTracedPasses) measurement.first_passes.push_back(profile);
    progress.update(fmt::format("gemm {}: pass {} of {}, {:.1f} ms", measurement.gemm, i + 1,
                                repeat, 1e3 * measurement.wall_seconds.back()));
  }
  return measurement;
}

ProfileSummary summarize(const Measurement& measurement, const ProfileRoof& roof, bool per_layer) {
  ProfileSummary summary;
  std::vector<std::vector<double>> times;  // by summarized stage and pass
  std::vector<double> other, accounted;
  // Without per_layer the blocks' stages stand where the first block's are.
  std::map<std::pair<TimedStage, std::size_t>, std::size_t> places;
  const std::size_t passes = measurement.stages.size();
  double pass_weight_bytes = 0;
  for (const StageTime& time : measurement.stages.front())
    pass_weight_bytes += time.cost.weight_bytes;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    double rest = 0, sum = 0;
    for (const StageTime& time : measurement.stages[pass]) {
      if (time.stage == TimedStage::kOther) {
        rest += seconds(time);
        continue;
      }
      const auto [place, is_new] =
          places.try_emplace({time.stage, per_layer ? time.layer : 0}, summary.stages.size());
      if (is_new) {
        StageSummary& stage = summary.stages.emplace_back();
        stage.stage = time.stage;
        if (per_layer && timed_stage_is_per_block(time.stage)) stage.layer = time.layer;
        times.emplace_back(passes, 0.0);
      }
      StageSummary& stage = summary.stages[place->second];
      if (pass == 0) {
        stage.calls += time.calls;
        add(stage.cost, time.cost);
        stage.least_seconds += roof.least_seconds(time.stage, time.cost, pass_weight_bytes);
      }
      times[place->second][pass] += seconds(time);
      sum += seconds(time);
    }
    other.push_back(rest);
    accounted.push_back(sum / measurement.wall_seconds[pass]);
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    StageSummary& stage = summary.stages[i];
    stage.seconds = median(times[i]);
    summary.total.calls += stage.calls;
    add(summary.total.cost, stage.cost);
    summary.total.least_seconds += stage.least_seconds;
  }
  summary.total.stage = TimedStage::kOther;
  summary.total.seconds = median(measurement.wall_seconds);
  summary.mean_seconds =
      std::accumulate(measurement.wall_seconds.begin(), measurement.wall_seconds.end(), 0.0) /
      static_cast<double>(passes);
  summary.other_seconds = median(other);
  summary.accounted = median(accounted);
  return summary;
}

}  // namespace glassgpt::cli
