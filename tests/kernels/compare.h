// The comparisons that every kernel test uses, and a buffer that notices who writes or reads beside
// it.
//
// compare_*() return an AssertionResult (EXPECT_TRUE(compare_exact(...)), EXPECT_FALSE in tests of
// the comparators themselves); expect_*() are the same as EXPECT_TRUE. Each fails on a NaN on
// either side and on an output that overlaps its expectation: a NaN compares false with everything,
// and an output compared with itself is always right.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace glassgpt::test {

inline constexpr double kUnitRoundoff = 0x1p-24;  // of float32, round to nearest

template <class A, class B>
bool overlaps(const A* a, std::size_t a_count, const B* b, std::size_t b_count) {
  const auto a_begin = reinterpret_cast<std::uintptr_t>(a);
  const auto b_begin = reinterpret_cast<std::uintptr_t>(b);
  return a_begin < b_begin + b_count * sizeof(B) && b_begin < a_begin + a_count * sizeof(A);
}

// The distance of neighbouring floats at |value| (at the binade below for a power of two's lower
// side: not distinguished).
inline double float_ulp(double value) {
  const double magnitude = std::fabs(value);
  if (magnitude < 0x1p-126) return 0x1p-149;
  return std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

// |actual - expected| in units of float_ulp(expected). Infinity where one is NaN or infinite and
// the other is not the same infinity.
inline double ulp_error(float actual, double expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (std::isnan(actual) || std::isnan(expected)) return kInfinity;
  const float rounded = static_cast<float>(expected);
  if (std::isinf(actual) || std::isinf(rounded)) return actual == rounded ? 0.0 : kInfinity;
  return std::fabs(static_cast<double>(actual) - expected) / float_ulp(expected);
}

// Bit for bit (so -0 is not +0).
inline testing::AssertionResult compare_exact(const float* actual, const float* expected,
                                              std::size_t n) {
  if (overlaps(actual, n, expected, n))
    return testing::AssertionFailure() << "the output overlaps its expectation";
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(actual[i]) || std::isnan(expected[i]) ||
        std::bit_cast<std::uint32_t>(actual[i]) != std::bit_cast<std::uint32_t>(expected[i]))
      return testing::AssertionFailure() << "element " << i << " of " << n << ": got " << actual[i]
                                         << ", expected exactly " << expected[i];
  }
  return testing::AssertionSuccess();
}

// Elementwise functions: within max_ulp units in the last place of the expectation (Expected is
// float or double).
template <class Expected>
testing::AssertionResult compare_ulp(const float* actual, const Expected* expected, std::size_t n,
                                     double max_ulp) {
  if (overlaps(actual, n, expected, n))
    return testing::AssertionFailure() << "the output overlaps its expectation";
  for (std::size_t i = 0; i < n; ++i) {
    const double error = ulp_error(actual[i], static_cast<double>(expected[i]));
    if (!(error <= max_ulp))
      return testing::AssertionFailure()
             << "element " << i << " of " << n << ": got " << actual[i] << ", expected "
             << expected[i] << ": " << error << " ULP, allowed " << max_ulp;
  }
  return testing::AssertionSuccess();
}

// Sums of n_terms products: |actual - expected| <= c * n_terms * 2^-24 * magnitude_sum per element,
// where magnitude_sum[i] is the sum of the terms' absolute values (Higham 2002, section 3.1, with
// the worst case's constant replaced by c).
inline testing::AssertionResult compare_reduction(const float* actual, const double* expected,
                                                  const double* magnitude_sum, std::size_t n_terms,
                                                  std::size_t n, double c) {
  if (overlaps(actual, n, expected, n) || overlaps(actual, n, magnitude_sum, n))
    return testing::AssertionFailure() << "the output overlaps its expectation";
  for (std::size_t i = 0; i < n; ++i) {
    const double bound = c * static_cast<double>(n_terms) * kUnitRoundoff * magnitude_sum[i];
    const double error = std::fabs(static_cast<double>(actual[i]) - expected[i]);
    if (!(error <= bound))
      return testing::AssertionFailure() << "element " << i << " of " << n << ": got " << actual[i]
                                         << ", expected " << expected[i] << ": error " << error
                                         << ", allowed " << bound << " for " << n_terms << " terms";
  }
  return testing::AssertionSuccess();
}

inline void expect_exact(const float* actual, const float* expected, std::size_t n) {
  EXPECT_TRUE(compare_exact(actual, expected, n));
}
template <class Expected>
void expect_ulp(const float* actual, const Expected* expected, std::size_t n, double max_ulp) {
  EXPECT_TRUE(compare_ulp(actual, expected, n, max_ulp));
}
inline void expect_reduction(const float* actual, const double* expected,
                             const double* magnitude_sum, std::size_t n_terms, std::size_t n,
                             double c) {
  EXPECT_TRUE(compare_reduction(actual, expected, magnitude_sum, n_terms, n, c));
}

// rows x cols elements, rows `stride` apart, whose last element lies `offset` elements before a
// page that cannot be touched: with offset 0 any access behind the end is a crash, with others
// every misalignment can be had. Everything else in the allocation (before the first row, between
// rows, behind the last) holds a canary; intact() tells whether all are still there. T is a 4-byte
// type; the payload starts out as canaries too, which as floats are NaN: what is not written, or
// read before it is written, shows.
template <class T = float>
class GuardedBuffer {
  static_assert(sizeof(T) == 4);

 public:
  explicit GuardedBuffer(std::size_t n, std::size_t offset = 0) : GuardedBuffer(1, n, n, offset) {}
  GuardedBuffer(std::size_t rows, std::size_t cols, std::size_t stride, std::size_t offset)
      : rows_(rows), cols_(cols), stride_(stride) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t span = rows == 0 ? 0 : (rows - 1) * stride + cols;
    const std::size_t bytes = (span + offset + kFront) * sizeof(T);
    mapped_ = (bytes + page - 1) / page * page;
    void* memory =
        mmap(nullptr, mapped_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<std::uint32_t*>(memory);
    mprotect(static_cast<char*>(memory) + mapped_, page, PROT_NONE);
    count_ = mapped_ / sizeof(T);
    first_ = count_ - offset - span;
    std::fill_n(memory_, count_, kCanary);
  }
  GuardedBuffer(std::size_t n, std::size_t offset, const std::vector<T>& values)
      : GuardedBuffer(n, offset) {
    std::copy_n(values.begin(), n, data());
  }
  ~GuardedBuffer() { munmap(memory_, mapped_ + static_cast<std::size_t>(sysconf(_SC_PAGESIZE))); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  T* data() noexcept { return reinterpret_cast<T*>(memory_ + first_); }
  const T* data() const noexcept { return reinterpret_cast<const T*>(memory_ + first_); }
  T* row(std::size_t r) noexcept { return data() + r * stride_; }
  const T* row(std::size_t r) const noexcept { return data() + r * stride_; }
  T& operator[](std::size_t i) noexcept { return data()[i]; }
  std::size_t stride() const noexcept { return stride_; }

  void fill(T value) {
    for (std::size_t r = 0; r < rows_; ++r) std::fill_n(row(r), cols_, value);
  }
  // Row-major values without gaps, in and out.
  void assign(const std::vector<T>& values) {
    for (std::size_t r = 0; r < rows_; ++r) std::copy_n(values.data() + r * cols_, cols_, row(r));
  }
  std::vector<T> values() const {
    std::vector<T> all;
    for (std::size_t r = 0; r < rows_; ++r) all.insert(all.end(), row(r), row(r) + cols_);
    return all;
  }

  testing::AssertionResult intact() const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (i >= first_ && rows_ > 0) {
        const std::size_t r = (i - first_) / (stride_ == 0 ? 1 : stride_);
        if (r < rows_ && i - first_ - r * stride_ < cols_) continue;
      }
      if (memory_[i] != kCanary)
        return testing::AssertionFailure()
               << "the canary at element "
               << static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(first_)
               << " relative to the first was overwritten";
    }
    return testing::AssertionSuccess();
  }

 private:
  static constexpr std::size_t kFront = 64;
  static constexpr std::uint32_t kCanary = 0x7FE5A5A5u;  // a NaN, as a float

  std::size_t rows_, cols_, stride_;
  std::size_t mapped_ = 0, count_ = 0, first_ = 0;
  std::uint32_t* memory_ = nullptr;
};

// Reproducible inputs: uniform in [low, high), and whole numbers in [-limit, limit] (sums of which
// float32 holds exactly).
inline std::vector<float> random_floats(std::size_t n, std::uint32_t seed, float low = -1.0f,
                                        float high = 1.0f) {
  std::mt19937 generator(seed);
  std::vector<float> values(n);
  for (float& value : values)
    value = low + (high - low) * static_cast<float>(generator() >> 8) * 0x1p-24f;
  return values;
}
inline std::vector<float> random_integers(std::size_t n, std::uint32_t seed, int limit) {
  std::mt19937 generator(seed);
  std::vector<float> values(n);
  for (float& value : values)
    value = static_cast<float>(
        static_cast<int>(generator() % static_cast<unsigned>(2 * limit + 1)) - limit);
  return values;
}

}  // namespace glassgpt::test
