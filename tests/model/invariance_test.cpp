// What users may rely on, byte for byte: a vector depends on its own sequence, the weights and the
// ISA, and on nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <tuple>

#include "support.h"

namespace glassgpt::testing {
namespace {

class Invariance : public ::testing::TestWithParam<std::tuple<NamedConfig, ComputeType>> {
 protected:
  const ModelConfig& config() const { return std::get<NamedConfig>(GetParam()).config; }
  ForwardOptions on(int threads) const {
    return {.threads = threads, .compute = std::get<ComputeType>(GetParam())};
  }

  std::vector<TokenId> ids(std::size_t count, unsigned seed) const {
    return random_ids(std::min(count, config().n_positions), config().vocab_size, seed);
  }

  Seen everything(const OwnedBatch& batch, int threads = 1) const {
    Collector collector;
    test_.model.forward(batch.batch(), collector, on(threads));
    return collector.seen;
  }

  TestModel test_ = make_test_model(config(), 4);
};

bool same_bytes(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

TEST_P(Invariance, BytesDoNotDependOnThreads) {
  const OwnedBatch batch = make_batch({{ids(300, 1), ids(13, 2), ids(64, 3)}});
  const Seen expected = everything(batch);
  for (const int threads : {2, 3, 4, 7})
    for (int repeat = 0; repeat < 3; ++repeat)
      expect_same_bytes(everything(batch, threads), expected);
}

TEST_P(Invariance, BytesDoNotDependOnWhatElseIsInTheBatch) {
  const std::vector<TokenId> sequence = ids(31, 5);
  const Seen alone = everything(make_batch({{sequence}}));
  const std::vector<std::vector<std::vector<TokenId>>> mixtures = {
      {sequence, ids(300, 6)},
      {ids(1, 7), sequence},
      {ids(11, 8), {}, sequence, sequence, ids(33, 9)},
      {ids(40, 1), ids(40, 2), ids(40, 3), ids(40, 4), sequence},
  };
  for (const auto& mixture : mixtures) {
    const OwnedBatch batch = make_batch(mixture);
    const Seen mixed = everything(batch, 2);
    for (std::size_t b = 0; b < mixture.size(); ++b) {
      if (mixture[b] != sequence) continue;
      for (const auto& [key, expected] : alone) {
        const auto& [stage, layer, unused, head] = key;
        const bool per_head = stage == Stage::kScores || stage == Stage::kAttention;
        const StageData<float>& found = mixed.at({stage, layer, per_head ? b : 0, head});
        if (stage == Stage::kTokens) continue;
        const std::size_t first = per_head ? 0 : batch.offsets[b] * found.cols;
        EXPECT_TRUE(same_bytes(std::span(found.values).subspan(first, expected.values.size()),
                               expected.values))
            << stage_name(stage) << " of block " << layer << " as sequence " << b;
      }
    }
  }
}

// Gives the pass room for some of the rows that it may be given room for.
class Host : public Collector {
 public:
  Host(std::vector<Stage> stages, std::size_t every)
      : Collector(std::move(stages)), every_(every) {}

  float* room(Stage stage, std::size_t layer, std::size_t rows, std::size_t cols) override {
    EXPECT_TRUE(wants(stage, layer)) << stage_name(stage);
    if (asked_++ % every_ != 0) return nullptr;
    // One float off a cache line.
    std::vector<float>& room = rooms_[{stage, layer, 0, 0}];
    room.assign(1 + rows * cols, -1.0F);
    return room.data() + 1;
  }

  void on_stage(const StageView& view) override {
    Collector::on_stage(view);
    const auto room = rooms_.find({view.stage, view.layer, 0, 0});
    if (room == rooms_.end()) return;
    EXPECT_EQ(view.data, room->second.data() + 1);
    EXPECT_EQ(view.stride, view.cols);
  }

  // What was shown is still there.
  void expect_kept() const {
    EXPECT_FALSE(rooms_.empty());
    for (const auto& [key, room] : rooms_)
      EXPECT_TRUE(same_bytes(std::span(room).subspan(1), seen.at(key).values))
          << stage_name(std::get<Stage>(key)) << " of block " << std::get<1>(key);
  }
  std::size_t asked() const noexcept { return asked_; }

 private:
  std::size_t every_, asked_ = 0;
  std::map<StageKey, std::vector<float>> rooms_;
};

TEST_P(Invariance, BytesDoNotDependOnWhereTheObserverHasThemComputed) {
  const OwnedBatch batch = make_batch({{ids(40, 10), ids(17, 11), ids(70, 12)}});
  const std::vector<Stage> layers = {Stage::kEmbedding, Stage::kResidual, Stage::kFinal};
  const std::vector<Stage> more = {
      Stage::kTokenEmbedding, Stage::kPosition, Stage::kEmbedding, Stage::kQ,
      Stage::kMlpOut,         Stage::kResidual, Stage::kFinal};
  for (const std::vector<Stage>& stages : {layers, more})
    for (const std::size_t every : {1U, 2U}) {
      Collector expected(stages);
      test_.model.forward(batch.batch(), expected, on(1));
      Host host(stages, every);
      test_.model.forward(batch.batch(), host, on(2));
      expect_same_bytes(host.seen, expected.seen);
      host.expect_kept();
      EXPECT_EQ(host.asked(), config().n_layer + 2);
    }
}

TEST_P(Invariance, WatchingOneStageShowsTheBytesThatWatchingAllShows) {
  const OwnedBatch batch = make_batch({{ids(40, 10), ids(17, 11)}});
  const Seen expected = everything(batch);
  for (int stage = 0; stage <= static_cast<int>(Stage::kLogits); ++stage) {
    Collector collector({static_cast<Stage>(stage)});
    test_.model.forward(batch.batch(), collector, on(2));
    ASSERT_FALSE(collector.seen.empty());
    for (const auto& [key, data] : collector.seen)
      EXPECT_TRUE(same_bytes(data.values, expected.at(key).values))
          << stage_name(static_cast<Stage>(stage));
  }
}

// In the order of the pass, each stage announced as often as it has blocks and heads.
TEST_P(Invariance, StagesComeInTheOrderOfThePass) {
  Collector collector;
  test_.model.forward(make_batch({{ids(5, 12), ids(3, 13)}}).batch(), collector);
  std::vector<StageKey> expected;
  for (int i = 0; i < static_cast<int>(Stage::kLn1); ++i)
    expected.push_back({static_cast<Stage>(i), 0, 0, 0});
  for (std::size_t k = 0; k < config().n_layer; ++k)
    for (int i = static_cast<int>(Stage::kLn1); i <= static_cast<int>(Stage::kResidual); ++i) {
      const Stage stage = static_cast<Stage>(i);
      const bool per_head = stage == Stage::kScores || stage == Stage::kAttention;
      for (std::size_t b = 0; b < (per_head ? 2u : 1u); ++b)
        for (std::size_t head = 0; head < (per_head ? config().n_head : 1); ++head)
          expected.push_back({stage, k, b, head});
    }
  expected.push_back({Stage::kFinal, 0, 0, 0});
  expected.push_back({Stage::kLogits, 0, 0, 0});
  EXPECT_EQ(collector.order, expected);
}

TEST_P(Invariance, CachedTokensHaveTheBytesOfTheWholePass) {
  const std::vector<TokenId> sequence = ids(37, 14);
  const Seen whole = everything(make_batch({{sequence}}));
  for (const std::size_t step : {std::size_t{1}, std::size_t{5}, std::size_t{36}}) {
    KeyValueCache cache(config());
    for (std::size_t first = 0; first < sequence.size(); first += step) {
      const std::size_t count = std::min(step, sequence.size() - first);
      EXPECT_EQ(cache.tokens(), first);
      Collector collector({Stage::kQ, Stage::kAttentionHeads, Stage::kResidual, Stage::kLogits});
      test_.model.forward(std::span(sequence).subspan(first, count), cache, collector, on(2));
      for (const auto& [key, found] : collector.seen)
        EXPECT_TRUE(same_bytes(
            found.values,
            std::span(whole.at(key).values).subspan(first * found.cols, count * found.cols)))
            << stage_name(std::get<Stage>(key)) << " of block " << std::get<1>(key) << " at "
            << first << " in steps of " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Invariance,
    ::testing::Combine(::testing::ValuesIn(test_configs()),
                       ::testing::Values(ComputeType::kFloat32, ComputeType::kBFloat16)),
    [](const auto& instance) {
      return std::get<NamedConfig>(instance.param).name +
             (std::get<ComputeType>(instance.param) == ComputeType::kBFloat16 ? "_bfloat16" : "");
    });

TEST(KeyValueCache, ClearedItStartsAnew) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const std::vector<TokenId> ids = random_ids(9, 61, 1);
  KeyValueCache cache(test.plain.config);
  Collector first({Stage::kFinal}), second({Stage::kFinal});
  test.model.forward(ids, cache, first);
  cache.clear();
  EXPECT_EQ(cache.tokens(), 0u);
  test.model.forward(ids, cache, second);
  expect_same_bytes(second.seen, first.seen);
}

// The pass that only fills the cache leaves out the last block's attention and MLP.
TEST(KeyValueCache, FillsWithoutAnyoneWatching) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const std::vector<TokenId> ids = random_ids(9, 61, 1);
  struct Nobody : Observer {
    bool wants(Stage, std::size_t) const override { return false; }
    void on_stage(const StageView&) override { ADD_FAILURE() << "nothing is wanted"; }
  } nobody;
  KeyValueCache cache(test.plain.config);
  test.model.forward(std::span(ids).first(8), cache, nobody);
  EXPECT_EQ(cache.tokens(), 8u);
  Collector cached({Stage::kLogits}), whole({Stage::kLogits});
  test.model.forward(std::span(ids).last(1), cache, cached);
  test.model.forward(make_batch({{ids}}).batch(), whole);
  const auto& expected = whole.seen.at({Stage::kLogits, 0, 0, 0}).values;
  EXPECT_TRUE(
      same_bytes(cached.seen.at({Stage::kLogits, 0, 0, 0}).values, std::span(expected).last(61)));
}

// The first passes of a model: they pack its weights while others wait for them, or already run.
TEST(Model, SeveralThreadsMayCallForwardAtOnce) {
  const ModelConfig config = config_named("UntiedSevenWideHeads");
  const OwnedBatch batch = make_batch({{random_ids(33, config.vocab_size, 1)}});
  Collector expected;
  make_test_model(config).model.forward(batch.batch(), expected, {.threads = 1});
  const TestModel test = make_test_model(config);
  std::vector<Collector> found(4);
  std::vector<std::thread> callers;
  for (Collector& collector : found)
    callers.emplace_back([&] { test.model.forward(batch.batch(), collector, {.threads = 1}); });
  for (std::thread& caller : callers) caller.join();
  for (const Collector& collector : found) expect_same_bytes(collector.seen, expected.seen);
}

TEST(Observer, AnExceptionReachesTheCallerAndTheModelGoesOnWorking) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const OwnedBatch batch = make_batch({{random_ids(9, 61, 1)}});
  struct Thrower : Observer {
    bool wants(Stage stage, std::size_t) const override { return stage == Stage::kMlpOut; }
    void on_stage(const StageView& view) override {
      if (view.layer == 1) throw std::runtime_error("stop");
    }
  } thrower;
  Collector before, after;
  test.model.forward(batch.batch(), before);
  EXPECT_THROW(test.model.forward(batch.batch(), thrower), std::runtime_error);
  KeyValueCache cache(test.plain.config);
  EXPECT_THROW(test.model.forward(batch.ids, cache, thrower), std::runtime_error);
  EXPECT_EQ(cache.tokens(), 0u);
  test.model.forward(batch.batch(), after);
  expect_same_bytes(after.seen, before.seen);
}

// Weights that only later stages would read are poisoned: whoever computes on would show it, or be
// packed.
TEST(Observer, ThePassEndsAfterTheLastStageThatIsWanted) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const OwnedBatch batch = make_batch({{random_ids(9, 61, 1)}});
  struct FirstBlock : Observer {
    bool wants(Stage stage, std::size_t layer) const override {
      return stage == Stage::kEmbedding || (stage == Stage::kResidual && layer == 0);
    }
    void on_stage(const StageView&) override { ++calls; }
    int calls = 0;
  } first_block;
  Collector embedding({Stage::kEmbedding}), all;
  test.model.forward(batch.batch(), embedding);
  EXPECT_EQ(test.model.packed_bytes(), 0u);
  test.model.forward(batch.batch(), first_block);
  const std::size_t one_block = test.model.packed_bytes();
  EXPECT_EQ(first_block.calls, 2);
  test.model.forward(batch.batch(), all);
  EXPECT_GT(one_block, 0u);
  EXPECT_GT(test.model.packed_bytes(), 3 * one_block);
}

}  // namespace
}  // namespace glassgpt::testing
