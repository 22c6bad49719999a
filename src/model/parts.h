// What a model is made of: tensors by name, the buffers that a forward pass fills, and the pass
// itself. For src/model and src/train.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "glassgpt/model.h"
#include "kernels/gemm/gemm.h"
#include "model/dropout.h"
#include "model/pass_timer.h"

namespace glassgpt {

// Pointers to the tensors of one block; T is const float for weights and float for what the trainer
// changes. Weights of products are stored [in, out] as in GPT-2 (Conv1D).
template <class T>
struct BlockTensors {
  T *ln_1_weight, *ln_1_bias;                    // [C]
  T *attention_qkv_weight, *attention_qkv_bias;  // [C, 3C], [3C]
  T *attention_out_weight, *attention_out_bias;  // [C, C], [C]
  T *ln_2_weight, *ln_2_bias;                    // [C]
  T *mlp_in_weight, *mlp_in_bias;                // [C, F], [F]
  T *mlp_out_weight, *mlp_out_bias;              // [F, C], [C]
};

template <class T>
struct ModelTensors {
  T* token_embedding;     // [V, C]
  T* position_embedding;  // [n_positions, C]; computed for sinusoidal models, and then not trained
  std::vector<BlockTensors<T>> blocks;
  T *ln_f_weight, *ln_f_bias;  // [C]
  // [V, C]; the same pointer as token_embedding when tied; null in an untied model whose file has
  // none (what GPT2Model.save_pretrained writes), which then has no logits.
  T* lm_head;
};

// Name, shape and place of each tensor in one flat buffer, in file order; names without the
// "transformer." prefix.
struct TensorLayout {
  struct Entry {
    std::string name;  // "wte.weight", "h.0.attn.c_attn.weight", ...
    std::vector<std::size_t> shape;
    std::size_t offset, size;  // floats
    bool decays;               // matrices decay, biases and norms do not
    bool trained;              // false for a sinusoidal wpe.weight
  };
  std::vector<Entry> entries;
  std::size_t size = 0;  // floats in all

  explicit TensorLayout(const ModelConfig& config);
  // The tensors of a buffer that has this layout.
  ModelTensors<float> tensors(float* buffer) const;
  ModelTensors<const float> tensors(const float* buffer) const;

 private:
  ModelConfig config_;
};

// The tensors one by one, in the order of TensorLayout::entries (lm_head only when untied; it may
// be null), and back.
std::vector<const float*> tensor_list(const ModelConfig& config,
                                      const ModelTensors<const float>& tensors);
ModelTensors<const float> tensors_from_list(const ModelConfig& config,
                                            std::span<const float* const> list);

// Fills a buffer that has TensorLayout(config) with GPT-2's initialisation, as Model::random
// describes it; a sinusoidal position table is computed. The same seed gives the same bytes for any
// number of threads.
void initialize_parameters(const ModelConfig& config, std::uint64_t seed, float* buffer,
                           int threads = 0);

// Rewrites the tensors of a buffer that has TensorLayout(config), and config.embedding_scale, for
// another embedding_scale, so that layers 0 .. L and the logits stay what they are: the table
// shrinks as the scale grows, and where the table is also the output matrix, the last layer norm
// takes up the factor, and `final` with it. Exact where the ratio is a power of two.
// src/model/README.md says why.
void rescale_embedding(ModelConfig& config, float* buffer, float new_scale);

// Writes config.json and model.safetensors, each whole or not at all, so that Hugging Face's
// GPT2LMHeadModel loads them and computes the same: tensors are stored as rescale_embedding(..., 1)
// would leave them.
void save_model(const ModelConfig& config, const ModelTensors<const float>& tensors,
                const std::filesystem::path& directory, StorageType type);

// The matrix products' weights, each with its packed form.
struct PackedBlock {
  kernels::WeightMatrix qkv, attention_out, mlp_in, mlp_out;
};
struct PackedWeights {
  std::vector<PackedBlock> blocks;
  kernels::WeightMatrix lm_head;  // token_embedding transposed: [C, V]
  // Views the tensors; pack() must follow, and again whenever they change.
  PackedWeights(const ModelConfig& config, const ModelTensors<const float>& tensors);
  void pack(const kernels::GemmOptions& options, bool with_lm_head);
  void pack_blocks(std::size_t begin, std::size_t end, const kernels::GemmOptions& options);
  std::size_t packed_bytes() const noexcept;
};

// What a pass writes. keep == kOneBlock: all blocks share one set, and the residual stream is
// updated in place (inference), or goes where the observer has room for it. kAllBlocks: each block
// has its own, which the backward pass reads. Buffers grow on demand and are kept for the next
// pass.
struct BlockActivations {
  float* input;  // [rows, C] the residual stream that enters (the previous block's output)
  float *ln_1, *ln_1_mean, *ln_1_rstd;  // [rows, C], [rows], [rows]
  float* qkv;                           // [rows, 3C]
  float* heads;                         // [rows, C] attention, before the output projection
  float* log_sum_exp;   // per sequence [H, T], one behind the other: sequence b starts at H *
                        // offsets[b]
  float* residual_mid;  // [rows, C]
  float *ln_2, *ln_2_mean, *ln_2_rstd;
  float*
      mlp_pre;  // [rows, F] before the activation function; null unless kept for the backward pass
  float* mlp_hidden;  // [rows, F]
  float* output;      // [rows, C]
};
enum class KeepActivations { kOneBlock, kAllBlocks };
class Activations {
 public:
  Activations(const ModelConfig& config, KeepActivations keep);
  bool keeps_all() const noexcept { return keep_ == KeepActivations::kAllBlocks; }
  void reserve(std::size_t rows);
  float* embedding() noexcept;  // [rows, C]: input of block 0
  BlockActivations block(std::size_t k) noexcept;
  float * final() noexcept, *final_mean() noexcept, *final_rstd() noexcept;
  // One scratch area per thread, for attention: at least `floats` each; what they held is lost when
  // they grow.
  void reserve_scratch(int threads, std::size_t floats);
  float* scratch(int thread) noexcept;
  // For what is computed only because somebody watches: at least `floats`, until the next call.
  float* watched(std::size_t floats);
  std::size_t bytes() const noexcept;

 private:
  // A zeroed buffer that starts on a cache line.
  class Buffer {
   public:
    void grow(std::size_t floats);
    float* data() noexcept;
    std::size_t bytes() const noexcept { return storage_.capacity() * sizeof(float); }

   private:
    std::vector<float> storage_;
  };

  std::size_t floats_per_block() const noexcept;

  ModelConfig config_;
  KeepActivations keep_;
  std::size_t rows_ = 0;  // rounded up, so that every part starts on a cache line
  std::size_t scratch_floats_ = 0;
  Buffer storage_, scratch_, watched_;
};

// The one forward pass, over any tensors: the model's own or the trainer's. Ends after the last
// stage that the observer wants; `observer` null means: everything up to kFinal is computed into
// `activations` and nobody is told (training). With a cache the batch is one sequence that
// continues it: positions go on, and every block's keys and values are added to it. A timer is told
// which stage runs. Dropout is for training.
// An observer's room is not used where all activations are kept: the backward pass reads them.
void run_forward(const ModelConfig& config, const ModelTensors<const float>& tensors,
                 const PackedWeights& packed, const Batch& batch, Activations& activations,
                 Observer* observer, const kernels::GemmOptions& options,
                 KeyValueCache::Parts* cache = nullptr, PassTimer* timer = nullptr,
                 const Dropout* dropout = nullptr);

// What the kernels are told of a pass's options; threads of 0 are default_threads(). Throws
// std::invalid_argument for too many threads, and for a product that cannot have the type.
kernels::GemmOptions gemm_options(const ForwardOptions& options);

struct Model::Parts {
  ModelConfig config;
  ModelTensors<const float> tensors;
  std::shared_ptr<const void> storage;  // keeps the tensors alive: a buffer or a mapped file

  // Weights packed for one type of number, as far as a pass has needed them.
  struct Packed {
    explicit Packed(const Model::Parts& parts) : weights(parts.config, parts.tensors) {}
    PackedWeights weights;
    std::size_t blocks = 0;  // 0 .. blocks - 1 are packed
    bool lm_head = false;
  };

  // What forward() makes on demand; all under the mutex.
  mutable std::mutex mutex;
  mutable std::array<std::unique_ptr<Packed>, 2> packed;  // by ComputeType
  mutable std::size_t activations_made = 0;
  mutable std::vector<std::unique_ptr<Activations>> idle_activations;
};

// A model over tensors that `storage` keeps alive. Nothing is packed before the first forward().
Model make_model(const ModelConfig& config, const ModelTensors<const float>& tensors,
                 std::shared_ptr<const void> storage);

// Per block [n_positions, C] keys and as many values; the first `tokens` rows are filled.
struct KeyValueCache::Parts {
  explicit Parts(const ModelConfig& config);
  float* keys(std::size_t block) noexcept { return data.get() + 2 * block * n_positions * width; }
  float* values(std::size_t block) noexcept { return keys(block) + n_positions * width; }

  std::size_t n_layer, n_positions, width;
  std::size_t tokens = 0;
  std::unique_ptr<float[]> data;
};

}  // namespace glassgpt
