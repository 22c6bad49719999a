// Skip-gram by the book: one pair at a time, in double, nothing shared, everything written down.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "glassgpt/word2vec.h"
#include "model/random_bits.h"

namespace glassgpt {
namespace {

void check(const ToyOptions& options) {
  const auto wrong = [](const std::string& what) {
    throw std::invalid_argument("train_toy: " + what);
  };
  if (options.dim == 0) wrong("dim must be at least 1, got 0");
  if (options.window == 0) wrong("window must be at least 1, got 0");
  if (!std::isfinite(options.learning_rate) || options.learning_rate <= 0)
    wrong("learning_rate must be positive and finite, got " +
          std::to_string(options.learning_rate));
}

// words, counts, noise and sentences of the trace.
void count_words(std::span<const std::vector<std::string>> sentences, const ToyOptions& options,
                 ToyTrace& trace) {
  const std::unordered_set<std::string> stop(options.stop_words.begin(), options.stop_words.end());
  std::unordered_map<std::string, std::size_t> seen;  // its number in `words`
  std::vector<std::string> words;
  std::vector<std::size_t> counts;
  for (const auto& sentence : sentences) {
    std::vector<std::size_t>& kept = trace.sentences.emplace_back();
    for (const std::string& word : sentence) {
      if (stop.contains(word)) continue;
      const auto [entry, is_new] = seen.try_emplace(word, words.size());
      if (is_new) {
        words.push_back(word);
        counts.push_back(0);
      }
      ++counts[entry->second];
      kept.push_back(entry->second);
    }
  }
  std::vector<std::size_t> order(words.size()), rank(words.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : words[a] < words[b];
  });
  double total = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    rank[order[i]] = i;
    trace.words.push_back(words[order[i]]);
    trace.counts.push_back(counts[order[i]]);
    trace.noise.push_back(std::pow(static_cast<double>(counts[order[i]]), 0.75));
    total += trace.noise.back();
  }
  for (double& probability : trace.noise) probability /= total;
  for (auto& sentence : trace.sentences)
    for (std::size_t& word : sentence) word = rank[word];
}

class ToyTrainer {
 public:
  ToyTrainer(const ToyOptions& options, ToyTrace& trace) : options_(options), trace_(trace) {
    trace.dim = options.dim;
    trace.total_updates = 0;
    const double width = static_cast<double>(options.dim);
    for (std::size_t i = 0; i < trace.words.size() * options.dim; ++i)
      trace.initial_input.push_back((draw() - 0.5) / width);
    trace.initial_output.assign(trace.initial_input.size(), 0.0);
    trace.input = trace.initial_input;
    trace.output = trace.initial_output;
  }

  void pass(std::size_t epoch) {
    double loss = 0;
    std::size_t updates = 0;
    for (std::size_t s = 0; s < trace_.sentences.size(); ++s) {
      const std::size_t length = trace_.sentences[s].size();
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t first = i > options_.window ? i - options_.window : 0;
        const std::size_t end = std::min(length - i, options_.window + 1) + i;
        for (std::size_t c = first; c < end; ++c) {
          if (c == i) continue;
          loss += learn(epoch, s, i, c);
          ++updates;
        }
      }
    }
    if (updates == 0) throw std::invalid_argument("train_toy: no sentence has two words");
    trace_.epochs.push_back({loss / static_cast<double>(updates), trace_.input});
  }

 private:
  double draw() { return random_unit(options_.seed, drawn_++); }

  // The first word whose cumulative probability is beyond a uniform number.
  std::size_t draw_noise() {
    const double u = draw();
    double sum = 0;
    for (std::size_t word = 0; word + 1 < trace_.noise.size(); ++word) {
      sum += trace_.noise[word];
      if (u < sum) return word;
    }
    return trace_.noise.size() - 1;
  }

  std::vector<std::size_t> draw_targets(std::size_t context) {
    std::vector<std::size_t> targets = {context};
    const std::size_t count = std::min(options_.negative + 1, trace_.words.size());
    while (targets.size() < count) {
      const std::size_t word = draw_noise();
      if (std::find(targets.begin(), targets.end(), word) == targets.end()) targets.push_back(word);
    }
    return targets;
  }

  double learn(std::size_t epoch, std::size_t sentence, std::size_t position, std::size_t context) {
    const std::vector<std::size_t>& words = trace_.sentences[sentence];
    ToyUpdate update{epoch, sentence, position, context, words[position], {}, {}, {}, {}, 0};
    const std::size_t dim = options_.dim;
    double* v = trace_.input.data() + update.word * dim;
    update.before.assign(v, v + dim);
    update.gradient.assign(dim, 0.0);
    for (const std::size_t word : draw_targets(words[context])) {
      update.targets.push_back(learn_target(word, update.targets.empty() ? 1.0 : 0.0, update));
      update.loss += update.targets.back().loss;
    }
    for (std::size_t i = 0; i < dim; ++i) v[i] -= options_.learning_rate * update.gradient[i];
    update.after.assign(v, v + dim);
    const double loss = update.loss;
    if (trace_.total_updates++ < options_.recorded_updates)
      trace_.updates.push_back(std::move(update));
    return loss;
  }

  ToyTarget learn_target(std::size_t word, double label, ToyUpdate& update) {
    const std::size_t dim = options_.dim;
    double* u = trace_.output.data() + word * dim;
    ToyTarget target{word, label, 0, 0, 0, 0, {u, u + dim}, {}};
    for (std::size_t i = 0; i < dim; ++i) target.dot += update.before[i] * u[i];
    target.probability = 1.0 / (1.0 + std::exp(-target.dot));
    target.gradient = target.probability - label;
    // -log p as log(1 + exp(-s)), which keeps its digits where p is nearly 1.
    target.loss = std::log1p(std::exp(label > 0 ? -target.dot : target.dot));
    for (std::size_t i = 0; i < dim; ++i) {
      update.gradient[i] += target.gradient * u[i];
      u[i] -= options_.learning_rate * target.gradient * update.before[i];
    }
    target.after.assign(u, u + dim);
    return target;
  }

  const ToyOptions& options_;
  ToyTrace& trace_;
  std::uint64_t drawn_ = 0;
};

}  // namespace

ToyTrace train_toy(std::span<const std::vector<std::string>> sentences, const ToyOptions& options) {
  check(options);
  ToyTrace trace;
  count_words(sentences, options, trace);
  ToyTrainer trainer(options, trace);
  for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) trainer.pass(epoch);
  return trace;
}

}  // namespace glassgpt
