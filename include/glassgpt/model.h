// A GPT-2 model: weights and the one forward pass.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "glassgpt/config.h"
#include "glassgpt/observer.h"
#include "glassgpt/profile.h"
#include "glassgpt/types.h"

namespace glassgpt {

enum class GemmChoice { kAuto, kSimd, kBlas, kReference };
enum class StorageType { kFloat32, kFloat16, kBFloat16 };

// What the matrix products of weights round their factors to. Sums, the residual stream, norms and
// attention are float32 either way. kBFloat16 needs GemmChoice::kAuto or kSimd.
enum class ComputeType { kFloat32, kBFloat16 };

struct ForwardOptions {
  int threads = 0;  // 0: default_threads()
  GemmChoice gemm = GemmChoice::kAuto;
  ComputeType compute = ComputeType::kFloat32;
  PassProfile* profile = nullptr;  // is told where the time went; for one pass at a time
};

// Keys and values of the tokens seen so far, for generating one token after the other. Made for one
// model and one sequence.
class KeyValueCache;

// Immutable once made; forward() may be called from several threads at once.
class Model {
 public:
  // A directory with config.json and model.safetensors, as Hugging Face's save_pretrained writes
  // GPT2Model and GPT2LMHeadModel. Throws Error naming the file, the tensor, what was found and
  // what was expected.
  static Model load(const std::filesystem::path& directory);
  // GPT-2's initialisation (Radford et al. 2019): normal, 0.02; residual projections scaled by
  // 1/sqrt(2 L). Same seed, same bytes.
  static Model random(const ModelConfig& config, std::uint64_t seed);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  // Writes config.json and model.safetensors (each whole or not at all).
  void save(const std::filesystem::path& directory, StorageType type = StorageType::kFloat32) const;

  const ModelConfig& config() const noexcept;

  // Runs the pass over the batch and announces each stage that the observer wants. Throws
  // std::invalid_argument for ids >= vocab_size or sequences longer than n_positions (with the
  // numbers), before anything is announced.
  void forward(const Batch& batch, Observer& observer, const ForwardOptions& options = {}) const;
  // One sequence that continues what the cache holds; positions go on from there.
  void forward(std::span<const TokenId> ids, KeyValueCache& cache, Observer& observer,
               const ForwardOptions& options = {}) const;

  // Bytes held: weights, packed weights.
  std::size_t weight_bytes() const noexcept;
  std::size_t packed_bytes() const noexcept;

  struct Parts;  // src/model/: for the trainer and the tests
  const Parts& parts() const noexcept { return *parts_; }
  explicit Model(std::unique_ptr<Parts> parts) noexcept;

 private:
  std::unique_ptr<Parts> parts_;
};

class KeyValueCache {
 public:
  explicit KeyValueCache(const ModelConfig& config);
  KeyValueCache(KeyValueCache&&) noexcept;
  KeyValueCache& operator=(KeyValueCache&&) noexcept;
  ~KeyValueCache();
  std::size_t tokens() const noexcept;
  void clear() noexcept;

  struct Parts;
  Parts& parts() noexcept { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

// Threads used where the caller says 0: GLASSGPT_THREADS if set, else the CPUs that this process
// may run on.
int default_threads();

}  // namespace glassgpt
