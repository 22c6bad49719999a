#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/dispatch.h"
#include "tests/kernels/attention_oracle.h"
#include "tests/kernels/compare.h"

namespace glassgpt::kernels {
namespace {

using test::Bounded;
using test::GuardedBuffer;

// The tables of all ISAs that this CPU has, and the reference as one of them.
std::vector<KernelTable> implementations() {
  std::vector<KernelTable> tables;
  KernelTable reference{};
  reference.isa = "reference";
  reference.attention_scratch = attention_scratch_reference;
  reference.attention_forward = attention_forward_reference;
  reference.attention_backward = attention_backward_reference;
  reference.attention_weights = attention_weights_reference;
  tables.push_back(reference);
  for (const KernelTable* table : supported_kernels()) tables.push_back(*table);
  return tables;
}

enum class Layout { kInterleaved, kApart };

struct Sizes {
  std::size_t queries, keys, heads, head_dim;
};

// q, k and v of one sequence: columns of one buffer [keys, 3C] as a model has them, or three
// buffers with strides of their own. A sequence with fewer queries than keys is the tail of the
// longer one, so that both can be compared.
class Inputs {
 public:
  Inputs(const Sizes& sizes, Layout layout, float limit = 1.0f, std::uint32_t seed = 1) {
    const std::size_t width = sizes.heads * sizes.head_dim;
    const std::size_t stride = layout == Layout::kInterleaved ? 3 * width : width;
    const std::size_t gap = layout == Layout::kInterleaved ? 0 : 1;
    shape = {sizes.queries,
             sizes.keys,
             sizes.heads,
             sizes.head_dim,
             stride + 3 * gap,
             stride + 5 * gap,
             stride + 7 * gap,
             width + 3,
             static_cast<float>(1.0 / std::sqrt(static_cast<double>(sizes.head_dim)))};
    if (layout == Layout::kInterleaved) {
      storage_ = test::random_floats((sizes.keys + 1) * stride, seed, -limit, limit);
      q_ = 0, k_ = width, v_ = 2 * width;
    } else {
      storage_ = test::random_floats((sizes.keys + 1) * 3 * (stride + 7), seed, -limit, limit);
      q_ = 0, k_ = sizes.keys * shape.q_stride, v_ = k_ + sizes.keys * shape.k_stride;
    }
  }
  float* q() { return storage_.data() + q_ + (shape.keys - shape.queries) * shape.q_stride; }
  float* k() { return storage_.data() + k_; }
  float* v() { return storage_.data() + v_; }
  float* key(std::size_t j) { return k() + j * shape.k_stride; }
  float* value(std::size_t j) { return v() + j * shape.v_stride; }

  test::HeadInputs head(std::size_t h) { return test::head_inputs(shape, h, q(), k(), v()); }

  AttentionShape shape;

 private:
  std::vector<float> storage_;
  std::size_t q_ = 0, k_ = 0, v_ = 0;
};

// The outputs of one forward pass, each between canaries, computed in a scratch that is not a float
// larger than asked for.
struct Outputs {
  explicit Outputs(const AttentionShape& shape)
      : out(shape.queries, shape.heads * shape.head_dim, shape.out_stride, 1),
        log_sum_exp(shape.heads * shape.queries, 3) {}
  GuardedBuffer<> out, log_sum_exp;

  void run(const KernelTable& table, Inputs& in, std::size_t head_begin, std::size_t head_end,
           std::size_t query_begin, std::size_t query_end) {
    GuardedBuffer<> scratch(table.attention_scratch(in.shape));
    table.attention_forward(in.shape, head_begin, head_end, query_begin, query_end, in.q(), in.k(),
                            in.v(), out.data(), log_sum_exp.data(), scratch.data());
    EXPECT_TRUE(scratch.intact());
  }
  void run(const KernelTable& table, Inputs& in) {
    run(table, in, 0, in.shape.heads, 0, in.shape.queries);
    EXPECT_TRUE(out.intact());
    EXPECT_TRUE(log_sum_exp.intact());
  }
};

void expect_same_bytes(const Outputs& a, const Outputs& b) {
  const std::vector<float> out_a = a.out.values(), out_b = b.out.values();
  EXPECT_TRUE(test::compare_exact(out_a.data(), out_b.data(), out_a.size()));
  const std::vector<float> lse_a = a.log_sum_exp.values(), lse_b = b.log_sum_exp.values();
  EXPECT_TRUE(test::compare_exact(lse_a.data(), lse_b.data(), lse_a.size()));
}

void expect_forward_within_bound(const Sizes& sizes, Layout layout, float limit = 1.0f) {
  Inputs in(sizes, layout, limit);
  std::vector<test::HeadForward> expected;
  for (std::size_t h = 0; h < sizes.heads; ++h)
    expected.push_back(test::oracle_forward(in.head(h)));
  for (const KernelTable& table : implementations()) {
    SCOPED_TRACE(testing::Message() << table.isa << " queries " << sizes.queries << " keys "
                                    << sizes.keys << " head_dim " << sizes.head_dim);
    Outputs actual(in.shape);
    actual.run(table, in);
    for (std::size_t h = 0; h < sizes.heads; ++h) {
      EXPECT_TRUE(test::compare_bounded(actual.out.data() + h * sizes.head_dim, in.shape.out_stride,
                                        sizes.queries, sizes.head_dim, expected[h].out));
      EXPECT_TRUE(test::compare_bounded(actual.log_sum_exp.data() + h * sizes.queries, 1,
                                        sizes.queries, 1, expected[h].log_sum_exp));
    }
  }
}

// Around every lane count, panel, gradient block (64) and key block (256).
constexpr std::size_t kShortLengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33};
constexpr std::size_t kHeadDims[] = {1, 3, 8, 16, 31, 32, 33, 64, 80, 128};

TEST(AttentionForward, MatchesDoubleOnEveryIsa) {
  for (const std::size_t head_dim : kHeadDims)
    for (const std::size_t tokens : kShortLengths)
      expect_forward_within_bound({tokens, tokens, 2, head_dim}, Layout::kInterleaved);
  for (const std::size_t tokens : {63, 64, 65, 255, 256, 257})
    for (const std::size_t head_dim : {5, 32, 64})
      expect_forward_within_bound({tokens, tokens, 2, head_dim}, Layout::kApart);
  expect_forward_within_bound({1024, 1024, 1, 64}, Layout::kInterleaved);
  expect_forward_within_bound({33, 33, 1, 256}, Layout::kInterleaved);
  expect_forward_within_bound({20, 20, 1, 300}, Layout::kInterleaved);
}

TEST(AttentionForward, FewerQueriesThanKeysMatchesDoubleOnEveryIsa) {
  for (const std::size_t queries : {1, 2, 3, 7, 8, 9, 40})
    for (const std::size_t keys : {40, 255, 256, 257, 300, 513})
      for (const std::size_t head_dim : {3, 32, 64})
        expect_forward_within_bound({queries, keys, 2, head_dim}, Layout::kApart);
}

TEST(AttentionForward, ScoresOfTenThousandDoNotOverflow) {
  // Uniform in +-150: scores of D = 64 reach about +-10,000, and weights are all but one-hot.
  expect_forward_within_bound({300, 300, 1, 64}, Layout::kInterleaved, 150.0f);
  // Falling and rising maxima: the block's maximum moves by thousands at each of five blocks.
  for (const float slope : {-40.0f, 40.0f}) {
    Inputs in({1200, 1200, 1, 8}, Layout::kInterleaved);
    for (std::size_t j = 0; j < 1200; ++j) {
      for (std::size_t d = 0; d < 8; ++d) in.key(j)[d] = 0.0f;
      in.key(j)[0] = slope * static_cast<float>(j);
    }
    for (const KernelTable& table : implementations()) {
      SCOPED_TRACE(table.isa);
      Outputs actual(in.shape);
      actual.run(table, in);
      for (const float x : actual.out.values()) EXPECT_LE(std::fabs(x), 1.0f);
      for (const float x : actual.log_sum_exp.values()) EXPECT_TRUE(std::isfinite(x));
    }
  }
}

TEST(AttentionForward, BytesDoNotDependOnRangesOfHeadsAndQueries) {
  for (const Sizes& sizes : {Sizes{270, 270, 3, 32}, Sizes{77, 77, 3, 33}, Sizes{60, 400, 3, 64}}) {
    Inputs in(sizes, Layout::kInterleaved, 3.0f);
    for (const KernelTable* table : supported_kernels()) {
      SCOPED_TRACE(testing::Message() << table->isa << " queries " << sizes.queries);
      Outputs whole(in.shape);
      whole.run(*table, in);
      for (const std::size_t step : {1, 3, 8, 50}) {
        Outputs parts(in.shape);
        for (std::size_t h = 0; h < sizes.heads; ++h)
          for (std::size_t i = 0; i < sizes.queries; i += step)
            parts.run(*table, in, h, h + 1, i, std::min(i + step, sizes.queries));
        expect_same_bytes(parts, whole);
      }
    }
  }
}

// What `generate` relies on: a token's vector is the same whether its predecessors come from a
// cache or are computed with it.
TEST(AttentionForward, OneQueryAgainstACacheGivesTheBytesOfTheWholePass) {
  for (const std::size_t head_dim : {33, 64}) {
    Inputs in({300, 300, 2, head_dim}, Layout::kInterleaved, 3.0f);
    for (const KernelTable* table : supported_kernels()) {
      SCOPED_TRACE(testing::Message() << table->isa << " head_dim " << head_dim);
      Outputs whole(in.shape);
      whole.run(*table, in);
      for (std::size_t t = 0; t < 300; t += t < 280 ? 7 : 1) {
        Inputs one = in;
        one.shape.queries = 1;
        one.shape.keys = t + 1;
        Outputs row(one.shape);
        row.run(*table, one);
        EXPECT_TRUE(test::compare_exact(row.out.data(), whole.out.row(t), 2 * head_dim));
        for (std::size_t h = 0; h < 2; ++h)
          EXPECT_EQ(row.log_sum_exp[h], whole.log_sum_exp[h * 300 + t]);
      }
    }
  }
}

// Also on a key or value that is NaN or infinite: the mask is not a multiplication by 0.
TEST(AttentionForward, RowsDoNotDependOnLaterTokens) {
  const std::size_t tokens = 290, head_dim = 32;
  Inputs in({tokens, tokens, 1, head_dim}, Layout::kInterleaved, 3.0f);
  for (const KernelTable* table : supported_kernels()) {
    SCOPED_TRACE(table->isa);
    Outputs before(in.shape);
    before.run(*table, in);
    for (const std::size_t poisoned : {1, 9, 30, 100, 255, 256, 289}) {
      Inputs changed = in;
      for (std::size_t d = 0; d < head_dim; ++d) {
        changed.key(poisoned)[d] = std::numeric_limits<float>::infinity();
        changed.value(poisoned)[d] = std::numeric_limits<float>::quiet_NaN();
      }
      Outputs after(in.shape);
      after.run(*table, changed);
      for (std::size_t i = 0; i < poisoned; ++i)
        EXPECT_TRUE(test::compare_exact(after.out.row(i), before.out.row(i), head_dim));
      for (std::size_t i = poisoned; i < tokens; ++i)
        for (std::size_t d = 0; d < head_dim; ++d) EXPECT_TRUE(std::isnan(after.out.row(i)[d]));
    }
  }
}

TEST(AttentionForward, NaNAndInfinityBehaveAsInTheReference) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const KernelTable& table : implementations()) {
    SCOPED_TRACE(table.isa);
    // Scores: key 0 -infinity, key 1 finite, key 2 NaN, key 3 +infinity, for every query.
    Inputs in({4, 4, 1, 1}, Layout::kApart);
    const float keys[] = {-kInfinity, 1.0f, std::numeric_limits<float>::quiet_NaN(), kInfinity};
    for (std::size_t j = 0; j < 4; ++j) in.key(j)[0] = keys[j];
    for (std::size_t i = 0; i < 4; ++i) in.q()[i * in.shape.q_stride] = 1.0f;
    Outputs actual(in.shape);
    actual.run(table, in);
    EXPECT_TRUE(std::isnan(actual.out.row(0)[0])) << "a row of only -infinity has no softmax";
    EXPECT_EQ(actual.out.row(1)[0], in.value(1)[0]) << "a score of -infinity weighs nothing";
    EXPECT_TRUE(std::isnan(actual.out.row(2)[0]));
    EXPECT_TRUE(std::isnan(actual.out.row(3)[0]));
  }
}

TEST(AttentionForward, EmptyRangesWriteNothing) {
  for (const KernelTable& table : implementations()) {
    SCOPED_TRACE(table.isa);
    Inputs in({5, 5, 2, 8}, Layout::kInterleaved);
    Outputs untouched(in.shape), actual(in.shape);
    actual.run(table, in, 0, 2, 3, 3);
    actual.run(table, in, 1, 1, 0, 5);
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_EQ(0, std::memcmp(actual.out.row(i), untouched.out.row(i), 16 * sizeof(float)));
    Inputs none({0, 7, 2, 8}, Layout::kInterleaved);
    Outputs nothing(none.shape);
    nothing.run(table, none);
    Inputs empty({0, 0, 2, 8}, Layout::kInterleaved);
    Outputs empty_out(empty.shape);
    empty_out.run(table, empty);
  }
}

TEST(AttentionForward, LogSumExpMayBeNull) {
  for (const KernelTable& table : implementations()) {
    SCOPED_TRACE(table.isa);
    Inputs in({40, 40, 2, 16}, Layout::kInterleaved);
    Outputs with(in.shape), without(in.shape);
    with.run(table, in);
    GuardedBuffer<> scratch(table.attention_scratch(in.shape));
    table.attention_forward(in.shape, 0, 2, 0, 40, in.q(), in.k(), in.v(), without.out.data(),
                            nullptr, scratch.data());
    const std::vector<float> a = with.out.values(), b = without.out.values();
    EXPECT_TRUE(test::compare_exact(a.data(), b.data(), a.size()));
  }
}

TEST(AttentionWeights, TwinShowsTheWeightsOfTheForwardPass) {
  for (const Sizes& sizes : {Sizes{1, 1, 1, 4}, Sizes{37, 37, 2, 31}, Sizes{130, 260, 2, 64},
                             Sizes{5, 18, 1, 3}, Sizes{257, 257, 1, 32}}) {
    Inputs in(sizes, Layout::kInterleaved, 2.0f);
    const std::size_t h = sizes.heads - 1, count = sizes.queries * sizes.keys;
    const test::HeadInputs head = in.head(h);
    const test::HeadForward expected = test::oracle_forward(head);
    for (const KernelTable& table : implementations()) {
      SCOPED_TRACE(testing::Message() << table.isa << " keys " << sizes.keys);
      GuardedBuffer<> scores(count), weights(count), in_place(count);
      table.attention_weights(in.shape, h, in.q(), in.k(), scores.data(), weights.data());
      table.attention_weights(in.shape, h, in.q(), in.k(), nullptr, in_place.data());
      EXPECT_TRUE(test::compare_exact(in_place.data(), weights.data(), count));
      table.attention_weights(in.shape, h, in.q(), in.k(), in_place.data(), nullptr);
      EXPECT_EQ(0, std::memcmp(in_place.data(), scores.data(), count * sizeof(float)));
      EXPECT_TRUE(scores.intact());
      EXPECT_TRUE(weights.intact());

      Bounded out(sizes.queries * sizes.head_dim);
      Bounded exact_scores(1), exact_weights(1);
      for (std::size_t i = 0; i < sizes.queries; ++i) {
        const std::size_t row = i * sizes.keys;
        const double error =
            (2.0 * static_cast<double>(sizes.head_dim) + 16.0) * expected.largest[i] +
            static_cast<double>(sizes.keys) + 16.0;
        double sum = 0.0;
        for (std::size_t j = 0; j < sizes.keys; ++j) {
          if (j >= head.seen(i)) {
            EXPECT_EQ(scores[row + j], -std::numeric_limits<float>::infinity());
            EXPECT_EQ(weights[row + j], 0.0f);
            continue;
          }
          exact_scores.value[0] = expected.scores[row + j];
          exact_scores.error[0] = error;
          EXPECT_TRUE(test::compare_bounded(&scores[row + j], 1, 1, 1, exact_scores));
          exact_weights.value[0] = expected.weights[row + j];
          exact_weights.error[0] = error * expected.weights[row + j];
          EXPECT_TRUE(test::compare_bounded(&weights[row + j], 1, 1, 1, exact_weights));
          sum += double{weights[row + j]};
          for (std::size_t d = 0; d < sizes.head_dim; ++d)
            out.value[i * sizes.head_dim + d] +=
                double{weights[row + j]} * head.v[j * sizes.head_dim + d];
        }
        EXPECT_NEAR(sum, 1.0, static_cast<double>(sizes.keys + 2) * test::kUnitRoundoff);
      }
      Outputs forward(in.shape);
      forward.run(table, in);
      out.error = expected.out.error;
      for (double& error : out.error) error *= 2.0;
      EXPECT_TRUE(test::compare_bounded(forward.out.data() + h * sizes.head_dim,
                                        in.shape.out_stride, sizes.queries, sizes.head_dim, out));
    }
  }
}

}  // namespace
}  // namespace glassgpt::kernels
