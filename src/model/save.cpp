#include <vector>

#include "io/file.h"
#include "io/safetensors.h"
#include "model/parts.h"

namespace glassgpt {
namespace {

io::DType dtype_of(StorageType type) {
  switch (type) {
    case StorageType::kFloat16:
      return io::DType::kF16;
    case StorageType::kBFloat16:
      return io::DType::kBF16;
    case StorageType::kFloat32:
      break;
  }
  return io::DType::kF32;
}

// What rescale_embedding multiplies the table and the last layer norm by.
struct Factors {
  float table, last_norm;
};
Factors rescaling(const ModelConfig& config, float new_scale) {
  const float ratio = config.embedding_scale / new_scale;
  return {.table = ratio, .last_norm = config.tie_word_embeddings ? 1.0f / ratio : 1.0f};
}

float factor_of(const std::string& name, const Factors& factors) {
  if (name == "wte.weight") return factors.table;
  if (name.starts_with("ln_f.")) return factors.last_norm;
  return 1.0f;
}

}  // namespace

void rescale_embedding(ModelConfig& config, float* buffer, float new_scale) {
  const Factors factors = rescaling(config, new_scale);
  for (const TensorLayout::Entry& entry : TensorLayout(config).entries) {
    const float factor = factor_of(entry.name, factors);
    if (factor == 1.0f) continue;
    for (std::size_t i = 0; i < entry.size; ++i) buffer[entry.offset + i] *= factor;
  }
  config.embedding_scale = new_scale;
}

void save_model(const ModelConfig& config, const ModelTensors<const float>& tensors,
                const std::filesystem::path& directory, StorageType type) {
  const TensorLayout layout(config);
  const std::vector<const float*> data = tensor_list(config, tensors);
  const Factors factors = rescaling(config, 1.0f);
  std::vector<std::vector<float>> rescaled;
  std::vector<io::TensorToWrite> file;
  for (std::size_t i = 0; i < layout.entries.size(); ++i) {
    const TensorLayout::Entry& entry = layout.entries[i];
    if (data[i] == nullptr) continue;  // an lm_head that the model does not have
    const float* values = data[i];
    if (const float factor = factor_of(entry.name, factors); factor != 1.0f) {
      std::vector<float>& copy = rescaled.emplace_back(values, values + entry.size);
      for (float& value : copy) value *= factor;
      values = copy.data();
    }
    // GPT2LMHeadModel keeps the model under "transformer."; GPT2Model, which has no lm_head, does
    // not.
    const bool prefixed = tensors.lm_head != nullptr && entry.name != "lm_head.weight";
    file.push_back({.name = prefixed ? "transformer." + entry.name : entry.name,
                    .shape = {entry.shape.begin(), entry.shape.end()},
                    .data = values});
  }
  ModelConfig plain = config;
  plain.embedding_scale = 1.0f;
  io::make_directories(directory);
  write_config(plain, directory / "config.json");
  // Transformers refuses a file that does not say which framework's layout it has.
  io::write_safetensors(directory / "model.safetensors", file, dtype_of(type), {{"format", "pt"}});
}

}  // namespace glassgpt
