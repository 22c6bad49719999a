#include "glassgpt/model.h"

#include <sched.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "glassgpt/error.h"
#include "model/parts.h"
#include "model/pass_plan.h"

namespace glassgpt {
namespace {

constexpr int kMaxThreads = 1024;

bool backend_packs(kernels::GemmBackend backend) {
  return backend == kernels::GemmBackend::kAuto || backend == kernels::GemmBackend::kSimd;
}

void check_batch(const Batch& batch, const ModelConfig& config, std::size_t tokens_before) {
  const auto& offsets = batch.offsets;
  if (offsets.empty() ? !batch.ids.empty()
                      : offsets.front() != 0 || offsets.back() != batch.ids.size())
    throw std::invalid_argument("the batch's offsets must go from 0 to its " +
                                std::to_string(batch.ids.size()) + " ids");
  for (std::size_t b = 0; b < batch.sequences(); ++b) {
    if (offsets[b + 1] < offsets[b])
      throw std::invalid_argument("the batch's offsets must ascend: offset " +
                                  std::to_string(b + 1) + " is " + std::to_string(offsets[b + 1]) +
                                  " after " + std::to_string(offsets[b]));
    const std::size_t tokens = tokens_before + offsets[b + 1] - offsets[b];
    if (tokens > config.n_positions)
      throw std::invalid_argument("sequence " + std::to_string(b) + " has " +
                                  std::to_string(tokens) + " tokens, the model's context holds " +
                                  std::to_string(config.n_positions) + ": " +
                                  std::to_string(tokens - config.n_positions) + " too many");
  }
  for (std::size_t i = 0; i < batch.ids.size(); ++i)
    if (batch.ids[i] >= config.vocab_size)
      throw std::invalid_argument("id " + std::to_string(batch.ids[i]) + " at place " +
                                  std::to_string(i) + " is not in the vocabulary of " +
                                  std::to_string(config.vocab_size));
}

// Lends a set of activations to one pass, so that passes after the first need no memory from the
// system.
class Workspace {
 public:
  explicit Workspace(const Model::Parts& parts) : parts_(parts) {
    const std::lock_guard lock(parts_.mutex);
    if (parts_.idle_activations.empty()) {
      activations_ = std::make_unique<Activations>(parts_.config, KeepActivations::kOneBlock);
      parts_.idle_activations.reserve(++parts_.activations_made);
    } else {
      activations_ = std::move(parts_.idle_activations.back());
      parts_.idle_activations.pop_back();
    }
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() {
    const std::lock_guard lock(parts_.mutex);
    parts_.idle_activations.push_back(std::move(activations_));  // reserved above: cannot throw
  }
  Activations& operator*() noexcept { return *activations_; }

 private:
  const Model::Parts& parts_;
  std::unique_ptr<Activations> activations_;
};

// The weights, packed as far as the plan goes.
const PackedWeights& packed_weights(const Model::Parts& parts, const PassPlan& plan,
                                    const kernels::GemmOptions& options) {
  const std::lock_guard lock(parts.mutex);
  std::unique_ptr<Model::Parts::Packed>& packed =
      parts.packed[options.type == kernels::NumberType::kBFloat16 ? 1 : 0];
  if (packed == nullptr) packed = std::make_unique<Model::Parts::Packed>(parts);
  if (!backend_packs(options.backend)) return packed->weights;
  const std::size_t blocks = plan.blocks_reached();
  if (blocks > packed->blocks) {
    packed->weights.pack_blocks(packed->blocks, blocks, options);
    packed->blocks = blocks;
  }
  if (plan.reaches(Stage::kLogits) && !packed->lm_head) {
    packed->weights.lm_head.pack(options);
    packed->lm_head = true;
  }
  return packed->weights;
}

void checked_forward(const Model::Parts& parts, const Batch& batch, KeyValueCache::Parts* cache,
                     Observer& observer, const ForwardOptions& options) {
  std::optional<PassTimer> timer;
  if (options.profile != nullptr) timer.emplace(*options.profile);
  check_batch(batch, parts.config, cache != nullptr ? cache->tokens : 0);
  const kernels::GemmOptions gemm = gemm_options(options);
  const PassPlan plan(parts.config.n_layer, &observer, cache != nullptr);
  if (plan.reaches(Stage::kLogits) && parts.tensors.lm_head == nullptr)
    throw std::invalid_argument("logits are asked of a model without lm_head.weight");
  const PackedWeights& packed = packed_weights(parts, plan, gemm);
  Workspace activations(parts);
  run_forward(parts.config, parts.tensors, packed, batch, *activations, &observer, gemm, cache,
              timer ? &*timer : nullptr);
}

}  // namespace

kernels::GemmOptions gemm_options(const ForwardOptions& options) {
  if (options.threads < 0 || options.threads > kMaxThreads)
    throw std::invalid_argument("threads is " + std::to_string(options.threads) +
                                ", expected 0 to " + std::to_string(kMaxThreads));
  kernels::GemmBackend backend = kernels::GemmBackend::kAuto;
  switch (options.gemm) {
    case GemmChoice::kAuto:
      break;
    case GemmChoice::kSimd:
      backend = kernels::GemmBackend::kSimd;
      break;
    case GemmChoice::kBlas:
      backend = kernels::GemmBackend::kBlas;
      break;
    case GemmChoice::kReference:
      backend = kernels::GemmBackend::kReference;
      break;
  }
  const bool bfloat16 = options.compute == ComputeType::kBFloat16;
  if (bfloat16 && !backend_packs(backend))
    throw std::invalid_argument(
        "bfloat16 is multiplied by our own product only: gemm must be auto or simd");
  return {
      .backend = backend,
      .threads = options.threads != 0 ? options.threads : default_threads(),
      .type = bfloat16 ? kernels::NumberType::kBFloat16 : kernels::NumberType::kFloat32,
  };
}

Model::Model(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const ModelConfig& Model::config() const noexcept { return parts_->config; }

Model make_model(const ModelConfig& config, const ModelTensors<const float>& tensors,
                 std::shared_ptr<const void> storage) {
  auto parts = std::make_unique<Model::Parts>();
  parts->config = config;
  parts->tensors = tensors;
  parts->storage = std::move(storage);
  return Model(std::move(parts));
}

Model Model::random(const ModelConfig& config, std::uint64_t seed) {
  config.validate();
  const TensorLayout layout(config);
  const std::shared_ptr<float[]> buffer = std::make_shared_for_overwrite<float[]>(layout.size);
  initialize_parameters(config, seed, buffer.get());
  return make_model(config, layout.tensors(static_cast<const float*>(buffer.get())), buffer);
}

void Model::save(const std::filesystem::path& directory, StorageType type) const {
  save_model(parts_->config, parts_->tensors, directory, type);
}

void Model::forward(const Batch& batch, Observer& observer, const ForwardOptions& options) const {
  checked_forward(*parts_, batch, nullptr, observer, options);
}

void Model::forward(std::span<const TokenId> ids, KeyValueCache& cache, Observer& observer,
                    const ForwardOptions& options) const {
  const KeyValueCache::Parts& parts = cache.parts();
  if (parts.n_layer != config().n_layer || parts.n_positions != config().n_positions ||
      parts.width != config().n_embd)
    throw std::invalid_argument("the key-value cache was made for another model");
  const std::size_t offsets[] = {0, ids.size()};
  checked_forward(*parts_, {.ids = ids, .offsets = offsets}, &cache.parts(), observer, options);
}

std::size_t Model::weight_bytes() const noexcept {
  const TensorLayout layout(parts_->config);
  const std::vector<const float*> tensors = tensor_list(parts_->config, parts_->tensors);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i] != nullptr) bytes += layout.entries[i].size * sizeof(float);
  return bytes;
}

std::size_t Model::packed_bytes() const noexcept {
  const std::lock_guard lock(parts_->mutex);
  std::size_t bytes = 0;
  for (const std::unique_ptr<Parts::Packed>& packed : parts_->packed)
    if (packed != nullptr) bytes += packed->weights.packed_bytes();
  return bytes;
}

KeyValueCache::Parts::Parts(const ModelConfig& config)
    : n_layer(config.n_layer), n_positions(config.n_positions), width(config.n_embd) {
  config.validate();
  // Not zeroed: pages that no token reaches are never touched.
  data = std::make_unique_for_overwrite<float[]>(2 * n_layer * n_positions * width);
}

KeyValueCache::KeyValueCache(const ModelConfig& config) : parts_(std::make_unique<Parts>(config)) {}
KeyValueCache::KeyValueCache(KeyValueCache&&) noexcept = default;
KeyValueCache& KeyValueCache::operator=(KeyValueCache&&) noexcept = default;
KeyValueCache::~KeyValueCache() = default;

std::size_t KeyValueCache::tokens() const noexcept { return parts_->tokens; }
void KeyValueCache::clear() noexcept { parts_->tokens = 0; }

int default_threads() {
  if (const char* variable = std::getenv("GLASSGPT_THREADS");
      variable != nullptr && *variable != '\0') {
    const std::string_view text(variable);
    int threads = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
    if (error != std::errc{} || end != text.data() + text.size() || threads < 1 ||
        threads > kMaxThreads)
      throw Error(ErrorCode::kOutOfRange, {},
                  "the environment variable GLASSGPT_THREADS is '" + std::string(text) + "'",
                  "expected a number from 1 to " + std::to_string(kMaxThreads));
    return threads;
  }
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return CPU_COUNT(&cpus) > 0 ? CPU_COUNT(&cpus) : 1;
}

}  // namespace glassgpt
