#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/dispatch.h"
#include "tests/kernels/attention_oracle.h"
#include "tests/kernels/compare.h"

namespace glassgpt::kernels {
namespace {

using test::GuardedBuffer;

// One sequence as a training step has it: q, k, v in one buffer [T, 3C] and the gradient likewise,
// out and d_out [T, C].
struct Step {
  Step(std::size_t tokens, std::size_t heads, std::size_t head_dim, float limit = 1.0f)
      : width(heads * head_dim),
        shape{tokens,
              tokens,
              heads,
              head_dim,
              3 * width,
              3 * width,
              3 * width,
              width + 1,
              static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)))},
        qkv(test::random_floats((tokens + 1) * 3 * width, 11, -limit, limit)),
        d_out(test::random_floats((tokens + 1) * shape.out_stride, 12)),
        out((tokens + 1) * shape.out_stride),
        log_sum_exp(heads * tokens) {
    std::vector<float> scratch(attention_scratch_reference(shape));
    attention_forward_reference(shape, 0, heads, 0, tokens, q(), k(), v(), out.data(),
                                log_sum_exp.data(), scratch.data());
  }
  float* q() { return qkv.data(); }
  float* k() { return qkv.data() + width; }
  float* v() { return qkv.data() + 2 * width; }
  test::HeadInputs head(std::size_t h) { return test::head_inputs(shape, h, q(), k(), v()); }

  // Of the heads [begin, end) into `d_qkv` [T, 3C].
  void backward(AttentionScratchFn* scratch_size, AttentionBackwardFn* run, std::size_t begin,
                std::size_t end, float* d_qkv) {
    GuardedBuffer<> scratch(scratch_size(shape));
    run(shape, begin, end, q(), k(), v(), out.data(), d_out.data(), log_sum_exp.data(), d_qkv,
        d_qkv + width, d_qkv + 2 * width, scratch.data());
    EXPECT_TRUE(scratch.intact());
  }

  std::size_t width;
  AttentionShape shape;
  std::vector<float> qkv, d_out, out, log_sum_exp;
};

void expect_backward_within_bound(std::size_t tokens, std::size_t heads, std::size_t head_dim,
                                  float limit = 1.0f) {
  Step step(tokens, heads, head_dim, limit);
  const std::size_t stride = 3 * step.width;
  std::vector<test::HeadBackward> expected;
  for (std::size_t h = 0; h < heads; ++h) {
    const auto rows = [&](const std::vector<float>& from) {
      return test::head_rows(from.data() + h * head_dim, step.shape.out_stride, tokens, head_dim);
    };
    expected.push_back(test::oracle_backward(step.head(h), rows(step.out), rows(step.d_out),
                                             step.log_sum_exp.data() + h * tokens));
  }
  const auto check = [&](const char* name, AttentionScratchFn* scratch_size,
                         AttentionBackwardFn* run) {
    SCOPED_TRACE(testing::Message() << name << " T " << tokens << " head_dim " << head_dim);
    // Rows of the gradient are one float wider than 3C here, to see that nothing else is written.
    GuardedBuffer<> gradient(tokens, stride, stride, 1);
    step.backward(scratch_size, run, 0, heads, gradient.data());
    EXPECT_TRUE(gradient.intact());
    for (std::size_t h = 0; h < heads; ++h) {
      const float* at = gradient.data() + h * head_dim;
      EXPECT_TRUE(test::compare_bounded(at, stride, tokens, head_dim, expected[h].d_q)) << "d_q";
      EXPECT_TRUE(test::compare_bounded(at + step.width, stride, tokens, head_dim, expected[h].d_k))
          << "d_k";
      EXPECT_TRUE(
          test::compare_bounded(at + 2 * step.width, stride, tokens, head_dim, expected[h].d_v))
          << "d_v";
    }
  };
  check("reference", attention_scratch_reference, attention_backward_reference);
  for (const KernelTable* table : supported_kernels())
    check(table->isa, table->attention_scratch, table->attention_backward);
}

TEST(AttentionBackward, MatchesDoubleOnEveryIsa) {
  for (const std::size_t head_dim : {1, 3, 8, 16, 31, 32, 33, 64, 80, 128})
    for (const std::size_t tokens : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 33})
      expect_backward_within_bound(tokens, 2, head_dim);
  for (const std::size_t tokens : {63, 64, 65, 129, 257})
    for (const std::size_t head_dim : {5, 32, 64})
      expect_backward_within_bound(tokens, 1, head_dim);
  expect_backward_within_bound(600, 1, 64);
}

TEST(AttentionBackward, LargeScoresStayWithinTheBound) {
  expect_backward_within_bound(130, 1, 64, 150.0f);
}

// The loss is sum(d_out * out), so its derivative with respect to q, k and v is what the backward
// pass computes.
TEST(AttentionBackward, ReferenceMatchesFiniteDifferences) {
  for (const std::size_t head_dim : {1, 5, 8}) {
    Step step(9, 2, head_dim);
    const std::size_t tokens = 9, stride = 3 * step.width;
    std::vector<float> gradient(tokens * stride);
    step.backward(attention_scratch_reference, attention_backward_reference, 0, 2, gradient.data());
    for (std::size_t h = 0; h < 2; ++h) {
      test::HeadInputs head = step.head(h);
      const std::vector<double> d_out = test::head_rows(step.d_out.data() + h * head_dim,
                                                        step.shape.out_stride, tokens, head_dim);
      const auto loss = [&] {
        const test::HeadForward forward = test::oracle_forward(head);
        return test::dot(d_out.data(), forward.out.value.data(), d_out.size());
      };
      std::vector<double>* const inputs[] = {&head.q, &head.k, &head.v};
      for (std::size_t which = 0; which < 3; ++which)
        for (std::size_t t = 0; t < tokens; ++t)
          for (std::size_t d = 0; d < head_dim; ++d) {
            double& x = (*inputs[which])[t * head_dim + d];
            const double saved = x, h_step = 1e-5;
            x = saved + h_step;
            const double above = loss();
            x = saved - h_step;
            const double below = loss();
            x = saved;
            const float actual = gradient[t * stride + which * step.width + h * head_dim + d];
            EXPECT_NEAR(double{actual}, (above - below) / (2.0 * h_step), 2e-6);
          }
    }
  }
}

TEST(AttentionBackward, BytesDoNotDependOnTheRangeOfHeads) {
  const std::size_t tokens = 150, heads = 5;
  Step step(tokens, heads, 32);
  const std::size_t size = tokens * 3 * step.width;
  for (const KernelTable* table : supported_kernels()) {
    SCOPED_TRACE(table->isa);
    GuardedBuffer<> whole(size), parts(size);
    step.backward(table->attention_scratch, table->attention_backward, 0, heads, whole.data());
    const std::size_t cuts[] = {0, 1, 1, 4, 5};
    for (std::size_t c = 0; c + 1 < 5; ++c)
      step.backward(table->attention_scratch, table->attention_backward, cuts[c], cuts[c + 1],
                    parts.data());
    EXPECT_TRUE(test::compare_exact(parts.data(), whole.data(), size));
  }
}

TEST(AttentionBackward, EmptySequencesAndRangesWriteNothing) {
  const auto check = [](AttentionScratchFn* scratch_size, AttentionBackwardFn* run) {
    Step step(6, 2, 8);
    GuardedBuffer<> gradient(6 * 3 * step.width), untouched(6 * 3 * step.width);
    step.backward(scratch_size, run, 1, 1, gradient.data());
    EXPECT_EQ(0, std::memcmp(gradient.data(), untouched.data(), 6 * 3 * step.width * 4));
    Step empty(0, 2, 8);
    std::vector<float> nothing(3 * empty.width);
    empty.backward(scratch_size, run, 0, 2, nothing.data());
  };
  check(attention_scratch_reference, attention_backward_reference);
  for (const KernelTable* table : supported_kernels())
    check(table->attention_scratch, table->attention_backward);
}

}  // namespace
}  // namespace glassgpt::kernels
