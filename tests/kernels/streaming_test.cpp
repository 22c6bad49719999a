// Large results go past the caches by other stores: their bytes must be those of the ordinary ones,
// wherever a row begins and ends, and nothing beside them may be touched.
#include "kernels/streaming.h"

#include <cmath>

#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;
using kernels::TokenId;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kFloats = std::size_t{1} << 18;  // smaller results never stream

// Within its life, results of kFloats and more stream, or none does.
class Threshold {
 public:
  explicit Threshold(std::size_t bytes) { kernels::set_streaming_threshold(bytes); }
  ~Threshold() { kernels::set_streaming_threshold(before_); }
  Threshold(const Threshold&) = delete;
  Threshold& operator=(const Threshold&) = delete;

 private:
  std::size_t before_ = kernels::streaming_threshold();
};

// run(table, out) writes a [rows, cols] result with the stride out has.
using Run = std::function<void(const KernelTable&, GuardedBuffer<>& out)>;

void expect_same_bytes_streamed(std::size_t rows, std::size_t cols, const Run& run) {
  for_each_isa([&](const KernelTable& table) {
    if (&table == &reference_table()) return;
    GuardedBuffer<> ordinary(rows, cols, cols, 0);
    {
      const Threshold never(kNever);
      run(table, ordinary);
    }
    const Threshold always(0);
    for (const std::size_t offset : {0, 1, 6, 15})
      for (const std::size_t gap : {0, 5}) {
        GuardedBuffer<> streamed(rows, cols, cols + gap, offset);
        run(table, streamed);
        ASSERT_TRUE(same_bytes(streamed.values(), ordinary.values())) << offset << " " << gap;
        ASSERT_TRUE(streamed.intact()) << offset << " " << gap;
      }
  });
}

TEST(Streaming, BeginsAtAQuarterOfTheLastCacheDividedByTheTeam) {
  const std::size_t least = kernels::streaming_threshold();
  EXPECT_GT(least, 0u);
  EXPECT_TRUE(kernels::outgrows_caches(least));
  EXPECT_FALSE(kernels::outgrows_caches(least - 1));
  bool part_outgrows[2] = {false, false};
  bool less_outgrows[2] = {true, true};
#pragma omp parallel for num_threads(2) schedule(static)
  for (int i = 0; i < 2; ++i) {
    part_outgrows[i] = kernels::outgrows_caches(least / 2);
    less_outgrows[i] = kernels::outgrows_caches(least / 2 - 1);
  }
  EXPECT_TRUE(part_outgrows[0] && part_outgrows[1]);
  EXPECT_FALSE(less_outgrows[0] || less_outgrows[1]);
}

TEST(Streaming, ElementwiseResultsHaveTheSameBytes) {
  for (const std::size_t n : {kFloats, kFloats + 1, kFloats + 17}) {
    const std::vector<float> x = random_floats(n, 1, -6.0f, 6.0f);
    const std::vector<float> z = random_floats(n, 2);
    for (const auto f : {&KernelTable::exp, &KernelTable::tanh, &KernelTable::erf,
                         &KernelTable::gelu_tanh, &KernelTable::gelu_erf})
      expect_same_bytes_streamed(1, n, [&](const KernelTable& t, GuardedBuffer<>& out) {
        (t.*f)(n, x.data(), out.data());
      });
    for (const auto f : {&KernelTable::gelu_tanh_backward, &KernelTable::gelu_erf_backward})
      expect_same_bytes_streamed(1, n, [&](const KernelTable& t, GuardedBuffer<>& out) {
        (t.*f)(n, x.data(), z.data(), out.data());
      });
    expect_same_bytes_streamed(1, n, [&](const KernelTable& t, GuardedBuffer<>& out) {
      t.add(n, x.data(), z.data(), out.data());
    });
  }
}

TEST(Streaming, RowsHaveTheSameBytes) {
  // 9000 columns are more than softmax and cross-entropy keep aside.
  for (const std::size_t cols : {3, 257, 1024, 9000}) {
    const std::size_t rows = kFloats / cols + 2;
    const std::vector<float> x = random_floats(rows * cols, 3, -6.0f, 6.0f);
    const std::vector<float> z = random_floats(rows * cols, 4);
    const std::vector<float> gamma = random_floats(cols, 5);
    const std::vector<float> beta = random_floats(cols, 6);
    std::vector<TokenId> targets(rows);
    for (std::size_t r = 0; r < rows; ++r)
      targets[r] = r % 5 == 0 ? kernels::kIgnoreTarget : static_cast<TokenId>(r % cols);
    std::vector<float> loss(rows);
    expect_same_bytes_streamed(rows, cols, [&](const KernelTable& t, GuardedBuffer<>& out) {
      t.softmax(rows, cols, x.data(), cols, out.data(), out.stride());
    });
    expect_same_bytes_streamed(rows, cols, [&](const KernelTable& t, GuardedBuffer<>& out) {
      t.softmax_backward(rows, cols, x.data(), cols, z.data(), cols, out.data(), out.stride());
    });
    expect_same_bytes_streamed(rows, cols, [&](const KernelTable& t, GuardedBuffer<>& out) {
      t.layer_norm(rows, cols, x.data(), cols, gamma.data(), beta.data(), 1e-5f, out.data(),
                   out.stride(), nullptr, nullptr);
    });
    expect_same_bytes_streamed(rows, cols, [&](const KernelTable& t, GuardedBuffer<>& out) {
      t.cross_entropy(rows, cols, x.data(), cols, targets.data(), 0.5f, loss.data(), out.data(),
                      out.stride());
    });
  }
}

TEST(Streaming, WritesInPlaceAsEver) {
  const Threshold always(0);
  const std::vector<float> x = random_floats(kFloats, 7, -6.0f, 6.0f);
  const std::vector<float> z = random_floats(kFloats, 8);
  for_each_isa([&](const KernelTable& t) {
    std::vector<float> apart(kFloats);
    t.gelu_erf_backward(kFloats, x.data(), z.data(), apart.data());
    for (const bool first : {true, false}) {
      std::vector<float> a = x, b = z;
      std::vector<float>& in_place = first ? a : b;
      t.gelu_erf_backward(kFloats, a.data(), b.data(), in_place.data());
      ASSERT_TRUE(same_bytes(in_place, apart));
    }
    std::vector<float> rows = x;
    t.softmax(256, kFloats / 256, x.data(), kFloats / 256, apart.data(), kFloats / 256);
    t.softmax(256, kFloats / 256, rows.data(), kFloats / 256, rows.data(), kFloats / 256);
    ASSERT_TRUE(same_bytes(rows, apart));
  });
}

}  // namespace
}  // namespace glassgpt::test
