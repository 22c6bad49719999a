// The recorded skip-gram: its numbers are those of the formulas, and it learns.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "glassgpt/word2vec.h"

namespace glassgpt::testing {
namespace {

using Sentences = std::vector<std::vector<std::string>>;

Sentences sentences_of(const std::vector<std::string>& lines) {
  Sentences sentences;
  for (const std::string& line : lines) {
    std::istringstream words(line);
    auto& sentence = sentences.emplace_back();
    for (std::string word; words >> word;) sentence.push_back(word);
  }
  return sentences;
}

// Two topics that share no word but "the" and "and".
Sentences two_topics() {
  return sentences_of({"the cat chases the mouse", "the dog chases the cat",
                       "the cat and the dog sleep", "the mouse and the cat sleep",
                       "the king rules the land", "the queen rules the land",
                       "the king and the queen speak", "the queen and the king rules"});
}

ToyOptions options_without_stop_words() {
  ToyOptions options;
  options.stop_words = {"the", "and"};
  return options;
}

// The loss of an update as its definition says, at any v and u_j.
double loss_at(const ToyUpdate& update, const std::vector<double>& v,
               const std::vector<std::vector<double>>& u) {
  double loss = 0;
  for (std::size_t j = 0; j < u.size(); ++j) {
    double dot = 0;
    for (std::size_t i = 0; i < v.size(); ++i) dot += v[i] * u[j][i];
    const double p = 1 / (1 + std::exp(-dot));
    loss -= std::log(update.targets[j].label == 1 ? p : 1 - p);
  }
  return loss;
}

TEST(Toy, EachStepIsTheGradientByFiniteDifferences) {
  ToyOptions options = options_without_stop_words();
  options.dim = 3;
  options.epochs = 4;
  const ToyTrace trace = train_toy(two_topics(), options);
  ASSERT_GT(trace.updates.size(), 50u);
  const double h = 1e-5, rate = options.learning_rate;
  for (const ToyUpdate& update : trace.updates) {
    std::vector<double> v = update.before;
    std::vector<std::vector<double>> u;
    for (const ToyTarget& target : update.targets) u.push_back(target.before);
    EXPECT_NEAR(loss_at(update, v, u), update.loss, 1e-12);
    const auto slope = [&](double& x) {
      const double kept = x;
      x = kept + h;
      const double above = loss_at(update, v, u);
      x = kept - h;
      const double below = loss_at(update, v, u);
      x = kept;
      return (above - below) / (2 * h);
    };
    for (std::size_t i = 0; i < v.size(); ++i) {
      const double gradient = slope(v[i]);
      EXPECT_NEAR(update.gradient[i], gradient, 1e-9);
      EXPECT_NEAR(update.after[i], v[i] - rate * gradient, 1e-9);
      for (std::size_t j = 0; j < u.size(); ++j) {
        EXPECT_NEAR(update.targets[j].after[i], u[j][i] - rate * slope(u[j][i]), 1e-9);
      }
    }
  }
}

TEST(Toy, UpdatesFollowFromEachOtherAndEndAtTheResult) {
  const ToyTrace trace = train_toy(two_topics(), options_without_stop_words());
  std::vector<double> input = trace.initial_input, output = trace.initial_output;
  std::size_t epoch = 0, in_epoch = 0;
  double loss = 0;
  const auto row = [&](std::vector<double>& table, std::size_t word) {
    return table.begin() + static_cast<std::ptrdiff_t>(word * trace.dim);
  };
  const auto end_epoch = [&] {
    EXPECT_EQ(trace.epochs[epoch].input, input);
    EXPECT_NEAR(trace.epochs[epoch].mean_loss, loss / static_cast<double>(in_epoch), 1e-12);
  };
  for (const ToyUpdate& update : trace.updates) {
    if (update.epoch != epoch) {
      end_epoch();
      epoch = update.epoch;
      in_epoch = 0;
      loss = 0;
    }
    ++in_epoch;
    loss += update.loss;
    ASSERT_TRUE(std::equal(update.before.begin(), update.before.end(), row(input, update.word)));
    std::copy(update.after.begin(), update.after.end(), row(input, update.word));
    for (const ToyTarget& target : update.targets) {
      ASSERT_TRUE(std::equal(target.before.begin(), target.before.end(), row(output, target.word)));
      std::copy(target.after.begin(), target.after.end(), row(output, target.word));
    }
  }
  end_epoch();
  EXPECT_EQ(epoch + 1, trace.epochs.size());
  EXPECT_EQ(trace.total_updates, trace.updates.size());
  EXPECT_EQ(input, trace.input);
  EXPECT_EQ(output, trace.output);
}

TEST(Toy, PairsAreThoseOfTheWindowInOrder) {
  ToyOptions options;
  options.epochs = 1;
  options.stop_words = {"x"};
  const ToyTrace trace = train_toy(sentences_of({"a b x c d", "a"}), options);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const ToyUpdate& update : trace.updates) {
    EXPECT_EQ(update.sentence, 0u);
    EXPECT_EQ(trace.sentences[0][update.position], update.word);
    EXPECT_EQ(trace.sentences[0][update.context_position], update.targets[0].word);
    pairs.emplace_back(trace.words[update.word], trace.words[update.targets[0].word]);
  }
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "b"}, {"a", "c"}, {"b", "a"}, {"b", "c"}, {"b", "d"},
      {"c", "a"}, {"c", "b"}, {"c", "d"}, {"d", "b"}, {"d", "c"}};
  EXPECT_EQ(pairs, expected);
}

TEST(Toy, VocabularyIsSortedByCountThenByBytes) {
  const ToyTrace trace = train_toy(sentences_of({"b a c a", "c d b a"}));
  EXPECT_EQ(trace.words, (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_EQ(trace.counts, (std::vector<std::size_t>{3, 2, 2, 1}));
  double sum = 0;
  for (const std::size_t count : trace.counts) sum += std::pow(static_cast<double>(count), 0.75);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(trace.noise[i], std::pow(static_cast<double>(trace.counts[i]), 0.75) / sum, 1e-15);
  }
}

TEST(Toy, NegativesAreDistinctNeverTheContextAndFollowTheNoise) {
  ToyOptions options = options_without_stop_words();
  options.negative = 1;
  options.epochs = 2000;
  const ToyTrace trace = train_toy(two_topics(), options);
  // Of the updates whose context is word 0: each other word as often as its noise says.
  std::map<std::size_t, double> drawn;
  double total = 0;
  for (const ToyUpdate& update : trace.updates) {
    ASSERT_EQ(update.targets.size(), 2u);
    ASSERT_NE(update.targets[0].word, update.targets[1].word);
    if (update.targets[0].word != 0) continue;
    ++drawn[update.targets[1].word];
    ++total;
  }
  ASSERT_GT(total, 10000);
  for (std::size_t word = 1; word < trace.words.size(); ++word) {
    const double expected = trace.noise[word] / (1 - trace.noise[0]);
    const double deviation = std::sqrt(expected * (1 - expected) / total);
    EXPECT_NEAR(drawn[word] / total, expected, 5 * deviation) << trace.words[word];
  }
  options.negative = 100;
  options.epochs = 1;
  for (const ToyUpdate& update : train_toy(two_topics(), options).updates) {
    std::set<std::size_t> distinct;
    for (const ToyTarget& target : update.targets) distinct.insert(target.word);
    EXPECT_EQ(distinct.size(), trace.words.size());
  }
}

TEST(Toy, WordsThatShareContextsDrawTogether) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    ToyOptions options = options_without_stop_words();
    options.seed = seed;
    options.epochs = 200;
    options.recorded_updates = 0;
    const ToyTrace trace = train_toy(two_topics(), options);
    EXPECT_TRUE(trace.updates.empty());
    const auto cosine = [&](const std::string& a, const std::string& b) {
      const auto of = [&](const std::string& word) {
        return trace.vector(static_cast<std::size_t>(
            std::find(trace.words.begin(), trace.words.end(), word) - trace.words.begin()));
      };
      const auto x = of(a), y = of(b);
      return (x[0] * y[0] + x[1] * y[1]) / std::hypot(x[0], x[1]) / std::hypot(y[0], y[1]);
    };
    EXPECT_GT(cosine("cat", "dog"), 0.8) << seed;
    EXPECT_GT(cosine("king", "queen"), 0.8) << seed;
    EXPECT_LT(cosine("cat", "king"), 0.5) << seed;
    EXPECT_LT(cosine("dog", "queen"), 0.5) << seed;
    EXPECT_LT(trace.epochs.back().mean_loss, 0.8 * trace.epochs.front().mean_loss);
  }
}

TEST(Toy, TheSameArgumentsGiveTheSameTraceAndAnotherSeedAnother) {
  const ToyTrace once = train_toy(two_topics()), again = train_toy(two_topics());
  EXPECT_EQ(once.input, again.input);
  ToyOptions options;
  options.seed = 2;
  EXPECT_NE(train_toy(two_topics(), options).input, once.input);
  options.seed = 1;
  options.recorded_updates = 7;
  const ToyTrace partial = train_toy(two_topics(), options);
  EXPECT_EQ(partial.updates.size(), 7u);
  EXPECT_EQ(partial.total_updates, once.total_updates);
  EXPECT_EQ(partial.input, once.input);
}

TEST(Toy, RefusesOptionsThatMakeNoSense) {
  const auto refused = [](const auto& change, const Sentences& sentences = two_topics()) {
    ToyOptions options;
    change(options);
    EXPECT_THROW(train_toy(sentences, options), std::invalid_argument);
  };
  refused([](ToyOptions& o) { o.dim = 0; });
  refused([](ToyOptions& o) { o.window = 0; });
  refused([](ToyOptions& o) { o.learning_rate = 0; });
  refused([](ToyOptions& o) { o.learning_rate = NAN; });
  refused([](ToyOptions&) {}, {});
  refused([](ToyOptions&) {}, sentences_of({"alone", "", "here"}));
}

}  // namespace
}  // namespace glassgpt::testing
