#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Add, IsTheRoundedSumOnEveryIsa) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      const std::vector<float> a = random_floats(n, 1, -9.0f, 9.0f);
      const std::vector<float> b = random_floats(n, 2);
      std::vector<float> y(n);
      table.add(n, a.data(), b.data(), y.data());
      std::vector<float> expected(n);
      for (std::size_t i = 0; i < n; ++i)
        expected[i] = static_cast<float>(static_cast<double>(a[i]) + static_cast<double>(b[i]));
      expect_exact(y.data(), expected.data(), n);
    }
    expect_elementwise(BinaryFn(table.add), table.lanes);
    std::vector<float> a = {1.0f, 2.0f};
    const std::vector<float> b = {4.0f, 8.0f};
    table.add(2, a.data(), b.data(), a.data());
    EXPECT_EQ(a, (std::vector<float>{5.0f, 10.0f}));
  });
}

TEST(SumOfSquares, IsExactForSmallIntegersOnEveryIsa) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t n : all_sizes(table.lanes)) {
      const std::vector<float> values = random_integers(n, static_cast<std::uint32_t>(n), 4000);
      double expected = 0;
      for (float v : values) expected += static_cast<double>(v) * static_cast<double>(v);
      for (std::size_t offset : {0, 1, 3}) {
        const GuardedBuffer<> x(n, offset, values);
        EXPECT_EQ(table.sum_of_squares(n, x.data()), expected) << n;
      }
    }
  });
}

TEST(SumOfSquares, IsADoubleSumAndNeverOverflows) {
  for_each_isa([](const KernelTable& table) {
    const std::vector<float> huge(1000, 3e38f);
    const double square = static_cast<double>(3e38f) * static_cast<double>(3e38f);
    EXPECT_NEAR(table.sum_of_squares(1000, huge.data()) / (1000.0 * square), 1.0, 1e-13);
    const std::vector<float> tiny(1000, 0x1p-149f);
    EXPECT_EQ(table.sum_of_squares(1000, tiny.data()), 1000.0 * 0x1p-298);

    std::vector<float> x = random_floats(50257, 9);
    long double expected = 0;
    for (float v : x) expected += static_cast<long double>(v) * v;
    const double chain =
        static_cast<double>(x.size()) / (4.0 * static_cast<double>(table.lanes)) + 8.0;
    EXPECT_NEAR(table.sum_of_squares(x.size(), x.data()) / static_cast<double>(expected), 1.0,
                chain * 0x1p-53);
    x[40000] = kInfinity;
    EXPECT_EQ(table.sum_of_squares(x.size(), x.data()), static_cast<double>(kInfinity));
    x[50256] = kNan;
    EXPECT_TRUE(std::isnan(table.sum_of_squares(x.size(), x.data())));
  });
}

TEST(ColumnSum, AddsRowsExactlyForSmallIntegers) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t rows : {0, 1, 2, 31, 32, 33, 65}) {
      std::vector<std::size_t> widths = small_sizes(table.lanes);
      widths.insert(widths.end(), {1023, 1024, 1025, 2049});
      for (std::size_t cols : widths) {
        const std::vector<float> values = random_integers(rows * cols, 4, 100);
        const std::vector<float> start = random_integers(cols, 5, 100);
        GuardedBuffer<> x(rows, cols, cols + 3, 1);
        GuardedBuffer<> y(cols, 2, start);
        x.assign(values);
        table.column_sum(rows, cols, x.data(), x.stride(), y.data());
        std::vector<float> expected = start;
        for (std::size_t i = 0; i < values.size(); ++i) expected[i % cols] += values[i];
        expect_exact(y.data(), expected.data(), cols);
        ASSERT_TRUE(x.intact() && y.intact());
      }
    }
  });
}

TEST(ColumnSum, KeepsItsErrorBudget) {
  constexpr std::size_t kRows = 2051;
  constexpr std::size_t kCols = 70;
  const std::vector<float> x = random_floats(kRows * kCols, 6);
  std::vector<double> expected(kCols, 0.0);
  std::vector<double> magnitude(kCols, 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    expected[i % kCols] += static_cast<double>(x[i]);
    magnitude[i % kCols] += std::fabs(static_cast<double>(x[i]));
  }
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> y(kCols, 0.0f);
    table.column_sum(kRows, kCols, x.data(), kCols, y.data());
    // 31 additions in a block and one per block.
    expect_reduction(y.data(), expected.data(), magnitude.data(), 32 + kRows / 32, kCols, 1.0);
  });
}

TEST(ColumnSum, BytesDoNotDependOnHowColumnsAreSplit) {
  constexpr std::size_t kRows = 67;
  constexpr std::size_t kCols = 1131;
  const std::vector<float> x = random_floats(kRows * kCols, 7);
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> whole(kCols, 0.5f);
    std::vector<float> split(kCols, 0.5f);
    table.column_sum(kRows, kCols, x.data(), kCols, whole.data());
    for (std::size_t begin = 0; begin < kCols; begin += 37)
      table.column_sum(kRows, std::min<std::size_t>(37, kCols - begin), x.data() + begin, kCols,
                       split.data() + begin);
    EXPECT_TRUE(same_bytes(split, whole));
  });
}

}  // namespace
}  // namespace glassgpt::test
