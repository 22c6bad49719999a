#include "glassgpt/profile.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace glassgpt {
namespace {

// In the order of TimedStage.
constexpr std::array<std::string_view, 13> kNames = {
    "token_embedding", "embedding",     "ln_1", "query_key_value", "attention_weights",
    "attention_heads", "attention_out", "ln_2", "mlp_hidden",      "mlp_out",
    "final",           "logits",        "other"};
static_assert(kNames.size() == static_cast<std::size_t>(TimedStage::kOther) + 1);

// Before the blocks, in them, after them; then by block and stage.
auto place(TimedStage stage, std::size_t layer) {
  const int part = stage < TimedStage::kLn1 ? 0 : timed_stage_is_per_block(stage) ? 1 : 2;
  return std::tuple(part, layer, stage);
}

}  // namespace

std::string_view timed_stage_name(TimedStage stage) noexcept {
  return kNames[static_cast<std::size_t>(stage)];
}

bool timed_stage_is_per_block(TimedStage stage) noexcept {
  return stage >= TimedStage::kLn1 && stage <= TimedStage::kMlpOut;
}

std::vector<StageTime> stage_times(const PassProfile& profile) {
  std::map<std::tuple<int, std::size_t, TimedStage>, StageTime> sums;
  for (const StageSpan& span : profile.spans) {
    StageTime& sum =
        sums.try_emplace(place(span.stage, span.layer), StageTime{span.stage, span.layer, 0, 0, {}})
            .first->second;
    sum.calls += span.calls;
    sum.nanoseconds += span.end - span.begin;
    sum.cost.flops += span.cost.flops;
    sum.cost.weight_bytes += span.cost.weight_bytes;
    sum.cost.activation_bytes += span.cost.activation_bytes;
  }
  std::vector<StageTime> times;
  for (const auto& [unused, sum] : sums) times.push_back(sum);
  return times;
}

}  // namespace glassgpt
