#include <vector>

#include "io/file.h"
#include "io/safetensors.h"
#include "model/transfer.h"

namespace glassgpt {

std::string saved_name(const std::string& name, bool has_head) {
  return has_head && name != "lm_head.weight" ? "transformer." + name : name;
}

void save_model(const ModelConfig& config, const ModelTensors<const float>& tensors,
                const std::filesystem::path& directory, StorageType type) {
  const PlainTensors plain(config, tensors);
  std::vector<io::TensorToWrite> file;
  for (const PlainTensors::Entry& entry : plain.entries) {
    if (entry.data == nullptr) continue;  // an lm_head that the model does not have
    file.push_back({.name = saved_name(entry.name, tensors.lm_head != nullptr),
                    .shape = entry.shape,
                    .data = entry.data});
  }
  io::make_directories(directory);
  write_config(plain.config, directory / "config.json");
  // Transformers refuses a file that does not say which framework's layout it has.
  io::write_safetensors(directory / "model.safetensors", file, dtype_of(type), {{"format", "pt"}});
}

}  // namespace glassgpt
