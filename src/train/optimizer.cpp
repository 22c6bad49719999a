#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "kernels/dispatch.h"
#include "train/parallel.h"

namespace glassgpt::training {
namespace {

constexpr std::size_t kStretch = 16384;

double cosine_floor(const TrainingOptions& options) noexcept {
  if (options.final_learning_rate) return *options.final_learning_rate;
  return std::min(double{1e-4f}, double{options.learning_rate} / 10);
}

}  // namespace

double learning_rate_at(const TrainingOptions& options, std::size_t step) noexcept {
  const double peak = options.learning_rate;
  if (step < options.warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(options.warmup_steps);
  }
  if (options.schedule == LearningRateSchedule::kConstant || options.steps <= options.warmup_steps)
    return peak;
  const double floor = cosine_floor(options);
  const double done = std::min(1.0, static_cast<double>(step - options.warmup_steps) /
                                        static_cast<double>(options.steps - options.warmup_steps));
  return floor + 0.5 * (peak - floor) * (1.0 + std::cos(std::numbers::pi * done));
}

Optimizer::Optimizer(const TensorLayout& layout, const AdamWOptions& options, const Shares* shares,
                     int rank, bool sharded)
    : options_(options), sharded_(sharded), layout_size_(layout.size) {
  std::vector<std::size_t> borders;
  std::vector<distributed::Piece> own{{0, layout.size}};
  if (shares != nullptr) {
    borders = shares->borders();
    own.clear();
    for (std::size_t b = 0; b < shares->buckets(); ++b) own.push_back(shares->segment(b, rank));
  }
  const auto is_own = [&](std::size_t offset) {
    return std::any_of(own.begin(), own.end(), [&](const distributed::Piece& segment) {
      return segment.begin <= offset && offset < segment.end;
    });
  };
  std::size_t moments = 0;
  for (std::size_t e = 0; e < layout.entries.size(); ++e) {
    const TensorLayout::Entry& entry = layout.entries[e];
    if (!entry.trained) continue;
    const std::size_t end = entry.offset + entry.size;
    for (std::size_t at = entry.offset, next = at; at < end; at = next) {
      next = std::min(end, at + kStretch);
      const auto border = std::upper_bound(borders.begin(), borders.end(), at);
      if (border != borders.end()) next = std::min(next, *border);
      const bool mine = is_own(at);
      if (sharded && !mine) continue;
      stretches_.push_back({e, at, next - at, sharded ? moments : at, entry.decays, mine});
      moments += next - at;
    }
  }
  squares_.resize(stretches_.size());
  moment1_.resize(sharded ? moments : layout.size);
  moment2_.resize(moment1_.size());
}

void Optimizer::expand() {
  if (!sharded_ || std::exchange(expanded_, true)) return;
  for (std::vector<float>* moments : {&moment1_, &moment2_}) {
    std::vector<float> all(layout_size_);
    for (const Stretch& s : stretches_)
      std::copy_n(moments->data() + s.moment, s.size, all.data() + s.offset);
    *moments = std::move(all);
  }
}

void Optimizer::shrink() {
  if (!sharded_ || !std::exchange(expanded_, false)) return;
  for (std::vector<float>* moments : {&moment1_, &moment2_}) {
    std::vector<float> own(stretches_.empty() ? 0
                                              : stretches_.back().moment + stretches_.back().size);
    for (const Stretch& s : stretches_)
      std::copy_n(moments->data() + s.offset, s.size, own.data() + s.moment);
    *moments = std::move(own);
  }
}

double Optimizer::gradient_norm(const float* gradients, int threads, RankSums* ranks) {
  for_tasks(stretches_.size(), threads, [&](std::size_t i, int) {
    const Stretch& s = stretches_[i];
    squares_[i] =
        s.own ? kernels::active_kernels().sum_of_squares(s.size, gradients + s.offset) : 0.0;
  });
  double sum = 0;
  for (const double square : squares_) sum += square;
  return std::sqrt(ranks != nullptr ? ranks->sum(sum) : sum);
}

double Optimizer::update(std::size_t step, double learning_rate, const float* gradients,
                         float* parameters, int threads, RankSums* ranks,
                         const std::function<void(std::size_t)>& updated) {
  const double norm = gradient_norm(gradients, threads, ranks);
  if (!std::isfinite(norm)) return norm;
  const double clip = options_.clip_norm;
  const double scale = clip > 0 && norm > clip ? clip / norm : 1.0;
  const double steps = static_cast<double>(step);
  const kernels::AdamWStep decaying{
      .learning_rate = static_cast<float>(learning_rate),
      .beta1 = options_.beta1,
      .beta2 = options_.beta2,
      .epsilon = options_.epsilon,
      .weight_decay = options_.weight_decay,
      .bias_correction1 = static_cast<float>(1.0 - std::pow(double{options_.beta1}, steps)),
      .bias_correction2 = static_cast<float>(1.0 - std::pow(double{options_.beta2}, steps)),
      .gradient_scale = static_cast<float>(scale)};
  kernels::AdamWStep plain = decaying;
  plain.weight_decay = 0.0f;
  for (std::size_t begin = 0, end = 0; begin < stretches_.size(); begin = end) {
    while (end < stretches_.size() && stretches_[end].entry == stretches_[begin].entry) ++end;
    for_tasks(end - begin, threads, [&](std::size_t i, int) {
      const Stretch& s = stretches_[begin + i];
      kernels::active_kernels().adamw(s.size, parameters + s.offset, gradients + s.offset,
                                      moment1_.data() + s.moment, moment2_.data() + s.moment,
                                      s.decays ? decaying : plain);
    });
    if (updated) updated(stretches_[begin].entry);
  }
  return norm;
}

}  // namespace glassgpt::training
