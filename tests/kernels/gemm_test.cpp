#include "kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/dispatch.h"
#include "tests/kernels/compare.h"

namespace glassgpt::kernels {
namespace {

using test::compare_exact;
using test::compare_reduction;
using test::GuardedBuffer;
using test::random_floats;
using test::random_integers;

// The worst case's constant is K (Higham 2002, section 3.1); blocks of k and a rounded product
// (without FMA) add to it.
constexpr double kReductionConstant = 2.0;

struct Shape {
  bool transpose_a, transpose_b;
  std::size_t m, n, k;
  std::string name() const {
    return std::string(transpose_a ? "T" : "N") + (transpose_b ? "T" : "N") + " " +
           std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  }
};

// Rounded to the 8 bits of a bfloat16, to nearest, ties to even, by arithmetic in double.
double as_bfloat16(double x) {
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);  // NaN, infinity and 0 stay what they are
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

// op(A) op(B) and sum |a||b| in double; values row-major as stored.
struct Oracle {
  std::vector<double> sum, magnitude;
  Oracle(const Shape& s, const std::vector<float>& a, const std::vector<float>& b,
         NumberType type = NumberType::kFloat32)
      : sum(s.m * s.n), magnitude(s.m * s.n) {
    for (std::size_t i = 0; i < s.m; ++i)
      for (std::size_t j = 0; j < s.n; ++j) {
        double total = 0, absolute = 0;
        for (std::size_t k = 0; k < s.k; ++k) {
          double x = a[s.transpose_a ? k * s.m + i : i * s.k + k];
          double y = b[s.transpose_b ? j * s.k + k : k * s.n + j];
          if (type == NumberType::kBFloat16) {
            x = as_bfloat16(x);
            y = as_bfloat16(y);
          }
          total += x * y;
          absolute += std::fabs(x * y);
        }
        sum[i * s.n + j] = total;
        magnitude[i * s.n + j] = absolute;
      }
  }
  std::vector<float> rounded() const { return {sum.begin(), sum.end()}; }
};

// A product in guarded, misaligned, strided memory. C starts out as NaN, or as `c` when
// accumulating.
std::vector<float> guarded_gemm(const Shape& s, const std::vector<float>& a,
                                const std::vector<float>& b, const std::vector<float>* c,
                                std::size_t offset, std::size_t gap, const GemmOptions& options) {
  const std::size_t a_rows = s.transpose_a ? s.k : s.m, a_cols = s.transpose_a ? s.m : s.k;
  const std::size_t b_rows = s.transpose_b ? s.n : s.k, b_cols = s.transpose_b ? s.k : s.n;
  GuardedBuffer<> a_memory(a_rows, a_cols, a_cols + gap, offset);
  GuardedBuffer<> b_memory(b_rows, b_cols, b_cols + gap, offset);
  GuardedBuffer<> c_memory(s.m, s.n, s.n + gap, offset);
  a_memory.assign(a);
  b_memory.assign(b);
  if (c != nullptr) c_memory.assign(*c);
  gemm(s.transpose_a, s.transpose_b, s.m, s.n, s.k, a_memory.data(), a_memory.stride(),
       b_memory.data(), b_memory.stride(), c != nullptr, c_memory.data(), c_memory.stride(),
       options);
  EXPECT_TRUE(a_memory.intact() && b_memory.intact());
  EXPECT_TRUE(c_memory.intact());
  return c_memory.values();
}

// Whole numbers small enough that float32 holds every partial sum: the result must be exact, in any
// order.
void expect_exact_on_integers(const Shape& s, const GemmOptions& options, std::uint32_t seed) {
  const std::vector<float> a = random_integers(s.m * s.k, seed, 9);
  const std::vector<float> b = random_integers(s.k * s.n, seed + 1, 9);
  const std::vector<float> before = random_integers(s.m * s.n, seed + 2, 9);
  std::vector<float> expected = Oracle(s, a, b).rounded();
  const std::size_t offset = seed % 5, gap = seed % 3 * 3;
  std::vector<float> actual = guarded_gemm(s, a, b, nullptr, offset, gap, options);
  ASSERT_TRUE(compare_exact(actual.data(), expected.data(), actual.size())) << s.name();
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += before[i];
  actual = guarded_gemm(s, a, b, &before, offset, gap, options);
  ASSERT_TRUE(compare_exact(actual.data(), expected.data(), actual.size()))
      << s.name() << " accumulating";
}

// Every instruction set, in float32 and in bfloat16.
class GemmOnIsa : public testing::TestWithParam<std::tuple<const KernelTable*, NumberType>> {
 protected:
  static const KernelTable& kernels() { return *std::get<0>(GetParam()); }
  static NumberType type() { return std::get<1>(GetParam()); }
  static const GemmKernel& kernel() {
    return type() == NumberType::kBFloat16 ? kernels().gemm_bf16 : kernels().gemm;
  }
  static GemmOptions options(int threads = 1) {
    return {GemmBackend::kSimd, threads, &kernels(), type()};
  }
};

TEST_P(GemmOnIsa, IsExactOnIntegersForEveryHeightAndTranspose) {
  const auto [mr, nr] = std::pair{kernel().mr, kernel().nr};
  std::uint32_t seed = 1;
  for (std::size_t m = 0; m <= 2 * mr + 1; ++m)
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, nr - 1, nr, 2 * nr + 1})
      for (const std::size_t k : {0, 1, 3, 4, 17, 40})
        for (int transposes = 0; transposes < 4; ++transposes)
          expect_exact_on_integers({transposes % 2 == 1, transposes / 2 == 1, m, n, k}, options(),
                                   ++seed);
}

TEST_P(GemmOnIsa, IsExactOnIntegersForEveryWidthAndTranspose) {
  const auto [mr, nr] = std::pair{kernel().mr, kernel().nr};
  std::uint32_t seed = 1;
  for (std::size_t n = 0; n <= 2 * nr + 1; ++n)
    for (const std::size_t m : {std::size_t{1}, std::size_t{2}, mr, mr + 1})
      for (const std::size_t k : {1, 5, 16})
        for (int transposes = 0; transposes < 4; ++transposes)
          expect_exact_on_integers({transposes % 2 == 1, transposes / 2 == 1, m, n, k}, options(),
                                   ++seed);
}

TEST_P(GemmOnIsa, IsExactOnIntegersAcrossBlocksOfKAndColumns) {
  const std::size_t nr = kernel().nr, block = kGemmKBlock * kernel().k_per_word;
  std::uint32_t seed = 1;
  for (const std::size_t k : {block - 1, block, block + 1, 2 * block + 3, 4 * block + 5})
    for (const std::size_t m : {1, 14})
      for (int transposes = 0; transposes < 4; ++transposes)
        expect_exact_on_integers({transposes % 2 == 1, transposes / 2 == 1, m, nr + 3, k},
                                 options(), ++seed);
  expect_exact_on_integers({false, false, 3, 600, 4 * block + 1}, options(2), ++seed);
  expect_exact_on_integers({true, true, 3, 600, 4 * block + 1}, options(2), ++seed);
}

TEST_P(GemmOnIsa, StaysWithinItsErrorBoundOnModelShapes) {
  for (const Shape& s : {Shape{false, false, 33, 256, 768}, Shape{false, true, 65, 768, 256},
                         Shape{true, false, 256, 192, 513}, Shape{true, true, 40, 70, 3072},
                         Shape{false, true, 5, 1030, 256}, Shape{true, false, 50, 64, 4096}}) {
    const std::vector<float> a = random_floats(s.m * s.k, 3), b = random_floats(s.k * s.n, 4);
    const Oracle oracle(s, a, b, type());
    for (const int threads : {1, 2}) {
      const std::vector<float> actual = guarded_gemm(s, a, b, nullptr, 1, 3, options(threads));
      EXPECT_TRUE(compare_reduction(actual.data(), oracle.sum.data(), oracle.magnitude.data(), s.k,
                                    actual.size(), kReductionConstant))
          << s.name();
    }
  }
}

TEST_P(GemmOnIsa, PropagatesNaNAndInfinityLikeIeeeArithmetic) {
  const float kInf = std::numeric_limits<float>::infinity();
  const Shape s{false, false, 15, 2 * kernel().nr + 3, 600};
  std::vector<float> a = random_floats(s.m * s.k, 5), b = random_floats(s.k * s.n, 6);
  a[3 * s.k + 7] = std::numeric_limits<float>::quiet_NaN();  // row 3 is NaN
  a[5 * s.k + 599] = kInf;                                   // row 5 is infinite
  b[20 * s.n + 11] = kInf;                                   // column 11 is infinite ...
  a[9 * s.k + 20] = 0.0f;                                    // ... and NaN in row 9
  const Oracle oracle(s, a, b);
  const std::vector<float> actual = guarded_gemm(s, a, b, nullptr, 2, 1, options());
  std::size_t specials = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double expected = oracle.sum[i];
    EXPECT_EQ(std::isnan(expected), std::isnan(actual[i])) << i;
    if (std::isinf(expected)) {
      EXPECT_EQ(static_cast<float>(expected), actual[i]) << i;
    }
    EXPECT_EQ(std::isfinite(expected), std::isfinite(actual[i])) << i;
    specials += !std::isfinite(expected);
  }
  EXPECT_EQ(specials, 2 * s.n + s.m - 2);
}

TEST_P(GemmOnIsa, BytesDoNotDependOnThreads) {
  for (const Shape& s : {Shape{false, false, 1, 700, 800}, Shape{true, false, 70, 130, 2100},
                         Shape{false, true, 200, 96, 600}, Shape{true, true, 64, 1100, 2049}}) {
    const std::vector<float> a = random_floats(s.m * s.k, 7), b = random_floats(s.k * s.n, 8);
    const std::vector<float> before = random_floats(s.m * s.n, 9);
    const std::vector<float> one = guarded_gemm(s, a, b, &before, 0, 0, options(1));
    for (const int threads : {2, 3, 4}) {
      const std::vector<float> many = guarded_gemm(s, a, b, &before, 0, 0, options(threads));
      EXPECT_TRUE(compare_exact(many.data(), one.data(), one.size()))
          << s.name() << " with " << threads << " threads";
    }
  }
}

// A weight with everything that an epilogue may ask for.
struct Layer {
  std::size_t m, k, n;
  std::vector<float> a, b, bias, residual;
  Layer(std::size_t rows, std::size_t depth, std::size_t cols)
      : m(rows),
        k(depth),
        n(cols),
        a(random_floats(m * k, 11)),
        b(random_floats(k * n, 12)),
        bias(random_floats(n, 13)),
        residual(random_floats(m * n, 14)) {}

  WeightMatrix weight(const GemmOptions& options) const {
    WeightMatrix w(k, n, b.data(), n, false);
    w.pack(options);
    return w;
  }
};

TEST_P(GemmOnIsa, LinearRowsHaveTheSameBytesForAnyBatchAndThreads) {
  using Size = std::pair<std::size_t, std::size_t>;
  for (const Size& size : {Size{256, 200}, Size{768, 96}, Size{1100, 70}}) {
    const std::size_t k = size.first, n = size.second;
    const Layer layer(61, k, n);
    const WeightMatrix w = layer.weight(options());
    const auto run = [&](std::size_t first, std::size_t rows, int threads, std::vector<float>& c) {
      const Epilogue epilogue{.bias = layer.bias.data(),
                              .activation = Activation::kGeluTanh,
                              .residual = layer.residual.data() + first * n,
                              .residual_stride = n};
      linear(rows, layer.a.data() + first * k, k, w, epilogue, c.data() + first * n, n,
             options(threads));
    };
    std::vector<float> whole(layer.m * n);
    run(0, layer.m, 1, whole);
    for (const int threads : {1, 2, 4})
      for (const std::size_t part : {1, 2, 7, 13, 30, 61}) {
        std::vector<float> split(layer.m * n);
        for (std::size_t i = 0; i < layer.m; i += part)
          run(i, std::min(part, layer.m - i), threads, split);
        ASSERT_TRUE(compare_exact(split.data(), whole.data(), whole.size()))
            << k << "x" << n << " in parts of " << part << ", threads " << threads;
      }
  }
}

// gemm() cuts k to pack B; linear() does not.
TEST_P(GemmOnIsa, LinearAndGemmGiveTheSameBytes) {
  for (const std::size_t k : {700, 2100}) {
    const Layer layer(30, k, 90);
    std::vector<float> c(layer.m * layer.n), d(layer.m * layer.n);
    linear(layer.m, layer.a.data(), layer.k, layer.weight(options()), {}, c.data(), layer.n,
           options());
    gemm(false, false, layer.m, layer.n, layer.k, layer.a.data(), layer.k, layer.b.data(), layer.n,
         false, d.data(), layer.n, options(2));
    EXPECT_TRUE(compare_exact(d.data(), c.data(), c.size())) << k;
  }
}

// The epilogue step by step, with the table's own kernels.
std::vector<float> separate_epilogue(const KernelTable& kernels, std::vector<float> y,
                                     const Layer& layer, bool bias, Activation activation,
                                     bool residual, std::vector<float>& pre) {
  if (bias)
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += layer.bias[i % layer.n];
  pre = y;
  if (activation == Activation::kGeluTanh) kernels.gelu_tanh(y.size(), pre.data(), y.data());
  if (activation == Activation::kGeluErf) kernels.gelu_erf(y.size(), pre.data(), y.data());
  if (residual)
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += layer.residual[i];
  return y;
}

using EpilogueCase = std::tuple<bool, Activation, bool, bool, bool>;

void expect_fused_equals_separate(const Layer& layer, const EpilogueCase& which,
                                  const GemmOptions& options) {
  const auto [bias, activation, keep, residual, in_place] = which;
  const WeightMatrix w = layer.weight(options);
  std::vector<float> product(layer.m * layer.n), pre;
  linear(layer.m, layer.a.data(), layer.k, w, {}, product.data(), layer.n, options);
  const std::vector<float> expected =
      separate_epilogue(*options.kernels, product, layer, bias, activation, residual, pre);
  GuardedBuffer<> c(layer.m, layer.n, layer.n + 3, 1), kept(layer.m, layer.n, layer.n + 5, 3);
  if (in_place) c.assign(layer.residual);
  Epilogue epilogue{.activation = activation};
  if (bias) epilogue.bias = layer.bias.data();
  if (keep) {
    epilogue.pre_activation = kept.data();
    epilogue.pre_activation_stride = kept.stride();
  }
  if (residual) {
    epilogue.residual = in_place ? c.data() : layer.residual.data();
    epilogue.residual_stride = in_place ? c.stride() : layer.n;
  }
  linear(layer.m, layer.a.data(), layer.k, w, epilogue, c.data(), c.stride(), options);
  EXPECT_TRUE(c.intact() && kept.intact());
  EXPECT_TRUE(compare_exact(c.values().data(), expected.data(), expected.size()))
      << "bias " << bias << " activation " << static_cast<int>(activation) << " keep " << keep
      << " residual " << residual << " in place " << in_place << " k " << layer.k;
  if (keep) {
    EXPECT_TRUE(compare_exact(kept.values().data(), pre.data(), pre.size()));
  }
}

void expect_all_epilogues_fused(const Layer& layer, const GemmOptions& options) {
  for (const bool bias : {false, true})
    for (const Activation activation :
         {Activation::kNone, Activation::kGeluTanh, Activation::kGeluErf})
      for (const bool keep : {false, true})
        for (const auto& [residual, in_place] :
             {std::pair{false, false}, {true, false}, {true, true}})
          expect_fused_equals_separate(layer, {bias, activation, keep, residual, in_place},
                                       options);
}

TEST_P(GemmOnIsa, FusedEpilogueHasTheBytesOfSeparateSteps) {
  for (const auto& [m, k, n] : {std::tuple{3, 40, 37}, {17, 600, 300}, {1, 513, 65}})
    expect_all_epilogues_fused(Layer(static_cast<std::size_t>(m), static_cast<std::size_t>(k),
                                     static_cast<std::size_t>(n)),
                               options(2));
}

TEST_P(GemmOnIsa, EpilogueAppliesToAnEmptySum) {
  const Layer layer(3, 0, 40);
  std::vector<float> c(3 * 40, 7.0f);
  linear(3, nullptr, 0, layer.weight(options()), {.bias = layer.bias.data()}, c.data(), 40,
         options());
  for (std::size_t i = 0; i < c.size(); ++i) EXPECT_EQ(c[i], layer.bias[i % 40]);
}

TEST_P(GemmOnIsa, TransposedWeightsGiveTheSameBytes) {
  const Layer layer(9, 530, 77);
  std::vector<float> transposed(layer.k * layer.n);
  for (std::size_t k = 0; k < layer.k; ++k)
    for (std::size_t j = 0; j < layer.n; ++j)
      transposed[j * layer.k + k] = layer.b[k * layer.n + j];
  WeightMatrix w(layer.k, layer.n, transposed.data(), layer.k, true);
  w.pack(options(2));
  std::vector<float> c(layer.m * layer.n), d(layer.m * layer.n);
  linear(layer.m, layer.a.data(), layer.k, layer.weight(options()), {}, c.data(), layer.n,
         options());
  linear(layer.m, layer.a.data(), layer.k, w, {}, d.data(), layer.n, options());
  EXPECT_TRUE(compare_exact(d.data(), c.data(), c.size()));
}

TEST_P(GemmOnIsa, PacksAgainInPlaceAfterTheDataChanged) {
  Layer layer(4, 64, 50);
  WeightMatrix w(layer.k, layer.n, layer.b.data(), layer.n, false);
  w.pack(options());
  const float* packed = w.packed();
  for (float& value : layer.b) value *= 2.0f;
  std::vector<float> stale(layer.m * layer.n), fresh(layer.m * layer.n);
  linear(layer.m, layer.a.data(), layer.k, w, {}, stale.data(), layer.n, options());
  w.pack(options(2));
  EXPECT_EQ(w.packed(), packed);
  linear(layer.m, layer.a.data(), layer.k, w, {}, fresh.data(), layer.n, options());
  for (float& value : stale) value *= 2.0f;
  EXPECT_TRUE(compare_exact(fresh.data(), stale.data(), fresh.size()));
}

// Against the oracle's rounding, through a product with the unit matrix: ties, both neighbours of a
// tie, subnormal numbers, the largest float (which rounds to infinity), infinities and NaN, also
// NaNs whose payload lies in the lower half alone.
TEST_P(GemmOnIsa, RoundsBFloat16ToNearestEvenAndFloat32NotAtAll) {
  std::vector<float> values = random_floats(1000, 31);
  for (const std::uint32_t upper : {0x3f80u, 0x3f81u, 0x3fffu, 0xbf80u, 0xbf81u, 0x7f7fu, 0x0080u})
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      values.push_back(std::bit_cast<float>(upper << 16 | lower));
  for (const std::uint32_t special :
       {0x7f800000u, 0xff800000u, 0x7f800001u, 0xff80ffffu, 0x7fc00000u})
    values.push_back(std::bit_cast<float>(special));
  const float one = 1.0f;
  std::vector<float> actual(values.size());
  gemm(false, false, values.size(), 1, 1, values.data(), 1, &one, 1, false, actual.data(), 1,
       options());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float expected =
        type() == NumberType::kBFloat16 ? static_cast<float>(as_bfloat16(values[i])) : values[i];
    if (std::isnan(values[i]))
      EXPECT_TRUE(std::isnan(actual[i])) << i;
    else
      EXPECT_EQ(actual[i], expected) << values[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Every, GemmOnIsa,
                         testing::Combine(testing::ValuesIn(supported_kernels()),
                                          testing::Values(NumberType::kFloat32,
                                                          NumberType::kBFloat16)),
                         [](const auto& instance) {
                           return std::get<0>(instance.param)->isa +
                                  std::string(std::get<1>(instance.param) == NumberType::kBFloat16
                                                  ? "_bfloat16"
                                                  : "_float32");
                         });

class GemmOnBackend : public testing::TestWithParam<GemmBackend> {
 protected:
  GemmOptions options(int threads = 1) const { return {GetParam(), threads, &active_kernels()}; }
};

TEST_P(GemmOnBackend, IsExactOnIntegers) {
  std::uint32_t seed = 100;
  for (const std::size_t m : {1, 2, 13, 40})
    for (const std::size_t n : {1, 33, 64})
      for (const std::size_t k : {0, 1, 50, 520})
        for (int transposes = 0; transposes < 4; ++transposes)
          expect_exact_on_integers({transposes % 2 == 1, transposes / 2 == 1, m, n, k}, options(2),
                                   ++seed);
}

TEST_P(GemmOnBackend, StaysWithinItsErrorBound) {
  const Shape s{false, true, 20, 90, 768};
  const std::vector<float> a = random_floats(s.m * s.k, 3), b = random_floats(s.k * s.n, 4);
  const Oracle oracle(s, a, b);
  const std::vector<float> actual = guarded_gemm(s, a, b, nullptr, 1, 3, options(2));
  EXPECT_TRUE(compare_reduction(actual.data(), oracle.sum.data(), oracle.magnitude.data(), s.k,
                                actual.size(), kReductionConstant));
}

TEST_P(GemmOnBackend, AppliesTheEpilogueInTheSameOrder) {
  const Layer layer(6, 48, 40);
  const WeightMatrix w = layer.weight(options());
  const Shape shape{false, false, layer.m, layer.n, layer.k};
  const Oracle oracle(shape, layer.a, layer.b);
  std::vector<float> c = layer.residual, pre(layer.m * layer.n);
  linear(layer.m, layer.a.data(), layer.k, w,
         {.bias = layer.bias.data(),
          .activation = Activation::kGeluErf,
          .pre_activation = pre.data(),
          .pre_activation_stride = layer.n,
          .residual = c.data(),
          .residual_stride = layer.n},
         c.data(), layer.n, options(2));
  for (std::size_t i = 0; i < c.size(); ++i) {
    const double x = oracle.sum[i] + static_cast<double>(layer.bias[i % layer.n]);
    const double y =
        0.5 * x * std::erfc(-x / std::sqrt(2.0)) + static_cast<double>(layer.residual[i]);
    const double allowed = 0x1p-24 * (2.0 * 48 * oracle.magnitude[i] + 8 * (std::fabs(x) + 1));
    EXPECT_LE(std::fabs(static_cast<double>(pre[i]) - x), allowed) << i;
    EXPECT_LE(std::fabs(static_cast<double>(c[i]) - y), 1.2 * allowed) << i;
  }
}

TEST_P(GemmOnBackend, EmptyProductsDoNothing) {
  const WeightMatrix none(0, 0, nullptr, 0, false);
  EXPECT_NO_THROW(linear(0, nullptr, 0, none, {}, nullptr, 0, options()));
  EXPECT_NO_THROW(
      gemm(false, false, 0, 5, 3, nullptr, 3, nullptr, 5, false, nullptr, 5, options()));
  EXPECT_NO_THROW(gemm(true, true, 4, 0, 3, nullptr, 4, nullptr, 3, true, nullptr, 0, options()));
}

std::string backend_name(const testing::TestParamInfo<GemmBackend>& info) {
  const std::string names[] = {"Auto", "Simd", "Blas", "Reference"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Each, GemmOnBackend,
                         testing::Values(GemmBackend::kAuto, GemmBackend::kSimd, GemmBackend::kBlas,
                                         GemmBackend::kReference),
                         backend_name);

TEST(Gemm, AutoHasTheBytesOfSimd) {
  const Layer layer(20, 600, 100);
  const GemmOptions automatic{}, simd{.backend = GemmBackend::kSimd};
  std::vector<float> c(layer.m * layer.n), d(layer.m * layer.n);
  linear(layer.m, layer.a.data(), layer.k, layer.weight(automatic), {}, c.data(), layer.n,
         automatic);
  linear(layer.m, layer.a.data(), layer.k, layer.weight(simd), {}, d.data(), layer.n, simd);
  EXPECT_TRUE(compare_exact(c.data(), d.data(), c.size()));
}

TEST(Gemm, RejectsWrongArguments) {
  const Layer layer(2, 8, 8);
  WeightMatrix w(8, 8, layer.b.data(), 8, false);
  std::vector<float> c(2 * 8);
  const auto run = [&](std::size_t a_stride, std::size_t c_stride, const GemmOptions& options) {
    linear(2, layer.a.data(), a_stride, w, {}, c.data(), c_stride, options);
  };
  EXPECT_THROW(run(8, 8, {}), std::invalid_argument) << "not packed";
  w.pack({});
  EXPECT_NO_THROW(run(8, 8, {}));
  EXPECT_THROW(run(7, 8, {}), std::invalid_argument);
  EXPECT_THROW(run(8, 7, {}), std::invalid_argument);
  EXPECT_THROW(run(8, 8, {.threads = 0}), std::invalid_argument);
  EXPECT_THROW(w.pack({.threads = -1}), std::invalid_argument);
  EXPECT_THROW(WeightMatrix(8, 8, layer.b.data(), 7, true), std::invalid_argument);
  EXPECT_THROW(
      gemm(false, false, 2, 8, 8, layer.a.data(), 7, layer.b.data(), 8, false, c.data(), 8, {}),
      std::invalid_argument);
}

TEST(Gemm, RejectsAWeightPackedForAnotherIsa) {
  const std::vector<const KernelTable*> tables = supported_kernels();
  if (tables.size() < 2) GTEST_SKIP() << "this CPU runs one ISA alone";
  const Layer layer(2, 8, 8);
  const WeightMatrix w = layer.weight({.kernels = tables.front()});
  std::vector<float> c(2 * 8);
  EXPECT_THROW(linear(2, layer.a.data(), 8, w, {}, c.data(), 8, {.kernels = tables.back()}),
               std::invalid_argument);
}

TEST(Gemm, RejectsAWeightPackedForAnotherTypeOfNumber) {
  const Layer layer(2, 8, 8);
  const WeightMatrix w = layer.weight({});
  std::vector<float> c(2 * 8);
  EXPECT_THROW(linear(2, layer.a.data(), 8, w, {}, c.data(), 8, {.type = NumberType::kBFloat16}),
               std::invalid_argument);
  EXPECT_THROW(layer.weight({.backend = GemmBackend::kBlas, .type = NumberType::kBFloat16}),
               std::invalid_argument);
}

// Products of bfloat16 are exact, so neither the instruction for them nor FMA shows: one row's
// chain of additions is the same on every ISA, where no number is subnormal.
TEST(Gemm, BFloat16HasTheSameBytesOnEveryIsa) {
  const Shape s{false, false, 30, 90, 1500};
  const std::vector<float> a = random_floats(s.m * s.k, 41), b = random_floats(s.k * s.n, 42);
  const auto run = [&](const KernelTable* table) {
    return guarded_gemm(s, a, b, nullptr, 0, 0,
                        {GemmBackend::kSimd, 1, table, NumberType::kBFloat16});
  };
  const std::vector<const KernelTable*> tables = supported_kernels();
  const std::vector<float> expected = run(tables.front());
  for (const KernelTable* table : tables) {
    if (std::string_view(table->isa) == "amx") continue;  // the next test's
    EXPECT_TRUE(compare_exact(run(table).data(), expected.data(), expected.size())) << table->isa;
  }
}

// As Intel defines TDPBF16PS, in float arithmetic: what is promised is what the CPU does.
TEST(Gemm, AmxAddsEvenAndOddProductsOf32FactorsBeforeTheSum) {
  const std::vector<const KernelTable*> tables = supported_kernels();
  if (std::string_view(tables.back()->isa) != "amx")
    GTEST_SKIP() << "AMX is not built in, or this CPU lacks it";
  const Shape s{false, false, 37, 70, 1500};
  const std::vector<float> a = random_floats(s.m * s.k, 43), b = random_floats(s.k * s.n, 44);
  std::vector<float> expected(s.m * s.n, 0.0f);
  const auto number = [](float x) { return static_cast<float>(as_bfloat16(x)); };
  for (std::size_t i = 0; i < s.m; ++i)
    for (std::size_t j = 0; j < s.n; ++j)
      for (std::size_t first = 0; first < s.k; first += 32) {
        float sums[2] = {};
        for (std::size_t k = first; k < std::min(first + 32, s.k); ++k)
          sums[k % 2] = std::fma(number(a[i * s.k + k]), number(b[k * s.n + j]), sums[k % 2]);
        expected[i * s.n + j] += sums[0] + sums[1];
      }
  const std::vector<float> actual = guarded_gemm(
      s, a, b, nullptr, 0, 0, {GemmBackend::kSimd, 2, tables.back(), NumberType::kBFloat16});
  EXPECT_TRUE(compare_exact(actual.data(), expected.data(), expected.size()));
}

}  // namespace
}  // namespace glassgpt::kernels
