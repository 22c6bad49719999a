#include "word2vec/block.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace glassgpt::word2vec {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
// Rows lie all over the tables: they are asked for so many rows ahead.
constexpr std::size_t kAhead = 8;
// A negative that is the true word, or was drawn already, is drawn anew so often.
constexpr int kTries = 8;
// Of so many windows of a block the first is looked at for the loss.
constexpr std::uint64_t kLossEvery = 16;

void ask_for(const float* row, std::size_t floats) noexcept {
  for (std::size_t i = 0; i < floats; i += 16) __builtin_prefetch(row + i);
}

// to[i] = the word's row of the table, for the first `count` words.
void copy_rows(const Rows& table, const std::vector<std::uint32_t>& words, std::size_t count,
               Rows& to) {
  to.make_room(count);
  const std::size_t stride = table.stride();
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) ask_for(table.row(words[i + kAhead]), stride);
    std::memcpy(to.row(i), table.row(words[i]), stride * sizeof(float));
  }
}

// to[i] -= the same.
void subtract_rows(const Rows& table, const std::vector<std::uint32_t>& words, std::size_t count,
                   Rows& to) {
  const std::size_t stride = table.stride();
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) ask_for(table.row(words[i + kAhead]), stride);
    const float* from = table.row(words[i]);
    float* row = to.row(i);
    for (std::size_t c = 0; c < stride; ++c) row[c] -= from[c];
  }
}

}  // namespace

Rows::Rows(std::size_t count, std::size_t stride) : stride_(stride) { make_room(count); }

void Rows::make_room(std::size_t count) {
  if (count <= room_) return;
  values_ = memory_.reserve(count * stride_);
  room_ = count;
}

BlockTrainer::BlockTrainer(const Setting& setting)
    : setting_(setting), row_of_(setting.corpus.words.size(), kNone) {}

std::uint32_t BlockTrainer::local_row(std::uint32_t word, BlockResult& result) {
  std::uint32_t& row = row_of_[word];
  if (row == kNone) {
    row = static_cast<std::uint32_t>(result.words.size());
    result.words.push_back(word);
  }
  return row;
}

void BlockTrainer::choose_words(std::size_t first, std::size_t last, Random& random,
                                BlockResult& result) {
  const Corpus& corpus = setting_.corpus;
  result.words.clear();
  kept_.clear();
  kept_ends_.clear();
  std::uint64_t at = first == 0 ? 0 : corpus.sentence_ends[first - 1];
  for (std::size_t sentence = first; sentence < last; ++sentence) {
    for (; at < corpus.sentence_ends[sentence]; ++at) {
      const std::uint32_t word = corpus.tokens[at];
      if ((random.bits() >> 32) < setting_.keep[word]) kept_.push_back(local_row(word, result));
    }
    kept_ends_.push_back(kept_.size());
  }
  result.inputs = result.words.size();
  pool_.resize(std::max<std::size_t>(64, kept_.size() / 2));
  for (std::uint32_t& row : pool_) row = local_row(setting_.noise.draw(random.bits()), result);
  for (const std::uint32_t word : result.words) row_of_[word] = kNone;
}

void BlockTrainer::train(const Tables& tables, std::size_t first, std::size_t last, float rate,
                         std::uint64_t seed, BlockResult& result) {
  Random random(seed);
  choose_words(first, last, random, result);
  copy_rows(tables.input, result.words, result.inputs, result.d_input);
  copy_rows(tables.output, result.words, result.words.size(), result.d_output);
  last_window_.assign(result.inputs, 0);
  windows_ = 0;
  result.loss = 0;
  result.pairs = 0;
  std::size_t begin = 0;
  for (const std::size_t end : kept_ends_) {
    learn_sentence(std::span(kept_).subspan(begin, end - begin), rate, random, result);
    begin = end;
  }
  subtract_rows(tables.input, result.words, result.inputs, result.d_input);
  subtract_rows(tables.output, result.words, result.words.size(), result.d_output);
}

void BlockTrainer::learn_sentence(std::span<const std::uint32_t> rows, float rate, Random& random,
                                  BlockResult& result) {
  for (std::size_t center = 0; center < rows.size(); ++center) {
    const std::size_t reach = 1 + random.below(setting_.window);
    const std::size_t first = center > reach ? center - reach : 0;
    const std::size_t last = std::min(rows.size() - 1, center + reach);
    if (first == last) continue;
    choose_negatives(rows[center], random);
    ++windows_;
    for (std::size_t i = first; i <= last; ++i) {
      if (i == center) continue;
      // A word that stands twice in the window learns twice, and the second time from the first.
      if (last_window_[rows[i]] == windows_ || inputs_.size() == kernels::kSkipGramInputs) {
        learn_window(rate, result);
        ++windows_;
      }
      last_window_[rows[i]] = windows_;
      inputs_.push_back(rows[i]);
    }
    learn_window(rate, result);
  }
}

void BlockTrainer::choose_negatives(std::uint32_t center, Random& random) {
  targets_.assign(1, center);
  for (std::size_t i = 0; i < setting_.negative; ++i) {
    for (int tries = 0; tries < kTries; ++tries) {
      const std::uint32_t row = pool_[random.below(pool_.size())];
      if (std::find(targets_.begin(), targets_.end(), row) == targets_.end()) {
        targets_.push_back(row);
        break;
      }
    }
  }
}

void BlockTrainer::learn_window(float rate, BlockResult& result) {
  constexpr std::size_t kMost = kernels::kSkipGramOutputs;
  float* inputs[kernels::kSkipGramInputs];
  float* outputs[kMost];
  float errors[kernels::kSkipGramInputs * kMost];
  for (std::size_t b = 0; b < inputs_.size(); ++b) inputs[b] = result.d_input.row(inputs_[b]);
  for (std::size_t first = 0; first < targets_.size(); first += kMost) {
    const std::size_t count = std::min(kMost, targets_.size() - first);
    for (std::size_t n = 0; n < count; ++n) outputs[n] = result.d_output.row(targets_[first + n]);
    setting_.kernels.skip_gram(inputs_.size(), count, result.d_input.stride(), inputs, outputs,
                               first == 0, rate, errors);
    // They are counted from 1: a block has a first one, however few it has.
    if (windows_ % kLossEvery != 1) continue;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
      for (std::size_t n = 0; n < count; ++n) {
        const double error = std::fabs(static_cast<double>(errors[b * count + n]));
        // 1 - |e| is the probability of what is right; float's rounding may have made it 0.
        result.loss -= std::log(std::max(1 - error, 0x1p-24));
      }
    }
    if (first == 0) result.pairs += inputs_.size();
  }
  inputs_.clear();
}

}  // namespace glassgpt::word2vec
