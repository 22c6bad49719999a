// Where the time of a pass goes. Clocks are made up here: no test depends on how fast the machine
// is.
#include "glassgpt/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "model/stage_cost.h"
#include "support.h"

namespace glassgpt::testing {
namespace {

// One tick for each look at it.
std::int64_t ticks = 0;
std::int64_t ticking() noexcept { return ++ticks; }

// Steps of many sizes, 0 among them.
std::int64_t uneven() noexcept {
  ticks = (ticks * 1103515245 + 12345) % 2147483648;
  static std::int64_t moment = 0;
  return moment += ticks % 1009;
}

OwnedBatch two_sequences(const ModelConfig& config) {
  return make_batch(
      {{random_ids(20, config.vocab_size, 1), {}, random_ids(9, config.vocab_size, 2)}});
}

void expect_end_to_end(const PassProfile& profile) {
  ASSERT_FALSE(profile.spans.empty());
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < profile.spans.size(); ++i) {
    const StageSpan& span = profile.spans[i];
    EXPECT_LE(span.begin, span.end);
    EXPECT_EQ(span.begin, i > 0 ? profile.spans[i - 1].end : span.begin);
    sum += span.end - span.begin;
  }
  EXPECT_EQ(sum, profile.nanoseconds());
}

TEST(Profile, StagesAndTheRestAreTheWholeTime) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const OwnedBatch batch = two_sequences(test.plain.config);
  for (PassProfile::Clock* const clock :
       {&ticking, &uneven, static_cast<PassProfile::Clock*>(nullptr)}) {
    PassProfile profile{.clock = clock, .spans = {}};
    Collector collector;
    test.model.forward(batch.batch(), collector, {.threads = 1, .profile = &profile});
    expect_end_to_end(profile);
    std::int64_t sum = 0;
    for (const StageTime& time : stage_times(profile)) sum += time.nanoseconds;
    EXPECT_EQ(sum, profile.nanoseconds());
  }
}

TEST(Profile, EveryStageOfEveryBlockIsCalledOnceInTheOrderOfThePass) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const OwnedBatch batch = two_sequences(test.plain.config);
  PassProfile profile;
  Collector layers({Stage::kEmbedding, Stage::kResidual, Stage::kFinal, Stage::kLogits});
  test.model.forward(batch.batch(), layers, {.profile = &profile});
  std::vector<std::pair<TimedStage, std::size_t>> expected = {{TimedStage::kTokenEmbedding, 0},
                                                              {TimedStage::kEmbedding, 0}};
  for (std::size_t k = 0; k < test.plain.config.n_layer; ++k)
    for (const TimedStage stage :
         {TimedStage::kLn1, TimedStage::kQueryKeyValue, TimedStage::kAttentionHeads,
          TimedStage::kAttentionOut, TimedStage::kLn2, TimedStage::kMlpHidden, TimedStage::kMlpOut})
      expected.emplace_back(stage, k);
  expected.emplace_back(TimedStage::kFinal, 0);
  expected.emplace_back(TimedStage::kLogits, 0);
  std::vector<std::pair<TimedStage, std::size_t>> called;
  for (const StageSpan& span : profile.spans)
    for (std::size_t call = 0; call < span.calls; ++call)
      called.emplace_back(span.stage, span.layer);
  EXPECT_EQ(called, expected);

  const std::vector<StageTime> times = stage_times(profile);
  ASSERT_EQ(times.size(), expected.size() + 1);
  const PassShape shape(test.plain.config, batch.offsets, 0);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(std::pair(times[i].stage, times[i].layer), expected[i]);
    EXPECT_EQ(times[i].calls, 1u);
    EXPECT_EQ(times[i].cost, stage_cost(expected[i].first, shape));
  }
  EXPECT_EQ(times.back().stage, TimedStage::kOther);
}

// An observer that takes a thousand ticks each time. Everything else takes one tick a span.
TEST(Profile, TheTimeOfObserversIsNotTheStages) {
  struct Slow : Observer {
    bool wants(Stage, std::size_t) const override { return true; }
    void on_stage(const StageView&) override {
      ticks += 1000;
      ++calls;
    }
    std::int64_t calls = 0;
  } slow;
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const OwnedBatch batch = two_sequences(test.plain.config);
  PassProfile profile{.clock = ticking, .spans = {}};
  test.model.forward(batch.batch(), slow, {.threads = 1, .profile = &profile});
  EXPECT_EQ(profile.nanoseconds(),
            static_cast<std::int64_t>(profile.spans.size()) + 1000 * slow.calls);
  for (const StageSpan& span : profile.spans)
    EXPECT_TRUE(span.stage == TimedStage::kOther || span.end - span.begin == 1);
  // Stages that watchers interrupt in their middle still count as one call.
  for (const StageTime& time : stage_times(profile)) {
    const std::size_t calls = time.stage == TimedStage::kOther              ? 0
                              : time.stage == TimedStage::kAttentionWeights ? 2
                                                                            : 1;
    EXPECT_EQ(time.calls, calls) << timed_stage_name(time.stage);
  }
}

TEST(Profile, TimingChangesNoByte) {
  for (const NamedConfig& named : test_configs()) {
    const TestModel test = make_test_model(named.config);
    const OwnedBatch batch = two_sequences(named.config);
    Collector without, with;
    test.model.forward(batch.batch(), without);
    PassProfile profile;
    test.model.forward(batch.batch(), with, {.profile = &profile});
    expect_same_bytes(with.seen, without.seen);
    EXPECT_EQ(with.order, without.order);
  }
}

TEST(Profile, HoldsTheLatestPassAlone) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  PassProfile profile;
  Collector all, embedding({Stage::kEmbedding});
  const OwnedBatch batch = two_sequences(test.plain.config);
  test.model.forward(batch.batch(), all, {.profile = &profile});
  test.model.forward(batch.batch(), embedding, {.profile = &profile});
  const std::vector<StageTime> times = stage_times(profile);
  ASSERT_EQ(times.size(), 3u);
  EXPECT_EQ(times[0].stage, TimedStage::kTokenEmbedding);
  EXPECT_EQ(times[1].stage, TimedStage::kEmbedding);
  EXPECT_EQ(times[2].stage, TimedStage::kOther);
}

TEST(Profile, AnExceptionLeavesSpansEndToEnd) {
  struct Thrower : Observer {
    bool wants(Stage stage, std::size_t) const override { return stage == Stage::kMlpOut; }
    void on_stage(const StageView&) override { throw std::runtime_error("stop"); }
  } thrower;
  const TestModel test = make_test_model(config_named("LearnedTied"));
  PassProfile profile{.clock = ticking, .spans = {}};
  EXPECT_THROW(test.model.forward(two_sequences(test.plain.config).batch(), thrower,
                                  {.threads = 1, .profile = &profile}),
               std::runtime_error);
  expect_end_to_end(profile);
}

TEST(Profile, CachedTokensAreCountedAsKeys) {
  const TestModel test = make_test_model(config_named("LearnedTied"));
  const std::vector<TokenId> ids = random_ids(12, 61, 1);
  KeyValueCache cache(test.plain.config);
  PassProfile profile;
  Collector final_layer({Stage::kFinal});
  test.model.forward(std::span(ids).first(10), cache, final_layer);
  test.model.forward(std::span(ids).last(2), cache, final_layer, {.profile = &profile});
  for (const StageTime& time : stage_times(profile)) {
    if (time.stage != TimedStage::kAttentionHeads) continue;
    // The 11th token sees 11, the 12th sees 12; C = 32.
    EXPECT_EQ(time.cost.flops, 4.0 * 32 * (11 + 12));
    EXPECT_EQ(time.cost.activation_bytes, 4.0 * 32 * (2 * 2 + 2 * 12));
  }
}

// Counted by hand: two sequences of 3 and 2 tokens, C = 8, F = 20, H = 2, V = 10.
TEST(StageCost, IsWhatAPersonCounts) {
  const ModelConfig config{
      .vocab_size = 10, .n_positions = 16, .n_embd = 8, .n_layer = 1, .n_head = 2, .n_inner = 20};
  const std::size_t offsets[] = {0, 3, 5};
  PassShape shape(config, offsets, 0);
  EXPECT_EQ(shape.rows, 5);
  EXPECT_EQ(shape.keys, 5);
  EXPECT_EQ(shape.pairs, 6 + 3);
  EXPECT_EQ(shape.square, 9 + 4);

  // 5 rows of 8: from the table and to the stream; 5 ids of 4 bytes.
  EXPECT_EQ(token_embedding_cost(shape), (StageCost{40, 160, 180}));
  // The position's rows; the stream read and written.
  EXPECT_EQ(embedding_cost(shape), (StageCost{40, 160, 320}));
  EXPECT_EQ(layer_norm_cost(shape), (StageCost{360, 64, 320}));
  // 5 x 8 x 24 multiply-adds; a matrix of 192 and 24 biases; 40 in, 120 out.
  EXPECT_EQ(query_key_value_cost(shape), (StageCost{1920, 864, 640}));
  // 9 pairs, 8 multiply-adds each; q and k of 40 each, 2 heads of 13 scores.
  EXPECT_EQ(attention_weights_cost(shape), (StageCost{144, 0, 424}));
  // 9 pairs, 8 multiply-adds each, twice; q, k, v and the output, 40 each.
  EXPECT_EQ(attention_heads_cost(shape), (StageCost{288, 0, 640}));
  // 5 x 8 x 8 multiply-adds; a matrix of 64 and 8 biases; heads and stream in, stream out.
  EXPECT_EQ(attention_out_cost(shape), (StageCost{640, 288, 480}));
  EXPECT_EQ(mlp_hidden_cost(shape), (StageCost{1600, 720, 560}));
  EXPECT_EQ(mlp_out_cost(shape), (StageCost{1600, 672, 720}));
  EXPECT_EQ(logits_cost(shape), (StageCost{800, 320, 360}));
  EXPECT_EQ(stage_cost(TimedStage::kOther, shape), StageCost{});

  // Matrices of 16 bits; biases stay float32.
  shape.weight_bytes = 2;
  EXPECT_EQ(query_key_value_cost(shape), (StageCost{1920, 480, 640}));
}

TEST(StageCost, AnEmptyBatchCostsNoWork) {
  const ModelConfig config = config_named("LearnedTied");
  const std::size_t empty[] = {0, 0};
  for (const PassShape& shape : {PassShape(config, {}, 0), PassShape(config, empty, 0)})
    for (int stage = 0; stage <= static_cast<int>(TimedStage::kOther); ++stage) {
      EXPECT_EQ(stage_cost(static_cast<TimedStage>(stage), shape).flops, 0);
      EXPECT_EQ(stage_cost(static_cast<TimedStage>(stage), shape).activation_bytes, 0);
    }
}

}  // namespace
}  // namespace glassgpt::testing
