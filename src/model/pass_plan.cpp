#include "model/pass_plan.h"

#include <algorithm>

namespace glassgpt {
namespace {

constexpr auto number(Stage stage) { return static_cast<std::size_t>(stage); }
constexpr std::size_t kBeforeBlocks = number(Stage::kLn1);
constexpr std::size_t kPerBlock = number(Stage::kResidual) - number(Stage::kLn1) + 1;
constexpr std::size_t kAfterBlocks = number(Stage::kLogits) - number(Stage::kResidual);

}  // namespace

std::size_t PassPlan::place(Stage stage, std::size_t layer) const noexcept {
  if (stage < Stage::kLn1) return number(stage);
  if (stage <= Stage::kResidual) return number(stage) + layer * kPerBlock;
  return number(stage) - kPerBlock + blocks_ * kPerBlock;
}

PassPlan::PassPlan(std::size_t blocks, const Observer* observer, bool fills_cache)
    : blocks_(blocks), wanted_(kBeforeBlocks + blocks * kPerBlock + kAfterBlocks) {
  const auto reach = [&](Stage stage, std::size_t layer) {
    end_ = std::max(end_, place(stage, layer) + 1);
  };
  if (fills_cache) reach(Stage::kV, blocks - 1);
  if (observer == nullptr) {
    reach(Stage::kFinal, 0);
    return;
  }
  for (std::size_t i = 0; i <= number(Stage::kLogits); ++i) {
    const Stage stage = static_cast<Stage>(i);
    const std::size_t layers = stage_is_per_block(stage) ? blocks : 1;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      if (!observer->wants(stage, layer)) continue;
      wanted_[place(stage, layer)] = true;
      reach(stage, layer);
    }
  }
}

std::size_t PassPlan::blocks_reached() const noexcept {
  std::size_t blocks = 0;
  while (blocks < blocks_ && reaches(Stage::kLn1, blocks)) ++blocks;
  return blocks;
}

}  // namespace glassgpt
