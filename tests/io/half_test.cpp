#include "io/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace glassgpt::io {
namespace {

// A 16-bit format by its definition, in double: what the bit tricks are measured against.
struct Format {
  int exponent_bits, mantissa_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int top_exponent() const { return (1 << exponent_bits) - 1; }
  std::uint16_t infinity() const {
    return static_cast<std::uint16_t>(top_exponent() << mantissa_bits);
  }

  double value(std::uint16_t bits) const {
    const int exponent = (bits >> mantissa_bits) & top_exponent();
    const int mantissa = bits & ((1 << mantissa_bits) - 1);
    const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
    if (exponent == top_exponent()) {
      return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                           : sign * std::numeric_limits<double>::infinity();
    }
    const int one = exponent == 0 ? 0 : 1 << mantissa_bits;
    return sign * std::ldexp(one + mantissa, std::max(exponent, 1) - bias() - mantissa_bits);
  }

  // The nearest of the format's numbers, the even one of two that are as near.
  std::uint16_t nearest(float x) const {
    if (std::isnan(x)) return static_cast<std::uint16_t>(infinity() + 1);
    const double magnitude = std::fabs(static_cast<double>(x));
    const auto sign = static_cast<std::uint16_t>(std::signbit(x) ? 0x8000 : 0);
    std::uint16_t low = 0, high = infinity();
    while (high - low > 1) {
      const auto middle = static_cast<std::uint16_t>((low + high) / 2);
      (value(middle) <= magnitude ? low : high) = middle;
    }
    // Infinity stands where the next number would: 2 to the power that has no place any more.
    const double above =
        high == infinity() ? std::ldexp(1.0, top_exponent() - bias()) : value(high);
    const double down = magnitude - value(low), up = above - magnitude;
    const bool take_high = up < down || (up == down && (high & 1) == 0);
    return static_cast<std::uint16_t>((take_high ? high : low) | sign);
  }
};

constexpr Format kHalf{5, 10};
constexpr Format kBFloat16{8, 7};

void expect_same(float actual, double expected, unsigned bits) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << bits;
  } else {
    EXPECT_EQ(static_cast<double>(actual), expected) << bits;
    EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << bits;
  }
}

// Every number of the format, every midpoint of two, and the floats beside both.
std::vector<float> critical_floats(const Format& format) {
  std::vector<float> values;
  for (unsigned bits = 0; bits < format.infinity(); ++bits) {
    const double low = format.value(static_cast<std::uint16_t>(bits));
    double high = format.value(static_cast<std::uint16_t>(bits + 1));
    if (std::isinf(high)) high = std::ldexp(1.0, format.top_exponent() - format.bias());
    for (const double center : {low, (low + high) / 2}) {
      const auto x = static_cast<float>(center);
      for (const float near : {std::nextafterf(x, -1.0f), x, std::nextafterf(x, INFINITY)}) {
        values.insert(values.end(), {near, -near});
      }
    }
  }
  std::mt19937 random(7);
  for (int i = 0; i < 200000; ++i) {
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  }
  values.insert(values.end(),
                {INFINITY, -INFINITY, NAN, -NAN, std::numeric_limits<float>::max(),
                 std::numeric_limits<float>::denorm_min(), std::bit_cast<float>(0x7f800001u),
                 std::bit_cast<float>(0xff800001u)});
  return values;
}

template <class Narrow>
void expect_rounds(const Format& format, Narrow narrow) {
  int failures = 0;
  for (const float x : critical_floats(format)) {
    const std::uint16_t got = narrow(x), expected = format.nearest(x);
    const bool same = std::isnan(x) ? (got & 0x7fff) > format.infinity() &&
                                          ((got & 0x8000) != 0) == std::signbit(x)
                                    : got == expected;
    if (same) continue;
    ADD_FAILURE() << std::hexfloat << x << ": got " << std::hex << got << ", expected " << expected;
    if (++failures == 10) return;
  }
}

TEST(Half, EveryPatternWidensToTheValueOfItsDefinition) {
  for (unsigned bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    expect_same(half_to_float(half), kHalf.value(half), bits);
    expect_same(bfloat16_to_float(half), kBFloat16.value(half), bits);
  }
}

TEST(Half, NarrowingRoundsToNearestEven) { expect_rounds(kHalf, float_to_half); }

TEST(BFloat16, NarrowingRoundsToNearestEven) { expect_rounds(kBFloat16, float_to_bfloat16); }

TEST(Half, EveryPatternComesBackFromFloat) {
  for (unsigned bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!std::isnan(kHalf.value(half))) {
      EXPECT_EQ(float_to_half(half_to_float(half)), half);
    }
    if (!std::isnan(kBFloat16.value(half))) {
      EXPECT_EQ(float_to_bfloat16(bfloat16_to_float(half)), half);
    }
  }
}

TEST(Half, ArraysOfAnyLengthAndAlignmentAgreeWithSingleNumbers) {
  std::mt19937 random(11);
  for (std::size_t count = 0; count <= 67; ++count) {
    for (const std::size_t shift : {0u, 1u, 3u}) {
      std::vector<float> values(count), back(count + 1, 42.0f);
      for (float& value : values) {
        value =
            std::ldexp(static_cast<float>(random()) - 2e9f, static_cast<int>(random() % 40) - 50);
      }
      std::vector<unsigned char> bytes(2 * count + shift + 2, 0xcd);
      floats_to_halves(values.data(), count, bytes.data() + shift);
      halves_to_floats(bytes.data() + shift, count, back.data());
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(back[i], half_to_float(float_to_half(values[i])));
      }
      floats_to_bfloat16s(values.data(), count, bytes.data() + shift);
      bfloat16s_to_floats(bytes.data() + shift, count, back.data());
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(back[i], bfloat16_to_float(float_to_bfloat16(values[i])));
      }
      EXPECT_EQ(back[count], 42.0f);
      EXPECT_EQ(bytes[2 * count + shift], 0xcd);
      for (std::size_t i = 0; i < shift; ++i) EXPECT_EQ(bytes[i], 0xcd);
    }
  }
}

}  // namespace
}  // namespace glassgpt::io
