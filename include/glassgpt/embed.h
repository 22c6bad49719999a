// Vectors out of the forward pass: which stages, of which tokens, pooled how.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glassgpt/config.h"
#include "glassgpt/observer.h"

namespace glassgpt {

// One stage of one block, as users name it. Layers are the residual stream: "layer_00" is the input
// of block 0 (token + position), "layer_0k" the output of block k - 1, the last one L; "final" is
// after the last layer norm (what Transformers calls hidden_states[L]). Taps are inner stages:
// "q_00" is block 0's query.
struct VectorKind {
  Stage stage;
  std::size_t layer;  // as in StageView: the block, 0 for stages outside blocks
  std::string name;   // "layer_00", "final", "q_03": also the name of its file or array
  std::string key;    // "0", "final", "q_03": its key in JSON
  std::size_t cols;
};

// A list as in --layers: numbers from 0 to L, numbers from -1 (layer L) down to -(L + 1) (layer 0),
// "final", "all" (0 .. L and final). In the order of the pass, each once. Throws
// std::invalid_argument that names the entry and what is allowed.
std::vector<VectorKind> parse_layers(const ModelConfig& config, std::string_view list);

// A list as in --taps: names of stages that have a row per token, for all blocks ("q") or for one
// ("q.3"). Throws std::invalid_argument.
std::vector<VectorKind> parse_taps(const ModelConfig& config, std::string_view list);

// What becomes of the rows of a group of tokens: all of them, or one row.
enum class Pooling {
  kNone,
  kMean,
  kLast,
  kFirst,
  kMax,           // each column's largest value
  kWeightedMean,  // token i of n weighs i / (1 + 2 + … + n): later tokens have seen more
                  // (Muennighoff 2022, section 4.1.1)
};

// Rows begin .. end of a batch, at least one, that belong to one group. A group may go on in the
// next range, or in the next batch (a text in several windows): `first` begins it, `last` ends it.
struct RowRange {
  std::size_t begin, end;
  bool first = true, last = true;
};

// Gets the rows of each kind, kind by kind in the order of the pass, as many at a time as lie one
// behind the other.
class VectorSink {
 public:
  virtual ~VectorSink() = default;
  // Row r is rows[r * stride .. r * stride + cols), valid during the call.
  virtual void on_rows(std::size_t kind, const float* rows, std::size_t count,
                       std::size_t stride) = 0;
  // Where the next `count` rows of the kind shall be computed, [count, cols] one row behind the
  // other; on_rows() follows with this address, and the room keeps what it holds until the pass
  // ends (Observer::room). Null: nowhere in particular. Asked for rows that nothing is done to.
  virtual float* room(std::size_t kind, std::size_t count) {
    static_cast<void>(kind), static_cast<void>(count);
    return nullptr;
  }
};

struct ExtractionOptions {
  Pooling pooling = Pooling::kNone;
  // Subtracted from each row after pooling: [cols] per kind, or empty.
  std::vector<std::vector<float>> center;
  bool normalize = false;  // to length 1, last of all; a row of zeros stays
  int threads = 1;         // that pool, centre and normalize; they change no byte
};

// The Observer that hands the wanted rows of a pass to a sink. Made once; before each pass
// set_ranges() says which rows count. Sums run in double from the first token to the last, so a
// row's bytes depend neither on the batch nor on threads. Not safe to share between passes that run
// at the same time.
class VectorExtractor : public Observer {
 public:
  // Throws std::invalid_argument for centres that do not fit the kinds.
  VectorExtractor(std::vector<VectorKind> kinds, ExtractionOptions options, VectorSink& sink);

  // Throws std::invalid_argument for a range without rows.
  void set_ranges(std::span<const RowRange> ranges);

  bool wants(Stage stage, std::size_t layer) const override;
  void on_stage(const StageView& view) override;
  float* room(Stage stage, std::size_t layer, std::size_t rows, std::size_t cols) override;

 private:
  struct Accumulator {
    std::vector<double> sum;
    double weight = 0;
    std::size_t tokens = 0;  // 0: the sum is whatever it was
    void restart() noexcept { weight = 0, tokens = 0; }
  };

  bool changes_rows() const noexcept { return options_.normalize || !options_.center.empty(); }
  bool takes_all(std::size_t rows) const;
  void hand_out_as_they_are(std::size_t kind, const StageView& view);
  void hand_out_changed(std::size_t kind, const StageView& view);
  void hand_out_pooled(std::size_t kind, const StageView& view);
  void accumulate(Accumulator& group, const float* row, std::size_t cols) const;
  void finish_group(const Accumulator& group, float* out, std::size_t cols) const;
  void finish_row(std::size_t kind, float* row) const;

  std::vector<VectorKind> kinds_;
  ExtractionOptions options_;
  VectorSink* sink_;
  std::vector<RowRange> ranges_;
  std::vector<std::size_t> group_begin_;  // where in ranges_ each group begins, and their end
  std::vector<Accumulator> open_;         // per kind: the group that goes on in the next batch
  std::vector<float> rows_;
};

}  // namespace glassgpt
