// The loop over the text: blocks of sentences side by side, their results added in a fixed order.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "glassgpt/error.h"
#include "glassgpt/model.h"
#include "kernels/dispatch.h"
#include "model/parallel.h"
#include "model/random_bits.h"
#include "word2vec/block.h"

namespace glassgpt {
namespace {

using word2vec::BlockResult;
using word2vec::BlockTrainer;
using word2vec::Corpus;
using word2vec::Random;
using word2vec::Rows;
using word2vec::Tables;

// Words that are learned from the same tables, in all parts together. What parts learn is added up:
// of a frequent word each learns much the same, so with too many the sum goes too far (measured on
// five million words, loss: 2.321 with one part, 2.320 to 2.323 with 2048 words in four or
// eight, 2.329 with 8192; 32768 diverged).
constexpr std::size_t kStepWords = 2048;
// And fewer where a single word would be expected more often than this, as in a small vocabulary.
constexpr double kStepOccurrences = 3;
// The learning rate falls to this share of the first one, as in word2vec.c.
constexpr double kLeastRate = 1e-4;

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check(const Word2VecOptions& options) {
  const auto at_least_one = [](std::size_t value, const char* name) {
    if (value == 0) {
      throw std::invalid_argument(std::string("Word2VecOptions: ") + name +
                                  " must be at least 1, got 0");
    }
  };
  at_least_one(options.dim, "dim");
  at_least_one(options.window, "window");
  at_least_one(options.negative, "negative");
  at_least_one(options.epochs, "epochs");
  at_least_one(options.parts, "parts");
  if (!std::isfinite(options.learning_rate) || options.learning_rate <= 0) {
    throw std::invalid_argument("Word2VecOptions: learning_rate must be positive, got " +
                                std::to_string(options.learning_rate));
  }
  if (!std::isfinite(options.sample) || options.sample < 0) {
    throw std::invalid_argument("Word2VecOptions: sample must be 0 or more, got " +
                                std::to_string(options.sample));
  }
}

std::size_t words_of_step(const Corpus& corpus, std::span<const std::uint64_t> keep) {
  double most = 0;  // of all words, before any is left out, the share of the most frequent kept
  for (std::size_t word = 0; word < keep.size(); ++word) {
    most = std::max(
        most, static_cast<double>(corpus.counts[word]) * 0x1p-32 * static_cast<double>(keep[word]));
  }
  most /= static_cast<double>(corpus.tokens.size());
  return static_cast<std::size_t>(
      std::clamp(kStepOccurrences / most, 1.0, static_cast<double>(kStepWords)));
}

// Where blocks end: sentences, until there is a part's share of a step.
std::vector<std::size_t> cut_into_blocks(const Corpus& corpus, std::size_t share) {
  std::vector<std::size_t> ends;
  std::uint64_t begin = 0;
  for (std::size_t sentence = 0; sentence < corpus.sentence_ends.size(); ++sentence) {
    if (corpus.sentence_ends[sentence] - begin < share &&
        sentence + 1 < corpus.sentence_ends.size()) {
      continue;
    }
    ends.push_back(sentence + 1);
    begin = corpus.sentence_ends[sentence];
  }
  return ends;
}

class Trainer {
 public:
  Trainer(const Corpus& corpus, const Word2VecOptions& options)
      : corpus_(corpus),
        options_(options),
        threads_(options.threads > 0 ? options.threads : default_threads()),
        setting_{corpus,
                 kernels::active_kernels(),
                 word2vec::NoiseTable(corpus.counts),
                 word2vec::keep_thresholds(corpus.counts, options.sample),
                 options.window,
                 options.negative},
        step_words_(words_of_step(corpus, setting_.keep)),
        block_ends_(cut_into_blocks(corpus, step_words_ / options.parts)),
        trainers_(static_cast<std::size_t>(threads_), BlockTrainer(setting_)) {
    // Rows begin on cache lines.
    const std::size_t stride = (options.dim + 15) / 16 * 16;
    tables_.input = Rows(corpus.words.size(), stride);
    tables_.output = Rows(corpus.words.size(), stride);
    for (std::size_t i = 0; i < options.parts; ++i) {
      BlockResult& result = results_.emplace_back();
      result.d_input = Rows(0, stride);
      result.d_output = Rows(0, stride);
    }
    initialize();
  }

  // Inputs uniform in [-1/2, 1/2) / dim, outputs zero (word2vec.c).
  void initialize() {
    const double dim = static_cast<double>(options_.dim);
    for (std::size_t word = 0; word < corpus_.words.size(); ++word) {
      std::fill_n(tables_.input.row(word), tables_.input.stride(), 0.0f);
      std::fill_n(tables_.output.row(word), tables_.output.stride(), 0.0f);
      for (std::size_t i = 0; i < options_.dim; ++i) {
        const double unit = random_unit(options_.seed, word * options_.dim + i);
        tables_.input.row(word)[i] = static_cast<float>((unit - 0.5) / dim);
      }
    }
  }

  void run() {
    for (std::size_t epoch = 0; epoch < options_.epochs; ++epoch) {
      epoch_loss_ = 0;
      epoch_pairs_ = 0;
      const std::vector<std::size_t> order = shuffled_blocks(epoch);
      for (std::size_t first = 0; first < order.size();) {
        const std::size_t count = blocks_of_step(std::span(order).subspan(first));
        learn(std::span(order).subspan(first, count), epoch);
        report();
        first += count;
      }
    }
  }

  std::vector<float> vectors() const {
    std::vector<float> values;
    values.reserve(corpus_.words.size() * options_.dim);
    for (std::size_t word = 0; word < corpus_.words.size(); ++word) {
      const float* row = tables_.input.row(word);
      values.insert(values.end(), row, row + options_.dim);
    }
    return values;
  }

  double loss() const {
    return epoch_pairs_ == 0 ? 0 : epoch_loss_ / static_cast<double>(epoch_pairs_);
  }

 private:
  // Neighbouring blocks are about the same things: side by side they would learn the same thing
  // several times over.
  std::vector<std::size_t> shuffled_blocks(std::size_t epoch) const {
    std::vector<std::size_t> order(block_ends_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    Random random(random_bits(options_.seed, ~std::uint64_t{epoch}));
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    return order;
  }

  // How many of the blocks to come are learned side by side: long sentences make long blocks.
  std::size_t blocks_of_step(std::span<const std::size_t> blocks) const {
    std::size_t count = 0;
    for (std::uint64_t words = 0; count < std::min(options_.parts, blocks.size()); ++count) {
      words += words_in(blocks[count]);
      if (count > 0 && words > step_words_ + step_words_ / 2) break;
    }
    return count;
  }

  std::uint64_t words_in(std::size_t block) const {
    return corpus_.sentence_ends[block_ends_[block] - 1] -
           (block == 0 ? 0 : corpus_.sentence_ends[block_ends_[block - 1] - 1]);
  }

  double rate() const {
    const double total = static_cast<double>(options_.epochs * corpus_.tokens.size());
    return options_.learning_rate * std::max(kLeastRate, 1 - static_cast<double>(words_) / total);
  }

  // The blocks from the same tables, then what they have learned.
  void learn(std::span<const std::size_t> blocks, std::size_t epoch) {
    const auto rate_now = static_cast<float>(rate());
    for_tasks(blocks.size(), threads_, [&](std::size_t part, int thread) {
      const std::size_t block = blocks[part];
      const std::uint64_t seed =
          random_bits(options_.seed ^ 0x6A09E667F3BCC909u, epoch * block_ends_.size() + block);
      trainers_[static_cast<std::size_t>(thread)].train(
          tables_, block == 0 ? 0 : block_ends_[block - 1], block_ends_[block], rate_now, seed,
          results_[part]);
    });
    std::size_t rows = 0;
    for (std::size_t part = 0; part < blocks.size(); ++part) rows += results_[part].words.size();
    // Each of the adders has rows of its own: the order of what is added to a row is that of the
    // parts, however many they are.
    const auto adders =
        static_cast<std::size_t>(threads_worth(rows * tables_.input.stride(), threads_));
    for_tasks(adders, threads_, [&](std::size_t adder, int) {
      for (std::size_t part = 0; part < blocks.size(); ++part) {
        add(results_[part], adder, adders);
      }
    });
    for (std::size_t part = 0; part < blocks.size(); ++part) {
      words_ += words_in(blocks[part]);
      epoch_loss_ += results_[part].loss;
      epoch_pairs_ += results_[part].pairs;
      recent_loss_ += results_[part].loss;
      recent_pairs_ += results_[part].pairs;
    }
  }

  // Of the words whose number leaves `adder` when it is divided by `adders`.
  void add(const BlockResult& result, std::size_t adder, std::size_t adders) {
    const std::size_t stride = tables_.input.stride();
    for (std::size_t i = 0; i < result.words.size(); ++i) {
      const std::uint32_t word = result.words[i];
      if (word % adders != adder) continue;
      const auto add_row = [stride](const float* from, float* to) {
        for (std::size_t c = 0; c < stride; ++c) to[c] += from[c];
      };
      add_row(result.d_output.row(i), tables_.output.row(word));
      if (i < result.inputs) add_row(result.d_input.row(i), tables_.input.row(word));
    }
  }

  void report() {
    if (!options_.progress) return;
    const double loss = recent_pairs_ == 0 ? 0 : recent_loss_ / static_cast<double>(recent_pairs_);
    options_.progress({0, 0, words_, options_.epochs * corpus_.tokens.size(), corpus_.words.size(),
                       loss, rate()});
    recent_loss_ = 0;
    recent_pairs_ = 0;
  }

  const Corpus& corpus_;
  const Word2VecOptions& options_;
  int threads_;
  word2vec::Setting setting_;
  std::size_t step_words_;
  std::vector<std::size_t> block_ends_;  // in sentences
  std::vector<BlockTrainer> trainers_;   // one for each thread
  std::vector<BlockResult> results_;     // one for each part
  Tables tables_;
  std::uint64_t words_ = 0, epoch_pairs_ = 0, recent_pairs_ = 0;
  double epoch_loss_ = 0, recent_loss_ = 0;
};

}  // namespace

Word2VecSummary train_word2vec(std::span<const std::filesystem::path> files,
                               const Word2VecOptions& options) {
  check(options);
  const auto start = Clock::now();
  word2vec::CorpusOptions reading{options.split, options.lower_case, options.min_count,
                                  options.threads > 0 ? options.threads : default_threads(),
                                  nullptr};
  if (options.progress) {
    reading.progress = [&](std::uint64_t done, std::uint64_t total) {
      options.progress({done, total, 0, 0, 0, 0, options.learning_rate});
    };
  }
  Corpus corpus = read_corpus(files, reading);
  if (corpus.words.size() < 2) {
    throw Error(ErrorCode::kOutOfRange, files.empty() ? "" : files.front().string(),
                "only " + std::to_string(corpus.words.size()) + " words occur " +
                    std::to_string(options.min_count) + " times or more",
                "more text, or a smaller min-count");
  }
  Word2VecSummary summary;
  summary.reading_seconds = seconds_since(start);
  Trainer trainer(corpus, options);
  trainer.run();
  summary.training_seconds = seconds_since(start) - summary.reading_seconds;
  std::vector<float> vectors = trainer.vectors();
  if (!std::all_of(vectors.begin(), vectors.end(), [](float v) { return std::isfinite(v); })) {
    throw Error(ErrorCode::kOutOfRange, "", "training diverged: a vector is no longer finite",
                "a smaller learning rate than " + std::to_string(options.learning_rate));
  }
  summary.loss = trainer.loss();
  summary.words = corpus.tokens.size();
  summary.rare = corpus.rare;
  summary.counts = corpus.counts;
  summary.vectors = WordVectors(std::move(corpus.words), options.dim, std::move(vectors));
  return summary;
}

}  // namespace glassgpt
