#include "model/pass_timer.h"

#include <algorithm>
#include <chrono>

namespace glassgpt {
namespace {

std::int64_t steady_nanoseconds() noexcept {
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             steady_clock::now().time_since_epoch())
      .count();
}

// Scopes end in destructors, where no memory may be asked for: each that begins finds room for
// itself and for the ends of all that are open (a stage and the observer in it).
void make_room(std::vector<StageSpan>& spans) {
  constexpr std::size_t kRoom = 4;
  if (spans.capacity() - spans.size() < kRoom)
    spans.reserve(std::max<std::size_t>(256, 2 * spans.capacity()));
}

}  // namespace

PassTimer::PassTimer(PassProfile& profile) : profile_(profile) {
  profile_.spans.clear();
  make_room(profile_.spans);
  const std::int64_t begin = now();
  profile_.spans.push_back({TimedStage::kOther, 0, begin, begin, 0, {}});
}

PassTimer::~PassTimer() { profile_.spans.back().end = now(); }

std::int64_t PassTimer::now() const noexcept {
  return profile_.clock != nullptr ? profile_.clock() : steady_nanoseconds();
}

// Each moment is read once: a span's end is the beginning of the next, so that no time is lost.
void PassTimer::switch_to(const StageSpan& next) noexcept {
  const std::int64_t moment = now();
  profile_.spans.back().end = moment;
  profile_.spans.push_back(next);
  profile_.spans.back().begin = profile_.spans.back().end = moment;
}

StageScope::StageScope(PassTimer* timer, const StageSpan& span) : timer_(timer) {
  if (timer_ == nullptr) return;
  std::vector<StageSpan>& spans = timer_->profile_.spans;
  make_room(spans);
  interrupted_ = spans.back();
  interrupted_.calls = 0;
  interrupted_.cost = {};
  timer_->switch_to(span);
}

}  // namespace glassgpt
