#include <cmath>
#include <numbers>

#include "kernels/dispatch.h"
#include "model/parallel.h"
#include "model/parts.h"
#include "model/random_bits.h"

namespace glassgpt {
namespace {

// The n-th number of a standard normal stream: Box and Muller 1958, one pair of uniforms for one
// pair of normals.
double random_normal(std::uint64_t seed, std::uint64_t n) noexcept {
  const std::uint64_t pair = n / 2;
  const double u = 1.0 - random_unit(seed, 2 * pair);  // (0, 1]: its logarithm is finite
  const double v = random_unit(seed, 2 * pair + 1);
  const double radius = std::sqrt(-2.0 * std::log(u)), angle = 2.0 * std::numbers::pi * v;
  return radius * (n % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

void fill_normal(std::uint64_t seed, const TensorLayout::Entry& entry, double deviation,
                 float* tensor, int threads) {
  for_row_ranges(entry.size, 1, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      tensor[i] = static_cast<float>(deviation * random_normal(seed, entry.offset + i));
  });
}

}  // namespace

void initialize_parameters(const ModelConfig& config, std::uint64_t seed, float* buffer,
                           int threads) {
  constexpr double kDeviation = 0.02;
  const double into_residual = kDeviation / std::sqrt(2.0 * static_cast<double>(config.n_layer));
  if (threads == 0) threads = default_threads();
  for (const TensorLayout::Entry& entry : TensorLayout(config).entries) {
    float* const tensor = buffer + entry.offset;
    const bool is_matrix = entry.shape.size() == 2;
    if (!entry.trained)
      kernels::active_kernels().sinusoidal_positions(config.n_positions, config.n_embd, 0, tensor,
                                                     config.n_embd);
    else if (is_matrix)
      fill_normal(seed, entry, entry.name.ends_with("c_proj.weight") ? into_residual : kDeviation,
                  tensor, threads);
    else
      std::fill_n(tensor, entry.size, entry.name.ends_with("weight") ? 1.0f : 0.0f);
  }
}

}  // namespace glassgpt
