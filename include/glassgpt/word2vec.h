// Static word vectors by skip-gram with negative sampling (Mikolov et al. 2013, "Distributed
// Representations of Words and Phrases and their Compositionality"), and the same arithmetic on a
// handful of sentences with every number recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
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

}  // namespace glassgpt
