// Static word vectors by skip-gram with negative sampling (Mikolov et al. 2013, "Distributed
// Representations of Words and Phrases and their Compositionality"), and the same arithmetic on a
// handful of sentences with every number recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glassgpt {

// What one update of skip-gram does, for a word v (its row of the input table) and targets u_j
// (rows of the output table): j = 0 is the word that stands in the context, label 1, the others are
// drawn from the noise distribution, label 0. With s_j = v . u_j and p_j = 1 / (1 + exp(-s_j)):
//
//   loss        = -log p_0 - sum_{j > 0} log(1 - p_j)
//   g_j         = p_j - label_j                       (the derivative of the loss by s_j)
//   u_j  after  = u_j - learning_rate g_j v
//   v    after  = v   - learning_rate sum_j g_j u_j   (with the u_j before)
//
// Sums run in ascending order of components and of j.

struct ToyOptions {
  std::size_t dim = 2;
  std::size_t window = 2;    // words to either side; every one, without a drawn smaller window
  std::size_t negative = 3;  // per update; fewer where the vocabulary has no more other words
  std::size_t epochs = 100;
  double learning_rate = 0.1;  // the same for every update
  std::uint64_t seed = 1;
  std::vector<std::string> stop_words;  // taken out before the windows are cut
  // Updates that ToyTrace::updates keeps, from the first on. The others are done and not kept.
  std::size_t recorded_updates = std::numeric_limits<std::size_t>::max();
};

// One of the targets u_j of an update.
struct ToyTarget {
  std::size_t word;                   // index into ToyTrace::words
  double label;                       // 1 for the word of the context, 0 for a negative
  double dot;                         // s_j
  double probability;                 // p_j
  double gradient;                    // g_j
  double loss;                        // -log p_0, or -log(1 - p_j)
  std::vector<double> before, after;  // u_j
};

// One pair of a word and a word of its context.
struct ToyUpdate {
  std::size_t epoch;     // from 0
  std::size_t sentence;  // index into ToyTrace::sentences
  std::size_t position;  // of the word in that sentence
  std::size_t context_position;
  std::size_t word;                   // index into ToyTrace::words: whose v
  std::vector<ToyTarget> targets;     // [0] is the word of the context, then the negatives
  std::vector<double> gradient;       // of the loss by v: sum_j g_j u_j
  std::vector<double> before, after;  // v
  double loss;                        // the sum of the targets'
};

// The vectors after a pass over all sentences.
struct ToyEpoch {
  double mean_loss;           // per update, each at the vectors that it found
  std::vector<double> input;  // [V, dim], row after row
};

// Words are sorted by count, most frequent first, and by their bytes where counts are equal.
struct ToyTrace {
  std::size_t dim;
  std::vector<std::string> words;
  std::vector<std::size_t> counts;
  std::vector<double> noise;  // counts^0.75 over their sum: the negatives' distribution
  std::vector<std::vector<std::size_t>> sentences;  // of words, without stop words
  // Both tables before the first update: input uniform in [-0.5, 0.5) / dim, output zero.
  std::vector<double> initial_input, initial_output;  // [V, dim]
  std::size_t total_updates;
  std::vector<ToyUpdate> updates;
  std::vector<ToyEpoch> epochs;
  std::vector<double> input, output;  // [V, dim], at the end

  std::span<const double> vector(std::size_t word) const {
    return std::span(input).subspan(word * dim, dim);
  }
};

// Skip-gram in double precision on sentences of words, each update in turn: sentences, their
// words, and the words of each one's context from left to right. The negatives of an update are
// different from each other and from the context's word: what was drawn before is drawn anew.
// The same arguments give the same trace. Throws std::invalid_argument for options that make no
// sense, and where no two words are left in any sentence.
ToyTrace train_toy(std::span<const std::vector<std::string>> sentences,
                   const ToyOptions& options = {});

// How a line becomes words.
enum class WordSplit {
  // Words as Unicode's annex 29 and, for Chinese, Japanese and Thai, the dictionaries of ICU have
  // them; what has neither letter nor digit is left out.
  kText,
  // What stands between white space, as fastText and word2vec take it: for texts that were cut
  // before. White space is ' ', \t, \v, \f, \r, and the byte 0.
  kSpace,
};

struct Word2VecProgress {
  std::uint64_t bytes_read, bytes_total;  // of the files, read once
  std::uint64_t words_done, words_total;  // of all epochs; 0 while files are being read
  std::size_t vocabulary;
  double
      loss;  // mean per pair of a word and a word of its context, of a sample, since the last call
  double learning_rate;
};

// Everything that decides the result is in here: same options, same files, same ISA -> same bytes,
// for any number of threads.
struct Word2VecOptions {
  std::size_t dim = 100;
  std::size_t window = 5;    // the most words to either side; each word draws 1 .. window
  std::size_t negative = 5;  // drawn words for each word, shared by the pairs of its window
  std::size_t epochs = 5;
  std::size_t min_count = 5;    // rarer words are left out before windows are cut
  double learning_rate = 0.05;  // at the start; falls linearly to 0
  // A word of relative frequency f is kept with probability sqrt(sample / f) + sample / f. 0:
  // always.
  double sample = 1e-4;
  WordSplit split = WordSplit::kText;
  bool lower_case = true;  // for kText
  std::uint64_t seed = 1;
  // Parts of the text that are learned at a time, each from the vectors as they are before, and
  // then added up: the most threads that can help. Changes the result a little, not its quality.
  std::size_t parts = 8;
  int threads = 0;  // 0: default_threads()
  // Called from the calling thread, often; may throw to stop the training.
  std::function<void(const Word2VecProgress&)> progress;
};

// Words and their vectors.
class WordVectors {
 public:
  struct Neighbour {
    std::size_t word;
    float cosine;
  };

  WordVectors() = default;
  // Throws std::invalid_argument unless values are [words, dim].
  WordVectors(std::vector<std::string> words, std::size_t dim, std::vector<float> values);

  std::size_t size() const noexcept { return words_.size(); }
  std::size_t dim() const noexcept { return dim_; }
  const std::string& word(std::size_t index) const { return words_[index]; }
  std::span<const float> vector(std::size_t index) const {
    return std::span(values_).subspan(index * dim_, dim_);
  }
  // The first word with these bytes.
  std::optional<std::size_t> find(std::string_view word) const;

  // The `count` words of the largest cosine to the query, without those of `left_out`; equal ones
  // in the file's order. Throws std::invalid_argument for a query that is not [dim].
  std::vector<Neighbour> nearest(std::span<const float> query, std::size_t count,
                                 std::span<const std::size_t> left_out = {}) const;
  // a is to b as c is to the first of the result: nearest to b/|b| - a/|a| + c/|c| (3CosAdd of
  // Mikolov et al. 2013), without a, b and c.
  std::vector<Neighbour> analogy(std::size_t a, std::size_t b, std::size_t c,
                                 std::size_t count) const;

  // word2vec's formats, told apart by what the file holds: a line "WORDS DIM", then for each word
  // either a line "WORD NUMBER ... NUMBER", or WORD, a blank, DIM float32 (little endian) and a
  // line end, which may be missing. Throws Error.
  static WordVectors load(const std::filesystem::path& file);
  // Numbers are the shortest that read back the same. Throws Error.
  void save_text(const std::filesystem::path& file) const;
  void save_binary(const std::filesystem::path& file) const;

 private:
  std::vector<std::string> words_;
  std::size_t dim_ = 0;
  std::vector<float> values_;            // [words, dim]
  std::vector<std::uint32_t> by_bytes_;  // the words' numbers, in the order of their bytes
};

struct Word2VecSummary {
  WordVectors vectors;  // sorted by count, most frequent first, then by bytes
  std::vector<std::uint64_t> counts;
  std::uint64_t words;  // of the vocabulary, in the files
  std::uint64_t rare;   // occurrences left out by min_count
  double reading_seconds, training_seconds;
  double loss;  // of the last epoch, as in Word2VecProgress
};

// Trains on UTF-8 text, a sentence a line (lines are cut at 1000 words). Throws
// std::invalid_argument for options that make no sense, Error for files that cannot be read, are
// not UTF-8, leave fewer than two words, or with which
// training diverges.
Word2VecSummary train_word2vec(std::span<const std::filesystem::path> files,
                               const Word2VecOptions& options = {});

}  // namespace glassgpt
