#include "model/dropout.h"

#include <algorithm>
#include <cmath>

#include "model/random_bits.h"

namespace glassgpt {

Dropout::Dropout(float rate, std::vector<std::uint64_t> keys)
    : threshold_(static_cast<std::uint64_t>(std::lround(double{rate} * 65536.0))),
      scale_(static_cast<float>(65536.0 / (65536.0 - static_cast<double>(threshold_)))),
      keys_(std::move(keys)) {}

void Dropout::apply(std::size_t place, const Batch& batch, std::size_t width, std::size_t begin,
                    std::size_t end, const float* x, float* y) const noexcept {
  constexpr std::size_t kPerWord = 4;
  for (std::size_t row = begin; row < end; ++row) {
    const auto after = std::upper_bound(batch.offsets.begin(), batch.offsets.end(), row);
    const auto sequence = static_cast<std::size_t>(after - batch.offsets.begin()) - 1;
    const std::uint64_t place_key = random_bits(keys_[sequence], place);
    const std::uint64_t row_key = random_bits(place_key, row - batch.offsets[sequence]);
    const float* from = x + row * width;
    float* to = y + row * width;
    for (std::size_t c = 0; c < width; c += kPerWord) {
      std::uint64_t bits = random_bits(row_key, c);
      for (std::size_t i = c; i < std::min(c + kPerWord, width); ++i, bits >>= 16)
        to[i] = (bits & 0xffff) < threshold_ ? 0.0f : from[i] * scale_;
    }
  }
}

}  // namespace glassgpt
