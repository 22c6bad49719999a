#include <cmath>
#include <limits>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;
using kernels::kSkipGramInputs;
using kernels::kSkipGramOutputs;

double wide(float value) { return static_cast<double>(value); }

// Rows that lie apart from each other, in guarded memory.
struct RowSet {
  RowSet(std::size_t rows, std::size_t cols, std::size_t offset, const std::vector<float>& values)
      : buffer(rows, cols, cols + 3, offset), pointers(rows) {
    buffer.assign(values);
    // Not in the order of memory.
    for (std::size_t r = 0; r < rows; ++r) pointers[rows - 1 - r] = buffer.row(r);
  }
  float value(std::size_t row, std::size_t c) const { return pointers[row][c]; }
  GuardedBuffer<> buffer;
  std::vector<float*> pointers;
};

double dot(const RowSet& x, std::size_t b, const RowSet& y, std::size_t n, std::size_t cols,
           double* magnitude) {
  double sum = 0;
  *magnitude = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    sum += wide(x.value(b, c)) * wide(y.value(n, c));
    *magnitude += std::fabs(wide(x.value(b, c)) * wide(y.value(n, c)));
  }
  return sum;
}

// The contract's bounds, step by step: errors against the formula in double, then the rows against
// sums in double over the errors that the kernel gave.
void check_step(const KernelTable& table, std::size_t inputs, std::size_t outputs, std::size_t cols,
                std::size_t offset, bool first_is_true, float scale) {
  SCOPED_TRACE("inputs " + std::to_string(inputs) + ", outputs " + std::to_string(outputs) +
               ", cols " + std::to_string(cols));
  constexpr float kRate = 0.3f;
  const std::vector<float> x_values = random_floats(inputs * cols, 1, -scale, scale);
  const std::vector<float> y_values = random_floats(outputs * cols, 2, -scale, scale);
  const RowSet x_before(inputs, cols, 0, x_values), y_before(outputs, cols, 0, y_values);
  RowSet x(inputs, cols, offset, x_values), y(outputs, cols, offset + 1, y_values);
  GuardedBuffer<> errors(inputs * outputs, offset);
  table.skip_gram(inputs, outputs, cols, x.pointers.data(), y.pointers.data(), first_is_true, kRate,
                  errors.data());
  ASSERT_TRUE(x.buffer.intact() && y.buffer.intact() && errors.intact());

  for (std::size_t b = 0; b < inputs; ++b) {
    for (std::size_t n = 0; n < outputs; ++n) {
      double magnitude = 0;
      const double s = dot(x_before, b, y_before, n, cols, &magnitude);
      const double label = n == 0 && first_is_true ? 1 : 0;
      const double error = 1 / (1 + std::exp(-s)) - label;
      // A sigmoid's slope is 1/4 at most.
      const double terms = 10 + static_cast<double>(cols) / static_cast<double>(table.lanes);
      ASSERT_NEAR(wide(errors[b * outputs + n]), error,
                  kUnitRoundoff * (4 + terms * magnitude / 4));
    }
  }
  const auto expect_updated = [&](const RowSet& after, const RowSet& before, const RowSet& other,
                                  std::size_t row, std::size_t others, auto error_of) {
    for (std::size_t c = 0; c < cols; ++c) {
      double expected = wide(before.value(row, c)), magnitude = std::fabs(expected);
      for (std::size_t k = 0; k < others; ++k) {
        const double term = wide(kRate) * wide(error_of(k)) * wide(other.value(k, c));
        expected -= term;
        magnitude += std::fabs(term);
      }
      ASSERT_NEAR(wide(after.value(row, c)), expected,
                  kUnitRoundoff * (static_cast<double>(others) + 2) * magnitude);
    }
  };
  for (std::size_t b = 0; b < inputs; ++b) {
    expect_updated(x, x_before, y_before, b, outputs,
                   [&](std::size_t n) { return errors[b * outputs + n]; });
  }
  for (std::size_t n = 0; n < outputs; ++n) {
    expect_updated(y, y_before, x_before, n, inputs,
                   [&](std::size_t b) { return errors[b * outputs + n]; });
  }
}

TEST(SkipGram, MatchesDoubleOnEveryIsaSizeAndMagnitude) {
  for_each_isa([](const KernelTable& table) {
    for (const std::size_t cols : all_sizes(table.lanes)) {
      if (cols == 0) continue;
      check_step(table, 5, 6, cols, cols % 4, true, 1.0f);
    }
    for (std::size_t inputs = 1; inputs <= kSkipGramInputs; ++inputs) {
      for (std::size_t outputs = 1; outputs <= kSkipGramOutputs; ++outputs) {
        check_step(table, inputs, outputs, 2 * table.lanes + 1, 1, inputs % 2 == 0, 0.5f);
      }
    }
    for (const float scale : {1e-3f, 3.0f}) check_step(table, 10, 6, 112, 0, true, scale);
  });
}

// The oracle's own: the step is the gradient of the loss, by finite differences in double.
TEST(SkipGram, ReferenceStepIsTheGradientOfTheLoss) {
  constexpr std::size_t kInputs = 3, kOutputs = 4, kCols = 5;
  constexpr float kRate = 1.0f;
  const std::vector<float> x_values = random_floats(kInputs * kCols, 5);
  const std::vector<float> y_values = random_floats(kOutputs * kCols, 6);
  RowSet x(kInputs, kCols, 0, x_values), y(kOutputs, kCols, 0, y_values);
  std::vector<double> at;
  for (std::size_t b = 0; b < kInputs; ++b)
    for (std::size_t c = 0; c < kCols; ++c) at.push_back(wide(x.value(b, c)));
  for (std::size_t n = 0; n < kOutputs; ++n)
    for (std::size_t c = 0; c < kCols; ++c) at.push_back(wide(y.value(n, c)));
  const auto loss = [&] {
    double sum = 0;
    for (std::size_t b = 0; b < kInputs; ++b) {
      for (std::size_t n = 0; n < kOutputs; ++n) {
        double s = 0;
        for (std::size_t c = 0; c < kCols; ++c) {
          s += at[b * kCols + c] * at[(kInputs + n) * kCols + c];
        }
        sum += std::log1p(std::exp(n == 0 ? -s : s));
      }
    }
    return sum;
  };
  const std::vector<double> before = at;
  std::vector<double> gradient;
  for (double& value : at) {
    const double kept = value, h = 1e-5;
    value = kept + h;
    const double above = loss();
    value = kept - h;
    const double below = loss();
    value = kept;
    gradient.push_back((above - below) / (2 * h));
  }
  float errors[kInputs * kOutputs];
  kernels::skip_gram_reference(kInputs, kOutputs, kCols, x.pointers.data(), y.pointers.data(), true,
                               kRate, errors);
  for (std::size_t i = 0; i < at.size(); ++i) {
    const std::size_t row = i / kCols, c = i % kCols;
    const float after = row < kInputs ? x.value(row, c) : y.value(row - kInputs, c);
    EXPECT_NEAR(wide(after), before[i] - gradient[i], 1e-6);
  }
}

TEST(SkipGram, BytesDependNeitherOnAlignmentNorOnWhereRowsLie) {
  for_each_isa([](const KernelTable& table) {
    for (const std::size_t cols : small_sizes(table.lanes)) {
      const std::vector<float> x_values = random_floats(4 * cols, 7);
      const std::vector<float> y_values = random_floats(6 * cols, 8);
      std::vector<float> expected_x, expected_y, expected_errors;
      for (const std::size_t offset : {0, 1, 5}) {
        RowSet x(4, cols, offset, x_values), y(6, cols, 2 * offset, y_values);
        GuardedBuffer<> errors(24, offset);
        table.skip_gram(4, 6, cols, x.pointers.data(), y.pointers.data(), true, 0.1f,
                        errors.data());
        if (offset == 0) {
          expected_x = x.buffer.values();
          expected_y = y.buffer.values();
          expected_errors = errors.values();
        }
        ASSERT_TRUE(same_bytes(x.buffer.values(), expected_x));
        ASSERT_TRUE(same_bytes(y.buffer.values(), expected_y));
        ASSERT_TRUE(same_bytes(errors.values(), expected_errors));
      }
    }
  });
}

TEST(SkipGram, NothingIsTouchedWithoutRowsAndErrorsAreHalvesWithoutColumns) {
  for_each_isa([](const KernelTable& table) {
    RowSet x(2, 8, 0, random_floats(16, 1)), y(3, 8, 0, random_floats(24, 2));
    GuardedBuffer<> errors(6, 0);
    const std::vector<float> x_before = x.buffer.values(), y_before = y.buffer.values();
    table.skip_gram(0, 3, 8, x.pointers.data(), y.pointers.data(), true, 0.5f, errors.data());
    table.skip_gram(2, 0, 8, x.pointers.data(), y.pointers.data(), true, 0.5f, errors.data());
    EXPECT_TRUE(std::isnan(errors[0]));
    table.skip_gram(2, 3, 0, x.pointers.data(), y.pointers.data(), true, 0.5f, errors.data());
    EXPECT_EQ(errors.values(), (std::vector<float>{-0.5f, 0.5f, 0.5f, -0.5f, 0.5f, 0.5f}));
    EXPECT_TRUE(same_bytes(x.buffer.values(), x_before));
    EXPECT_TRUE(same_bytes(y.buffer.values(), y_before));
  });
}

TEST(SkipGram, ANanReachesEveryRowAndHugeDotProductsAreCertain) {
  for_each_isa([](const KernelTable& table) {
    RowSet x(2, 4, 0, std::vector<float>(8, 1.0f)), y(2, 4, 0, std::vector<float>(8, 1.0f));
    float errors[4];
    x.pointers[0][2] = 1e30f;
    x.pointers[1][2] = -1e30f;
    table.skip_gram(2, 2, 4, x.pointers.data(), y.pointers.data(), true, 0.5f, errors);
    EXPECT_EQ(errors[0], 0.0f);
    EXPECT_EQ(errors[1], 1.0f);
    EXPECT_EQ(errors[2], -1.0f);
    EXPECT_EQ(errors[3], 0.0f);
    x.pointers[0][1] = std::numeric_limits<float>::quiet_NaN();
    table.skip_gram(2, 2, 4, x.pointers.data(), y.pointers.data(), true, 0.5f, errors);
    for (const float* row : {x.pointers[0], y.pointers[0], y.pointers[1]}) {
      EXPECT_TRUE(std::isnan(row[0]));
    }
  });
}

}  // namespace
}  // namespace glassgpt::test
