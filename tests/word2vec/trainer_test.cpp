// Training as a whole: the same bytes for any number of threads, and vectors that know their
// topics.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "../io/temporary_directory.h"
#include "glassgpt/word2vec.h"

namespace glassgpt::testing {
namespace {

constexpr std::size_t kTopics = 5, kWordsOfTopic = 20;

std::string topic_word(std::size_t topic, std::size_t i) {
  return std::string(1, static_cast<char>('a' + topic)) + std::to_string(i);
}

class Word2Vec : public ::testing::Test {
 protected:
  // Sentences of one topic each, with words of all topics strewn in.
  void SetUp() override {
    std::mt19937 random(11);
    std::ofstream out(file());
    for (int sentence = 0; sentence < 3000; ++sentence) {
      const std::size_t topic = random() % kTopics;
      for (int i = 0; i < 12; ++i) {
        // Squared: some words are much more frequent.
        const std::size_t draw = random() % (kWordsOfTopic * kWordsOfTopic);
        const auto word = static_cast<std::size_t>(std::sqrt(static_cast<double>(draw)));
        out << (i % 4 == 3 ? "common" + std::to_string(random() % 3) : topic_word(topic, word))
            << ' ';
      }
      out << "\n";
    }
  }
  std::filesystem::path file() const { return directory_ / "topics.txt"; }

  static Word2VecOptions small_options() {
    Word2VecOptions options;
    options.dim = 20;
    options.sample = 1e-2;
    options.threads = 2;
    return options;
  }
  Word2VecSummary train(const Word2VecOptions& options) const {
    const std::filesystem::path files[] = {file()};
    return train_word2vec(files, options);
  }
  static std::vector<float> values(const WordVectors& vectors) {
    std::vector<float> all;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      all.insert(all.end(), vectors.vector(i).begin(), vectors.vector(i).end());
    }
    return all;
  }
  // Of the five nearest words of each topic's word the share that is of its topic.
  static double topic_precision(const WordVectors& vectors) {
    double right = 0, all = 0;
    for (std::size_t topic = 0; topic < kTopics; ++topic) {
      for (std::size_t i = 0; i < kWordsOfTopic; ++i) {
        const auto word = vectors.find(topic_word(topic, i));
        if (!word) continue;
        for (const auto& found : vectors.nearest(vectors.vector(*word), 5, std::span(&*word, 1))) {
          right += vectors.word(found.word)[0] == topic_word(topic, 0)[0] ? 1 : 0;
          ++all;
        }
      }
    }
    return right / all;
  }

  TemporaryDirectory directory_;
};

TEST_F(Word2Vec, BytesDoNotDependOnThreads) {
  Word2VecOptions options = small_options();
  options.threads = 1;
  options.epochs = 2;
  const Word2VecSummary once = train(options);
  for (const int threads : {2, 3, 8}) {
    options.threads = threads;
    const Word2VecSummary again = train(options);
    EXPECT_EQ(values(again.vectors), values(once.vectors)) << threads;
    EXPECT_EQ(again.loss, once.loss);
  }
  options.seed = 2;
  EXPECT_NE(values(train(options).vectors), values(once.vectors));
}

TEST_F(Word2Vec, NeighboursAreOfTheSameTopicWhateverTheParts) {
  for (const std::size_t parts : {1, 8, 32}) {
    Word2VecOptions options = small_options();
    options.parts = parts;
    const Word2VecSummary summary = train(options);
    EXPECT_GT(topic_precision(summary.vectors), 0.95) << parts;
    // Six targets that are right by half at the start.
    EXPECT_LT(summary.loss, 0.8 * 6 * std::log(2.0)) << parts;
    EXPECT_GT(summary.loss, 0) << parts;
  }
}

TEST_F(Word2Vec, LearnsWithManyNegativesWideWindowsAndOddDimensions) {
  for (const auto& [dim, window, negative] :
       {std::tuple{1, 5, 5}, {17, 40, 1}, {33, 2, 17}, {100, 1, 6}}) {
    Word2VecOptions options = small_options();
    options.dim = static_cast<std::size_t>(dim);
    options.window = static_cast<std::size_t>(window);
    options.negative = static_cast<std::size_t>(negative);
    const Word2VecSummary summary = train(options);
    EXPECT_EQ(summary.vectors.dim(), options.dim);
    for (const float value : values(summary.vectors)) ASSERT_TRUE(std::isfinite(value));
    if (dim > 1) {
      EXPECT_GT(topic_precision(summary.vectors), 0.9) << dim;
    }
  }
}

TEST_F(Word2Vec, StaysFiniteWhereFewWordsAreVeryFrequentAndNoneIsLeftOut) {
  std::ofstream out(directory_ / "few.txt");
  for (int i = 0; i < 10000; ++i) out << "a a b a b b a c" << (i % 7 == 0 ? "\n" : " ");
  out.close();
  Word2VecOptions options;
  options.sample = 0;
  options.split = WordSplit::kSpace;
  const std::filesystem::path files[] = {directory_ / "few.txt"};
  const Word2VecSummary summary = train_word2vec(files, options);
  for (const float value : values(summary.vectors)) ASSERT_LT(std::fabs(value), 100.0f);
}

TEST_F(Word2Vec, SaysWhereItDiverged) {
  Word2VecOptions options = small_options();
  options.learning_rate = 1e30;
  expect_error([&] { train(options); }, ErrorCode::kOutOfRange, "training diverged");
}

TEST_F(Word2Vec, CountsWhatItWasGiven) {
  std::ofstream out(directory_ / "counts.txt");
  out << "A a b\nb a c b\nc once\n";
  out.close();
  Word2VecOptions options;
  options.min_count = 2;
  const std::filesystem::path files[] = {directory_ / "counts.txt"};
  const Word2VecSummary summary = train_word2vec(files, options);
  ASSERT_EQ(summary.vectors.size(), 3u);
  EXPECT_EQ(summary.vectors.word(0), "a");
  EXPECT_EQ(summary.counts, (std::vector<std::uint64_t>{3, 3, 2}));
  EXPECT_EQ(summary.words, 8u);
  EXPECT_EQ(summary.rare, 1u);
}

TEST_F(Word2Vec, TellsALossHoweverFewTheWindowsAre) {
  std::ofstream(directory_ / "tiny.txt") << "a b\n";
  Word2VecOptions options;
  options.min_count = 1;
  options.sample = 0;
  const std::filesystem::path files[] = {directory_ / "tiny.txt"};
  const Word2VecSummary summary = train_word2vec(files, options);
  // The true word at the start of training: its probability is a half.
  EXPECT_GE(summary.loss, 0.9 * std::log(2.0));
}

TEST_F(Word2Vec, ReportsProgressToTheEndAndStopsWhenToldTo) {
  Word2VecOptions options = small_options();
  std::uint64_t words = 0, total = 0, bytes = 0;
  double rate = options.learning_rate;
  options.progress = [&](const Word2VecProgress& now) {
    EXPECT_GE(now.words_done, words);
    EXPECT_LE(now.learning_rate, rate);
    if (now.words_total == 0) bytes = now.bytes_read;
    words = now.words_done;
    total = now.words_total;
    rate = now.learning_rate;
  };
  const Word2VecSummary summary = train(options);
  EXPECT_EQ(words, total);
  EXPECT_EQ(total, options.epochs * summary.words);
  EXPECT_EQ(bytes, std::filesystem::file_size(file()));
  EXPECT_LT(rate, 1e-3 * options.learning_rate);
  options.progress = [](const Word2VecProgress& now) {
    if (now.words_done > 0) throw std::runtime_error("enough");
  };
  EXPECT_THROW(train(options), std::runtime_error);
}

TEST_F(Word2Vec, RefusesWhatMakesNoSense) {
  const auto refused = [&](const auto& change) {
    Word2VecOptions options;
    change(options);
    EXPECT_THROW(train(options), std::invalid_argument);
  };
  refused([](Word2VecOptions& o) { o.dim = 0; });
  refused([](Word2VecOptions& o) { o.window = 0; });
  refused([](Word2VecOptions& o) { o.negative = 0; });
  refused([](Word2VecOptions& o) { o.epochs = 0; });
  refused([](Word2VecOptions& o) { o.parts = 0; });
  refused([](Word2VecOptions& o) { o.learning_rate = -1; });
  refused([](Word2VecOptions& o) { o.learning_rate = INFINITY; });
  refused([](Word2VecOptions& o) { o.sample = NAN; });
  Word2VecOptions options;
  options.min_count = 1000000;
  expect_error([&] { train(options); }, ErrorCode::kOutOfRange, "only 0 words occur 1000000 times",
               file().string());
  std::ofstream(directory_ / "empty.txt").close();
  const std::filesystem::path empty[] = {directory_ / "empty.txt"};
  expect_error([&] { train_word2vec(empty, {}); }, ErrorCode::kOutOfRange, "only 0 words");
}

}  // namespace
}  // namespace glassgpt::testing
