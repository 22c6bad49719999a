#include <cmath>
#include <numbers>

#include "kernels/dispatch.h"
#include "model/parallel.h"
#include "model/parts.h"
#include "model/random_bits.h"

namespace glassgpt {
namespace {

struct NormalPair {
  double even, odd;
};

// Numbers 2 n and 2 n + 1 of a standard normal stream: Box and Muller 1958.
NormalPair random_normals(std::uint64_t seed, std::uint64_t n) noexcept {
  const double u = 1.0 - random_unit(seed, 2 * n);  // (0, 1]: its logarithm is finite
  const double v = random_unit(seed, 2 * n + 1);
  const double radius = std::sqrt(-2.0 * std::log(u)), angle = 2.0 * std::numbers::pi * v;
  return {.even = radius * std::cos(angle), .odd = radius * std::sin(angle)};
}

// Every float has its own number of the stream, its place in the buffer.
void fill_normal(std::uint64_t seed, const TensorLayout::Entry& entry, double deviation,
                 float* buffer, int threads) {
  const std::size_t first_pair = entry.offset / 2, end = entry.offset + entry.size;
  const std::size_t pairs = (end + 1) / 2 - first_pair;
  for_row_ranges(pairs, 2, threads, [&](std::size_t from, std::size_t to) {
    for (std::size_t n = first_pair + from; n < first_pair + to; ++n) {
      const NormalPair pair = random_normals(seed, n);
      if (2 * n >= entry.offset) buffer[2 * n] = static_cast<float>(deviation * pair.even);
      if (2 * n + 1 < end) buffer[2 * n + 1] = static_cast<float>(deviation * pair.odd);
    }
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
                  buffer, threads);
    else
      std::fill_n(tensor, entry.size, entry.name.ends_with("weight") ? 1.0f : 0.0f);
  }
}

}  // namespace glassgpt
