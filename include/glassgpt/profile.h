// Where the time of a forward pass goes: every function of the pass, timed when somebody asks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace glassgpt {

// What is timed, in the order of the pass; from kLn1 to kMlpOut once per block. A stage's name is
// the function's in src/model/forward.cpp.
enum class TimedStage {
  kTokenEmbedding,
  kEmbedding,
  kLn1,
  kQueryKeyValue,
  kAttentionWeights,  // only where somebody watches scores or attention
  kAttentionHeads,
  kAttentionOut,  // with the residual's addition
  kLn2,
  kMlpHidden,
  kMlpOut,  // with the residual's addition
  kFinal,
  kLogits,
  kOther,  // what belongs to none: checks, planning, packing in the first pass, observers
};

std::string_view timed_stage_name(TimedStage stage) noexcept;  // "token_embedding", "ln_1", ...
bool timed_stage_is_per_block(TimedStage stage) noexcept;

// What a call of a stage computes and moves at least: weights and inputs read once, outputs written
// once. The products' FLOP are those of the product; bias, activation and residual come with its
// epilogue and are not counted. Attention's are those of the pairs that the causal mask leaves.
struct StageCost {
  double flops = 0;
  double weight_bytes = 0;
  double activation_bytes = 0;
  double bytes() const noexcept { return weight_bytes + activation_bytes; }
  bool operator==(const StageCost&) const = default;
};

// A stretch of time that belongs to one stage. A stage that an observer interrupts has several: the
// first carries the call and its cost, the others 0.
struct StageSpan {
  TimedStage stage;
  std::size_t layer;        // the block; 0 for stages outside blocks
  std::int64_t begin, end;  // nanoseconds by the profile's clock
  std::size_t calls;
  StageCost cost;
};

// One forward pass, as ForwardOptions::profile receives it. The spans lie end to end: their sum is
// the time of the pass, exactly.
struct PassProfile {
  using Clock = std::int64_t() noexcept;  // nanoseconds since any moment, never going back
  Clock* clock = nullptr;                 // null: std::chrono::steady_clock
  std::vector<StageSpan> spans;           // of the latest pass

  std::int64_t nanoseconds() const noexcept {
    return spans.empty() ? 0 : spans.back().end - spans.front().begin;
  }
};

// The spans of a pass, summed for each stage of each block, in the order of the pass; kOther comes
// last.
struct StageTime {
  TimedStage stage;
  std::size_t layer;
  std::size_t calls;
  std::int64_t nanoseconds;
  StageCost cost;
};
std::vector<StageTime> stage_times(const PassProfile& profile);

}  // namespace glassgpt
