// Watching the forward pass: every named stage between tokens and logits.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace glassgpt {

// In the order of the forward pass. From kLn1 to kResidual once per block.
enum class Stage {
  kTokens,          // the ids themselves
  kTokenEmbedding,  // [rows, C] rows of the embedding table, times embedding_scale
  kPosition,        // [rows, C] the position vectors
  kEmbedding,       // [rows, C] their sum: layer 0
  kLn1,             // [rows, C]
  kQ,
  kK,
  kV,               // [rows, C] head h is columns h*D .. (h+1)*D
  kScores,          // [T, T] per sequence and head: q k^T / sqrt(D), masked entries -inf
  kAttention,       // [T, T] per sequence and head: softmax of the scores
  kAttentionHeads,  // [rows, C] the heads' weighted sums, side by side
  kAttentionOut,    // [rows, C] after the output projection: what attention adds to the residual
                    // stream
  kResidualMid,     // [rows, C]
  kLn2,             // [rows, C]
  kMlpHidden,       // [rows, F] after the activation function
  kMlpOut,          // [rows, C] what the MLP adds to the residual stream
  kResidual,        // [rows, C] the block's output: layer k + 1 of block k
  kFinal,           // [rows, C] after the last layer norm
  kLogits,          // [rows, V]
};

// "token_embedding", "q", "attention_out", ...: the names of --taps and of Python's
// trace().
std::string_view stage_name(Stage stage) noexcept;
std::optional<Stage> stage_from_name(std::string_view name) noexcept;
bool stage_is_per_block(Stage stage) noexcept;

// A stage's numbers, valid only during the call. Row r of a [rows, *] stage belongs to the batch's
// id r.
struct StageView {
  Stage stage;
  std::size_t layer;  // the block, 0 .. L-1; 0 for stages outside blocks
  const float* data;  // null for kTokens: the ids are the batch's own
  std::size_t rows, cols;
  std::size_t stride;    // elements from row to row
  std::size_t sequence;  // kScores and kAttention only
  std::size_t head;      // kScores and kAttention only
};

// Watching never changes a byte of the result, and what nobody wants is neither stored nor
// computed: the pass ends after the last stage that is wanted. Calls come in stage order from the
// calling thread. An exception thrown by on_stage ends the pass and reaches its caller.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual bool wants(Stage stage, std::size_t layer) const = 0;
  virtual void on_stage(const StageView& view) = 0;
  // Who keeps the rows of a wanted kEmbedding, kResidual or kFinal can have them without a copy:
  // the pass computes them in this room, [rows, cols] one row behind the other, and on_stage() then
  // shows it. The next block reads it, so it stays as it is until the pass ends. Null: the pass has
  // a place of its own.
  virtual float* room(Stage stage, std::size_t layer, std::size_t rows, std::size_t cols) {
    static_cast<void>(stage), static_cast<void>(layer);
    static_cast<void>(rows), static_cast<void>(cols);
    return nullptr;
  }
};

}  // namespace glassgpt
