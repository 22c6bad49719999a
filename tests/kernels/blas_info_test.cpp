#include "kernels/blas_info.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include "kernels/gemm/gemm.h"

namespace glassgpt::kernels {
namespace {

auto threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

// A thread that has ended can be listed for a moment longer.
void wait_for_threads(std::ptrdiff_t expected) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (threads_of_this_process() != expected && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(threads_of_this_process(), expected);
}

// Small integers: every order of summation gives the same float.
std::vector<float> integers(std::size_t count, unsigned seed) {
  std::mt19937 bits(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(bits() % 17) - 8.0f;
  return values;
}

void expect_right_product(int threads) {
  constexpr std::size_t kSize = 256;
  const std::vector<float> a = integers(kSize * kSize, 1), b = integers(kSize * kSize, 2);
  std::vector<float> product(kSize * kSize), expected(kSize * kSize);
  gemm(false, false, kSize, kSize, kSize, a.data(), kSize, b.data(), kSize, false, product.data(),
       kSize, {.backend = GemmBackend::kBlas, .threads = threads});
  gemm(false, false, kSize, kSize, kSize, a.data(), kSize, b.data(), kSize, false, expected.data(),
       kSize, {.backend = GemmBackend::kReference});
  EXPECT_EQ(product, expected);
}

TEST(StopBlasThreads, EndsThemAndTheNextProductHasThemAgain) {
  for (int round = 0; round < 3; ++round) {
    expect_right_product(2);
    const auto with = threads_of_this_process();
    if (!stop_blas_threads()) GTEST_SKIP() << "this BLAS has no threads to stop";
    EXPECT_LE(threads_of_this_process(), with);
    stop_blas_threads();  // twice does no harm
    expect_right_product(2);
    wait_for_threads(with);
    stop_blas_threads();
    expect_right_product(1);
  }
}

}  // namespace
}  // namespace glassgpt::kernels
