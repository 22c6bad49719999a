// The unit of training: some sentences, learned one window after the other on a copy of the rows
// that they touch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "kernels/kernel_table.h"
#include "word2vec/corpus.h"
#include "word2vec/sampling.h"

namespace glassgpt::word2vec {

// Rows of `stride` floats, each on cache lines of its own; what is behind dim stays zero.
class Rows {
 public:
  Rows() = default;
  Rows(std::size_t count, std::size_t stride);
  float* row(std::size_t index) noexcept { return values_ + index * stride_; }
  const float* row(std::size_t index) const noexcept { return values_ + index * stride_; }
  std::size_t stride() const noexcept { return stride_; }
  // Room for `count` rows; what they hold is not kept.
  void make_room(std::size_t count);

 private:
  kernels::PackedBuffer memory_;
  float* values_ = nullptr;
  std::size_t room_ = 0, stride_ = 0;
};

struct Tables {
  Rows input, output;  // [V]
};

// What all blocks share and none changes.
struct Setting {
  const Corpus& corpus;
  const kernels::KernelTable& kernels;
  NoiseTable noise;
  std::vector<std::uint64_t> keep;
  std::size_t window, negative;
};

// What a block has learned.
struct BlockResult {
  std::vector<std::uint32_t> words;  // of the block's rows; the first `inputs` have both
  std::size_t inputs = 0;            // the others, drawn as negatives, an output row alone
  Rows d_input, d_output;            // after minus before
  double loss = 0;                   // of a sample of the windows
  std::uint64_t pairs = 0;           // in that sample
};

// One thread's scratch memory.
class BlockTrainer {
 public:
  explicit BlockTrainer(const Setting& setting);

  // Learns the sentences [first, last). The result depends on the arguments alone.
  void train(const Tables& tables, std::size_t first, std::size_t last, float rate,
             std::uint64_t seed, BlockResult& result);

 private:
  void choose_words(std::size_t first, std::size_t last, Random& random, BlockResult& result);
  std::uint32_t local_row(std::uint32_t word, BlockResult& result);
  void learn_sentence(std::span<const std::uint32_t> rows, float rate, Random& random,
                      BlockResult& result);
  void choose_negatives(std::uint32_t center, Random& random);
  // The inputs that were collected, with all targets; then there are none.
  void learn_window(float rate, BlockResult& result);

  const Setting& setting_;
  std::vector<std::uint32_t> row_of_;       // [V]: the word's row in this block, or kNone
  std::vector<std::uint32_t> kept_;         // rows of the words that were kept, in their order
  std::vector<std::size_t> kept_ends_;      // of sentences
  std::vector<std::uint32_t> pool_;         // rows to choose negatives from
  std::vector<std::uint32_t> targets_;      // of a window: rows; the first is the true one
  std::vector<std::uint64_t> last_window_;  // per row: the window in which it was an input last
  std::vector<std::uint32_t> inputs_;       // of a window: rows, none twice
  std::uint64_t windows_ = 0;
};

}  // namespace glassgpt::word2vec
