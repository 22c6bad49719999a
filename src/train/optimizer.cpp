#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/dispatch.h"
#include "train/parallel.h"

namespace glassgpt::training {
namespace {

constexpr std::size_t kStretch = 16384;

}  // namespace

double learning_rate_at(const TrainingOptions& options, std::size_t step) noexcept {
  const double peak = options.learning_rate;
  if (step < options.warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(options.warmup_steps);
  }
  if (options.schedule == LearningRateSchedule::kConstant || options.steps <= options.warmup_steps)
    return peak;
  const double floor = options.final_learning_rate;
  const double done = std::min(1.0, static_cast<double>(step - options.warmup_steps) /
                                        static_cast<double>(options.steps - options.warmup_steps));
  return floor + 0.5 * (peak - floor) * (1.0 + std::cos(std::numbers::pi * done));
}

Optimizer::Optimizer(const TensorLayout& layout, const AdamWOptions& options)
    : options_(options), moment1_(layout.size, 0.0f), moment2_(layout.size, 0.0f) {
  for (std::size_t e = 0; e < layout.entries.size(); ++e) {
    const TensorLayout::Entry& entry = layout.entries[e];
    if (!entry.trained) continue;
    for (std::size_t at = 0; at < entry.size; at += kStretch) {
      stretches_.push_back(
          {e, entry.offset + at, std::min(kStretch, entry.size - at), entry.decays});
    }
  }
  squares_.resize(stretches_.size());
}

double Optimizer::gradient_norm(const float* gradients, int threads) {
  for_tasks(stretches_.size(), threads, [&](std::size_t i, int) {
    squares_[i] = kernels::active_kernels().sum_of_squares(stretches_[i].size,
                                                           gradients + stretches_[i].offset);
  });
  double sum = 0;
  for (const double square : squares_) sum += square;
  return std::sqrt(sum);
}

double Optimizer::update(std::size_t step, double learning_rate, const float* gradients,
                         float* parameters, int threads,
                         const std::function<void(std::size_t)>& updated) {
  const double norm = gradient_norm(gradients, threads);
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
                                      moment1_.data() + s.offset, moment2_.data() + s.offset,
                                      s.decays ? decaying : plain);
    });
    if (updated) updated(stretches_[begin].entry);
  }
  return norm;
}

}  // namespace glassgpt::training
