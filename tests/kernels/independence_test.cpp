// What every elementwise, row and reduction kernel promises about its bytes: they depend neither on
// how many threads share the work nor on which rows share the batch. (gemm_test.cpp and
// attention_test.cpp say the same of theirs.)
#include <omp.h>

#include <algorithm>
#include <numeric>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;
using kernels::TokenId;

constexpr std::size_t kRows = 45;
constexpr std::size_t kCols = 203;  // no multiple of a vector

// The arrays of one call: [rows, cols] or, where said, one value per row or per column.
struct Arrays {
  std::size_t rows = kRows;
  std::vector<float> a = random_floats(kRows * kCols, 1, -4.0f, 4.0f);
  std::vector<float> b = random_floats(kRows * kCols, 2);
  std::vector<float> out = random_floats(kRows * kCols, 3);
  std::vector<float> m = random_floats(kRows * kCols, 4);
  std::vector<float> v = random_floats(kRows * kCols, 5, 0.0f, 1.0f);
  std::vector<float> table = random_floats(kRows * kCols, 11);    // rows chosen by ids
  std::vector<float> mean = random_floats(kRows, 6);              // per row
  std::vector<float> rstd = random_floats(kRows, 7, 0.5f, 1.5f);  // per row
  std::vector<float> row_out = std::vector<float>(kRows, 7.0f), row_out2 = row_out;
  std::vector<TokenId> ids = make_ids();  // per row
  std::vector<float> gamma = random_floats(kCols, 8), beta = random_floats(kCols, 9);
  std::vector<float> col_out = random_floats(kCols, 10), col_out2 = col_out;

  static std::vector<TokenId> make_ids() {
    std::vector<TokenId> ids(kRows);
    for (std::size_t r = 0; r < kRows; ++r) ids[r] = static_cast<TokenId>((r * r + 3) % 37);
    ids[2] = ids[1];
    return ids;
  }
};

enum class Axis { kByElement, kByRow, kByColumn };

struct Operation {
  const char* name;
  Axis split;  // where callers may cut the work
  void (*run)(const KernelTable&, Arrays&, std::size_t begin, std::size_t count);
};

constexpr kernels::AdamWStep kStep = {1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.5f, 0.25f};

// Rows of the batch [begin, begin + count) of row kernels begin here.
constexpr std::size_t at(std::size_t row) { return row * kCols; }

const Operation kOperations[] = {
    {"exp", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.exp(n, &x.a[i], &x.out[i]);
     }},
    {"tanh", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.tanh(n, &x.a[i], &x.out[i]);
     }},
    {"erf", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.erf(n, &x.a[i], &x.out[i]);
     }},
    {"gelu_tanh", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.gelu_tanh(n, &x.a[i], &x.out[i]);
     }},
    {"gelu_erf", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.gelu_erf(n, &x.a[i], &x.out[i]);
     }},
    {"gelu_tanh_backward", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.gelu_tanh_backward(n, &x.a[i], &x.b[i], &x.out[i]);
     }},
    {"gelu_erf_backward", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.gelu_erf_backward(n, &x.a[i], &x.b[i], &x.out[i]);
     }},
    {"add", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.add(n, &x.a[i], &x.b[i], &x.out[i]);
     }},
    {"adamw", Axis::kByElement,
     [](const KernelTable& t, Arrays& x, std::size_t i, std::size_t n) {
       t.adamw(n, &x.out[i], &x.a[i], &x.m[i], &x.v[i], kStep);
     }},
    {"softmax", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.softmax(n, kCols, &x.a[at(r)], kCols, &x.out[at(r)], kCols);
     }},
    {"softmax_backward", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.softmax_backward(n, kCols, &x.a[at(r)], kCols, &x.b[at(r)], kCols, &x.out[at(r)], kCols);
     }},
    {"layer_norm", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.layer_norm(n, kCols, &x.a[at(r)], kCols, x.gamma.data(), x.beta.data(), 1e-5f,
                    &x.out[at(r)], kCols, &x.row_out[r], &x.row_out2[r]);
     }},
    {"layer_norm_backward", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.layer_norm_backward(n, kCols, &x.a[at(r)], kCols, &x.b[at(r)], kCols, x.gamma.data(),
                             &x.mean[r], &x.rstd[r], &x.out[at(r)], kCols);
     }},
    {"cross_entropy", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.cross_entropy(n, kCols, &x.a[at(r)], kCols, &x.ids[r], 0.5f, &x.row_out[r], &x.out[at(r)],
                       kCols);
     }},
    {"cosine_similarity", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.cosine_similarity(n, kCols, x.gamma.data(), &x.a[at(r)], kCols, &x.row_out[r]);
     }},
    {"embedding_gather", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.embedding_gather(n, kCols, &x.ids[r], x.table.data(), kCols, 1.7f, &x.out[at(r)], kCols);
     }},
    {"embedding_scatter_add", Axis::kByColumn,
     [](const KernelTable& t, Arrays& x, std::size_t c, std::size_t n) {
       t.embedding_scatter_add(x.rows, n, x.ids.data(), &x.a[c], kCols, 1.7f, &x.out[c], kCols);
     }},
    {"column_sum", Axis::kByColumn,
     [](const KernelTable& t, Arrays& x, std::size_t c, std::size_t n) {
       t.column_sum(x.rows, n, &x.a[c], kCols, &x.col_out[c]);
     }},
    {"layer_norm_backward_parameters", Axis::kByColumn,
     [](const KernelTable& t, Arrays& x, std::size_t c, std::size_t n) {
       t.layer_norm_backward_parameters(x.rows, n, &x.a[c], kCols, &x.b[c], kCols, x.mean.data(),
                                        x.rstd.data(), &x.col_out[c], &x.col_out2[c]);
     }},
    {"sinusoidal_positions", Axis::kByRow,
     [](const KernelTable& t, Arrays& x, std::size_t r, std::size_t n) {
       t.sinusoidal_positions(n, kCols, 1000 + r, &x.out[at(r)], kCols);
     }},
};

std::size_t length(Axis axis) {
  return axis == Axis::kByElement ? kRows * kCols : axis == Axis::kByRow ? kRows : kCols;
}

testing::AssertionResult same_results(const Arrays& a, const Arrays& b) {
  for (const auto member : {&Arrays::out, &Arrays::m, &Arrays::v, &Arrays::row_out,
                            &Arrays::row_out2, &Arrays::col_out, &Arrays::col_out2})
    if (const auto result = same_bytes(a.*member, b.*member); !result) return result;
  return testing::AssertionSuccess();
}

template <class F>
void for_each_operation_and_isa(F f) {
  for_each_isa([&](const KernelTable& table) {
    for (const Operation& operation : kOperations) {
      SCOPED_TRACE(operation.name);
      f(table, operation);
    }
  });
}

TEST(Independence, BytesAreTheSameForOneTwoAndFourThreads) {
  for_each_operation_and_isa([](const KernelTable& table, const Operation& operation) {
    const std::size_t whole = length(operation.split);
    const Arrays start;
    Arrays expected = start;
    operation.run(table, expected, 0, whole);
    ASSERT_FALSE(same_results(expected, start)) << "the operation did nothing";
    for (const int threads : {1, 2, 4}) {
      Arrays actual = start;
      const std::size_t share = whole / static_cast<std::size_t>(threads) + 1;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
      for (int part = 0; part < threads; ++part) {
        const std::size_t begin = std::min(whole, share * static_cast<std::size_t>(part));
        const std::size_t count = std::min(share, whole - begin);
        if (count > 0) operation.run(table, actual, begin, count);
      }
      ASSERT_TRUE(same_results(actual, expected)) << threads << " threads";
    }
  });
}

// The arrays with row order[i] of a batch in place i.
Arrays mixed(const Arrays& x, const std::vector<std::size_t>& order) {
  Arrays y = x;
  y.rows = order.size();
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const auto member : {&Arrays::a, &Arrays::b, &Arrays::out, &Arrays::m, &Arrays::v})
      std::copy_n((x.*member).begin() + static_cast<std::ptrdiff_t>(at(order[i])), kCols,
                  (y.*member).begin() + static_cast<std::ptrdiff_t>(at(i)));
    for (const auto member : {&Arrays::mean, &Arrays::rstd, &Arrays::row_out, &Arrays::row_out2})
      (y.*member)[i] = (x.*member)[order[i]];
    y.ids[i] = x.ids[order[i]];
  }
  return y;
}

TEST(Independence, ARowHasTheSameBytesInEveryMixtureOfABatch) {
  std::vector<std::size_t> backwards(kRows);
  std::iota(backwards.rbegin(), backwards.rend(), std::size_t{0});
  const std::vector<std::vector<std::size_t>> mixtures = {
      backwards, {17}, {44, 0}, {5, 5, 5}, {3, 41, 8, 8, 22, 1, 30}};
  for_each_operation_and_isa([&](const KernelTable& table, const Operation& operation) {
    // A sinusoid's row is its position: position_test.cpp. Sums over rows have none of their own.
    if (operation.split == Axis::kByColumn || operation.name == std::string("sinusoidal_positions"))
      return;
    const Arrays start;
    Arrays whole = start;
    operation.run(table, whole, 0, length(operation.split));
    for (const std::vector<std::size_t>& order : mixtures) {
      Arrays actual = mixed(start, order);
      const std::size_t unit = operation.split == Axis::kByElement ? kCols : 1;
      operation.run(table, actual, 0, order.size() * unit);
      const Arrays expected = mixed(whole, order);
      const auto rows = [&](const std::vector<float>& x, std::size_t width) {
        return std::vector<float>(x.begin(),
                                  x.begin() + static_cast<std::ptrdiff_t>(order.size() * width));
      };
      ASSERT_TRUE(same_bytes(rows(actual.out, kCols), rows(expected.out, kCols)));
      ASSERT_TRUE(same_bytes(rows(actual.m, kCols), rows(expected.m, kCols)));
      ASSERT_TRUE(same_bytes(rows(actual.v, kCols), rows(expected.v, kCols)));
      ASSERT_TRUE(same_bytes(rows(actual.row_out, 1), rows(expected.row_out, 1)));
      ASSERT_TRUE(same_bytes(rows(actual.row_out2, 1), rows(expected.row_out2, 1)));
    }
  });
}

}  // namespace
}  // namespace glassgpt::test
