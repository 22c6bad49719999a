// Attributes the time of a forward pass to its stages.
#pragma once

#include <cstdint>

#include "glassgpt/profile.h"

namespace glassgpt {

// From its making to its end; what the profile held is lost. Time that no StageScope claims is
// kOther.
class PassTimer {
 public:
  explicit PassTimer(PassProfile& profile);
  PassTimer(const PassTimer&) = delete;
  PassTimer& operator=(const PassTimer&) = delete;
  ~PassTimer();

 private:
  friend class StageScope;

  std::int64_t now() const noexcept;
  void switch_to(const StageSpan& next) noexcept;

  PassProfile& profile_;
};

// While it lives time belongs to one stage, afterwards to the one that it interrupted. Without a
// timer it does nothing.
class StageScope {
 public:
  explicit StageScope(std::nullptr_t) noexcept : timer_(nullptr) {}
  StageScope(PassTimer& timer, TimedStage stage, std::size_t layer, const StageCost& cost)
      : StageScope(&timer, {stage, layer, 0, 0, 1, cost}) {}
  // For observers: their time is not the stage's that they watch.
  static StageScope pause(PassTimer* timer) {
    return StageScope(timer, {TimedStage::kOther, 0, 0, 0, 0, {}});
  }
  StageScope(const StageScope&) = delete;
  StageScope& operator=(const StageScope&) = delete;
  ~StageScope() {
    if (timer_ != nullptr) timer_->switch_to(interrupted_);
  }

 private:
  StageScope(PassTimer* timer, const StageSpan& span);

  PassTimer* timer_;
  StageSpan interrupted_;
};

}  // namespace glassgpt
