// Wrong arguments of forward() are refused, with numbers, before anything is announced; empty ones
// are fine.
#include <gtest/gtest.h>

#include <cstdlib>

#include "glassgpt/error.h"
#include "support.h"

namespace glassgpt::testing {
namespace {

class Arguments : public ::testing::Test {
 protected:
  void expect_refused(const Batch& batch, const std::string& part,
                      const ForwardOptions& options = {}) {
    Collector collector;
    try {
      test_.model.forward(batch, collector, options);
      ADD_FAILURE() << "accepted, expected: " << part;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
    EXPECT_TRUE(collector.order.empty());
  }

  TestModel test_ = make_test_model(config_named("LearnedTied"));  // V = 61, 40 positions
};

TEST_F(Arguments, IdsBeyondTheVocabularyAreRefused) {
  const OwnedBatch batch = make_batch({{{1, 2, 60}, {3, 61}}});
  expect_refused(batch.batch(), "id 61 at place 4 is not in the vocabulary of 61");
  const OwnedBatch huge = make_batch({{{0xFFFFFFFFu}}});
  expect_refused(huge.batch(), "id 4294967295 at place 0");
}

TEST_F(Arguments, SequencesLongerThanTheContextAreRefusedWithTheirSurplus) {
  const OwnedBatch batch = make_batch({{std::vector<TokenId>(40), std::vector<TokenId>(47)}});
  expect_refused(batch.batch(),
                 "sequence 1 has 47 tokens, the model's context holds 40: 7 too many");
}

TEST_F(Arguments, OffsetsThatDoNotFitTheIdsAreRefused) {
  const std::vector<TokenId> ids(5);
  const std::vector<std::size_t> late = {1, 5}, early = {0, 4}, falling = {0, 4, 3, 5}, none;
  expect_refused({.ids = ids, .offsets = late}, "offsets must go from 0 to its 5 ids");
  expect_refused({.ids = ids, .offsets = early}, "offsets must go from 0 to its 5 ids");
  expect_refused({.ids = ids, .offsets = none}, "offsets must go from 0 to its 5 ids");
  expect_refused({.ids = ids, .offsets = falling}, "offsets must ascend: offset 2 is 3 after 4");
}

TEST_F(Arguments, ThreadsBelowZeroAreRefused) {
  const OwnedBatch batch = make_batch({{{1, 2}}});
  expect_refused(batch.batch(), "threads is -1", {.threads = -1});
}

TEST_F(Arguments, EmptyBatchesAndTextsYieldNoRows) {
  for (const OwnedBatch& batch : {OwnedBatch{}, make_batch({{{}}}), make_batch({{{}, {}}})}) {
    Collector collector;
    test_.model.forward(batch.batch(), collector);
    const auto& final = collector.seen.at({Stage::kFinal, 0, 0, 0});
    EXPECT_EQ(final.rows, 0u);
    EXPECT_EQ(final.cols, 32u);
    EXPECT_TRUE(collector.seen.contains({Stage::kLogits, 0, 0, 0}));
  }
  Collector nothing;
  test_.model.forward(Batch{}, nothing);
  EXPECT_EQ(nothing.seen.at({Stage::kFinal, 0, 0, 0}).rows, 0u);
}

TEST_F(Arguments, ACacheThatIsFullRefusesMore) {
  KeyValueCache cache(test_.plain.config);
  const std::vector<TokenId> ids(38);
  Collector collector({Stage::kFinal});
  test_.model.forward(ids, cache, collector);
  try {
    test_.model.forward(std::span(ids).first(3), cache, collector);
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(
        std::string(error.what()).find("has 41 tokens, the model's context holds 40: 1 too many"),
        std::string::npos)
        << error.what();
  }
  EXPECT_EQ(cache.tokens(), 38u);
  test_.model.forward(std::span(ids).first(2), cache, collector);
  EXPECT_EQ(cache.tokens(), 40u);
}

TEST_F(Arguments, ACacheMadeForAnotherModelIsRefused) {
  KeyValueCache cache(config_named("OneWideHead"));
  const std::vector<TokenId> ids(3);
  Collector collector;
  EXPECT_THROW(test_.model.forward(ids, cache, collector), std::invalid_argument);
}

TEST(DefaultThreads, FollowsTheEnvironment) {
  ASSERT_EQ(setenv("GLASSGPT_THREADS", "3", 1), 0);
  EXPECT_EQ(default_threads(), 3);
  for (const char* wrong : {"0", "-2", "two", "3 ", "99999", "1e3"}) {
    setenv("GLASSGPT_THREADS", wrong, 1);
    EXPECT_THROW(default_threads(), Error) << wrong;
  }
  setenv("GLASSGPT_THREADS", "", 1);
  EXPECT_GE(default_threads(), 1);
  unsetenv("GLASSGPT_THREADS");
  EXPECT_GE(default_threads(), 1);
}

}  // namespace
}  // namespace glassgpt::testing
