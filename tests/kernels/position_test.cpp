#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;

// The polynomials' last rounding is half a unit at 1, and two more roundings go before it.
constexpr double kAbsolute = 1.0e-7;

double oracle(std::size_t position, std::size_t c, std::size_t cols) {
  const auto even = static_cast<long double>(c - c % 2);
  const long double angle = static_cast<long double>(position) /
                            std::pow(10000.0L, even / static_cast<long double>(cols));
  return static_cast<double>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
}

TEST(SinusoidalPositions, MatchLongDoubleUpToAMillion) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t cols : {std::size_t{2}, std::size_t{64}, std::size_t{256}, std::size_t{770}}) {
      for (std::size_t first : {0, 1, 250, 1023, 99999, 1000000}) {
        constexpr std::size_t kRows = 7;
        std::vector<float> y(kRows * cols);
        table.sinusoidal_positions(kRows, cols, first, y.data(), cols);
        for (std::size_t t = 0; t < kRows; ++t)
          for (std::size_t c = 0; c < cols; ++c)
            ASSERT_NEAR(static_cast<double>(y[t * cols + c]), oracle(first + t, c, cols), kAbsolute)
                << "position " << first + t << ", column " << c << " of " << cols;
      }
    }
  });
}

TEST(SinusoidalPositions, BeginWithZeroAndOne) {
  for_each_isa([](const KernelTable& table) {
    std::vector<float> y(66);
    table.sinusoidal_positions(1, 66, 0, y.data(), 66);
    for (std::size_t c = 0; c < y.size(); ++c) EXPECT_EQ(y[c], c % 2 == 0 ? 0.0f : 1.0f);
  });
}

TEST(SinusoidalPositions, ARowDependsOnItsPositionAlone) {
  for_each_isa([](const KernelTable& table) {
    std::vector<std::size_t> widths = small_sizes(table.lanes);
    for (std::size_t n : {127, 128, 129, 256, 768, 1025}) widths.push_back(n);
    for (std::size_t cols : widths) {
      constexpr std::size_t kRows = 5;
      std::vector<float> alone(kRows * cols);
      for (std::size_t t = 0; t < kRows; ++t)
        table.sinusoidal_positions(1, cols, 900 + t, alone.data() + t * cols, cols);
      for (std::size_t i = 0; i < alone.size(); ++i)
        ASSERT_NEAR(static_cast<double>(alone[i]), oracle(900 + i / cols, i % cols, cols),
                    kAbsolute);
      GuardedBuffer<> y(kRows, cols, cols + 3, 1);
      table.sinusoidal_positions(kRows, cols, 900, y.data(), y.stride());
      ASSERT_TRUE(same_bytes(y.values(), alone)) << cols;
      ASSERT_TRUE(y.intact());
    }
    table.sinusoidal_positions(0, 4, 0, nullptr, 4);
    table.sinusoidal_positions(3, 0, 0, nullptr, 4);
  });
}

}  // namespace
}  // namespace glassgpt::test
