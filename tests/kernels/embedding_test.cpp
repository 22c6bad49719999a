#include "tests/kernels/kernel_testing.h"

namespace glassgpt::test {
namespace {

using kernels::KernelTable;
using kernels::TokenId;

constexpr std::size_t kVocabulary = 9;
const std::vector<TokenId> kIds = {3, 0, 8, 3, 3, 1};

TEST(EmbeddingGather, IsTheScaledRowOnEveryIsaAndLayout) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t cols : all_sizes(table.lanes)) {
      if (cols > 10000) continue;
      const std::vector<float> values = random_floats(kVocabulary * cols, 1);
      for (std::size_t offset : {0, 1, 5}) {
        GuardedBuffer<> weights(kVocabulary, cols, cols + 3, offset);
        GuardedBuffer<> y(kIds.size(), cols, cols + 1, offset + 1);
        weights.assign(values);
        const float scale = 2.7f;
        table.embedding_gather(kIds.size(), cols, kIds.data(), weights.data(), weights.stride(),
                               scale, y.data(), y.stride());
        std::vector<float> expected;
        for (TokenId id : kIds)
          for (std::size_t c = 0; c < cols; ++c) expected.push_back(scale * values[id * cols + c]);
        ASSERT_TRUE(same_bytes(y.values(), expected)) << cols;
        ASSERT_TRUE(y.intact() && weights.intact());
      }
    }
    table.embedding_gather(0, 4, nullptr, nullptr, 4, 1.0f, nullptr, 4);
  });
}

TEST(EmbeddingScatterAdd, AddsEveryRowOfARepeatedId) {
  for_each_isa([](const KernelTable& table) {
    for (std::size_t cols : small_sizes(table.lanes)) {
      const std::vector<float> gradients = random_integers(kIds.size() * cols, 2, 50);
      const std::vector<float> start = random_integers(kVocabulary * cols, 3, 50);
      GuardedBuffer<> d_y(kIds.size(), cols, cols + 2, 1);
      GuardedBuffer<> d_table(kVocabulary, cols, cols + 5, 2);
      d_y.assign(gradients);
      d_table.assign(start);
      table.embedding_scatter_add(kIds.size(), cols, kIds.data(), d_y.data(), d_y.stride(), 4.0f,
                                  d_table.data(), d_table.stride());
      std::vector<float> expected = start;
      for (std::size_t r = 0; r < kIds.size(); ++r)
        for (std::size_t c = 0; c < cols; ++c)
          expected[kIds[r] * cols + c] += 4.0f * gradients[r * cols + c];
      ASSERT_TRUE(same_bytes(d_table.values(), expected)) << cols;
      ASSERT_TRUE(d_y.intact() && d_table.intact());
    }
  });
}

TEST(EmbeddingScatterAdd, IsTheAdjointOfGather) {
  // <gather(table), d_y> = <table, scatter_add(d_y)>, exactly for small integers.
  constexpr std::size_t kCols = 53;
  const std::vector<float> weights = random_integers(kVocabulary * kCols, 4, 9);
  const std::vector<float> d_y = random_integers(kIds.size() * kCols, 5, 9);
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> y(d_y.size());
    std::vector<float> d_weights(weights.size(), 0.0f);
    table.embedding_gather(kIds.size(), kCols, kIds.data(), weights.data(), kCols, 2.0f, y.data(),
                           kCols);
    table.embedding_scatter_add(kIds.size(), kCols, kIds.data(), d_y.data(), kCols, 2.0f,
                                d_weights.data(), kCols);
    double forward = 0;
    double backward = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
      forward += static_cast<double>(y[i]) * static_cast<double>(d_y[i]);
    for (std::size_t i = 0; i < weights.size(); ++i)
      backward += static_cast<double>(weights[i]) * static_cast<double>(d_weights[i]);
    EXPECT_EQ(forward, backward);
    EXPECT_NE(forward, 0.0);
  });
}

TEST(EmbeddingScatterAdd, BytesDoNotDependOnHowColumnsAreSplit) {
  constexpr std::size_t kCols = 131;
  const std::vector<float> d_y = random_floats(kIds.size() * kCols, 6);
  for_each_isa([&](const KernelTable& table) {
    std::vector<float> whole(kVocabulary * kCols, 0.3f);
    std::vector<float> split = whole;
    table.embedding_scatter_add(kIds.size(), kCols, kIds.data(), d_y.data(), kCols, 1.7f,
                                whole.data(), kCols);
    for (std::size_t begin = 0; begin < kCols; begin += 37)
      table.embedding_scatter_add(kIds.size(), std::min<std::size_t>(37, kCols - begin),
                                  kIds.data(), d_y.data() + begin, kCols, 1.7f,
                                  split.data() + begin, kCols);
    EXPECT_TRUE(same_bytes(split, whole));
  });
}

}  // namespace
}  // namespace glassgpt::test
