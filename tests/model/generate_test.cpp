#include "glassgpt/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "support.h"

namespace glassgpt::testing {
namespace {

class Generate : public ::testing::Test {
 protected:
  // The logits of the token after `ids`, from a whole pass.
  std::vector<float> logits_after(std::span<const TokenId> ids) const {
    Collector collector({Stage::kLogits});
    const std::vector<TokenId> sequence(ids.begin(), ids.end());
    test_.model.forward(make_batch({{sequence}}).batch(), collector);
    const auto& values = collector.seen.at({Stage::kLogits, 0, 0, 0}).values;
    return {values.end() - static_cast<std::ptrdiff_t>(vocab()), values.end()};
  }
  TokenId best_after(std::span<const TokenId> ids) const {
    const std::vector<float> logits = logits_after(ids);
    return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  std::size_t vocab() const { return test_.plain.config.vocab_size; }

  TestModel test_ = make_test_model(config_named("LearnedTied"));  // V = 61, 40 positions
  std::vector<TokenId> prompt_ = random_ids(6, 61, 2);
};

TEST_F(Generate, GreedyFollowsTheLargestLogitOfTheWholePass) {
  std::vector<TokenId> all = prompt_;
  for (const TokenId token : generate(test_.model, prompt_, {.max_tokens = 20, .temperature = 0})) {
    EXPECT_EQ(token, best_after(all)) << "after " << all.size();
    all.push_back(token);
  }
  EXPECT_EQ(all.size(), 26u);
}

// Prompt and 34 tokens fill the 40 positions; then the last 20 go on.
TEST_F(Generate, AFullContextGoesOnFromItsLastHalf) {
  std::vector<TokenId> context = prompt_;
  const std::vector<TokenId> tokens =
      generate(test_.model, prompt_, {.max_tokens = 90, .temperature = 0});
  ASSERT_EQ(tokens.size(), 90u);
  for (const TokenId token : tokens) {
    EXPECT_EQ(token, best_after(context)) << "after " << context.size();
    if (context.size() == 40) context.erase(context.begin(), context.begin() + 20);
    context.push_back(token);
  }
}

TEST_F(Generate, APromptAsLongAsTheContextIsContinued) {
  const std::vector<TokenId> prompt = random_ids(40, 61, 3);
  const std::vector<TokenId> tokens =
      generate(test_.model, prompt, {.max_tokens = 1, .temperature = 0});
  EXPECT_EQ(tokens, std::vector{best_after(prompt)});
}

TEST_F(Generate, TheSeedDecides) {
  const auto run = [&](std::uint64_t seed, int threads) {
    return generate(test_.model, prompt_,
                    {.max_tokens = 30, .seed = seed, .forward = {.threads = threads}});
  };
  EXPECT_EQ(run(5, 1), run(5, 2));
  EXPECT_NE(run(5, 1), run(6, 1));
}

TEST_F(Generate, TokensAreDrawnByTheirProbabilities) {
  const double temperature = 2.5;
  const std::vector<float> logits = logits_after(prompt_);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) / temperature);
  std::map<TokenId, int> counts;
  const int draws = 1500;
  for (int i = 0; i < draws; ++i)
    ++counts[generate(test_.model, prompt_,
                      {.max_tokens = 1,
                       .temperature = static_cast<float>(temperature),
                       .seed = static_cast<std::uint64_t>(i),
                       .forward = {.threads = 1}})[0]];
  for (TokenId id = 0; id < vocab(); ++id) {
    const double p = std::exp(static_cast<double>(logits[id]) / temperature) / sum;
    EXPECT_NEAR(counts[id], draws * p, 5.0 * std::sqrt(draws * p) + 1.0) << id;
  }
}

TEST_F(Generate, TopKAndTopPKeepTheMostProbable) {
  std::vector<float> logits = logits_after(prompt_);
  std::vector<TokenId> order(vocab());
  for (TokenId id = 0; id < vocab(); ++id) order[id] = id;
  std::sort(order.begin(), order.end(),
            [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  // Half of the probability of the first three: the nucleus is those that reach it.
  double nucleus_mass = 0.0;
  std::set<TokenId> nucleus, three(order.begin(), order.begin() + 3);
  for (std::size_t i = 0; nucleus_mass < 0.8; ++i) {
    nucleus.insert(order[i]);
    nucleus_mass += std::exp(static_cast<double>(logits[order[i]])) / sum;
  }
  std::set<TokenId> by_k, by_p;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const ForwardOptions one{.threads = 1};
    by_k.insert(generate(test_.model, prompt_,
                         {.max_tokens = 1, .top_k = 3, .seed = seed, .forward = one})[0]);
    by_p.insert(generate(test_.model, prompt_,
                         {.max_tokens = 1, .top_p = 0.8f, .seed = seed, .forward = one})[0]);
  }
  EXPECT_TRUE(std::includes(three.begin(), three.end(), by_k.begin(), by_k.end()));
  EXPECT_TRUE(std::includes(nucleus.begin(), nucleus.end(), by_p.begin(), by_p.end()));
  EXPECT_GT(by_k.size(), 1u);
  EXPECT_EQ(generate(test_.model, prompt_, {.max_tokens = 8, .top_k = 1}),
            generate(test_.model, prompt_, {.max_tokens = 8, .temperature = 0}));
}

TEST_F(Generate, IdsAtTheLimitAreNeverChosen) {
  for (const float temperature : {0.0f, 50.0f})
    for (const TokenId id : generate(test_.model, prompt_,
                                     {.max_tokens = 60, .temperature = temperature, .id_limit = 7}))
      EXPECT_LT(id, 7u);
}

TEST_F(Generate, StopsAtTheStopTokenAndWhenTheCallerSaysSo) {
  const std::vector<TokenId> tokens = generate(test_.model, prompt_, {.max_tokens = 30, .seed = 9});
  const auto stop = std::find(tokens.begin(), tokens.end(), tokens[10]);
  EXPECT_EQ(generate(test_.model, prompt_, {.max_tokens = 30, .seed = 9, .stop_token = tokens[10]}),
            std::vector<TokenId>(tokens.begin(), stop));
  std::vector<TokenId> told;
  const std::vector<TokenId> stopped =
      generate(test_.model, prompt_, {.max_tokens = 30, .seed = 9}, [&](TokenId token) {
        told.push_back(token);
        return told.size() < 4;
      });
  EXPECT_EQ(told, stopped);
  EXPECT_EQ(stopped, std::vector<TokenId>(tokens.begin(), tokens.begin() + 4));
}

TEST_F(Generate, WrongArgumentsAreRefused) {
  const auto refused = [&](std::vector<TokenId> prompt, const GenerateOptions& options) {
    EXPECT_THROW(generate(test_.model, prompt, options), std::invalid_argument);
  };
  refused({}, {});
  refused(std::vector<TokenId>(41), {});
  refused({61}, {});
  refused(prompt_, {.temperature = -1.0f});
  refused(prompt_, {.temperature = NAN});
  refused(prompt_, {.top_p = 0.0f});
  refused(prompt_, {.top_p = 1.5f});
  refused(prompt_, {.top_p = NAN});
  EXPECT_TRUE(generate(test_.model, prompt_, {.max_tokens = 0}).empty());
}

}  // namespace
}  // namespace glassgpt::testing
