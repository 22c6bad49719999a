#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "glassgpt/error.h"
#include "io/safetensors.h"
#include "kernels/dispatch.h"
#include "model/transfer.h"
#include "model/weight_files.h"

namespace glassgpt {
namespace {

// Keeps a model's tensors alive: those stored as float32 lie in the mapped file, the others are
// converted.
struct LoadedWeights {
  explicit LoadedWeights(const std::filesystem::path& path) : file(path) {}
  io::SafetensorsFile file;
  std::vector<std::unique_ptr<float[]>> converted;
};

class WeightsReader {
 public:
  WeightsReader(const ModelConfig& config, const std::filesystem::path& path)
      : config_(config), path_(path.string()), weights_(std::make_shared<LoadedWeights>(path)) {
    if (weights_->file.find("transformer.wte.weight") != nullptr) prefix_ = "transformer.";
  }

  Model read() {
    const TensorLayout layout(config_);
    std::vector<const float*> tensors;
    for (const TensorLayout::Entry& entry : layout.entries) tensors.push_back(read(entry));
    refuse_unknown_tensors(layout);
    return make_model(config_, tensors_from_list(config_, tensors), weights_);
  }

 private:
  std::string name_in_file(const std::string& name) const {
    return name == "lm_head.weight" ? name : prefix_ + name;
  }

  const float* read(const TensorLayout::Entry& entry) {
    const std::string name = name_in_file(entry.name);
    const io::TensorView* tensor = weights_->file.find(name);
    if (tensor == nullptr) return read_missing(entry, name);
    check(*tensor, entry);
    const float* const values = floats(*tensor);
    // Other programs read the table from the file, so ours uses the file's too, rounded as it may
    // be; but it must be that table.
    if (!entry.trained) check_sinusoidal(config_, values, tensor->dtype, tensor->name, path_);
    return values;
  }

  const float* read_missing(const TensorLayout::Entry& entry, const std::string& name) {
    if (!entry.trained) {
      float* const table = allocate(entry.size);
      kernels::active_kernels().sinusoidal_positions(config_.n_positions, config_.n_embd, 0, table,
                                                     config_.n_embd);
      return table;
    }
    // GPT2Model.save_pretrained leaves it out.
    if (entry.name == "lm_head.weight" && prefix_.empty()) return nullptr;
    throw Error(ErrorCode::kMalformed, path_,
                "the tensor " + name + " is missing, expected shape " + shape_text(entry.shape),
                "the file does not hold the model that config.json describes");
  }

  void check(const io::TensorView& tensor, const TensorLayout::Entry& entry) const {
    if (tensor.dtype == io::DType::kOther)
      throw Error(ErrorCode::kUnsupported, path_,
                  "the tensor " + tensor.name + " has type " + tensor.dtype_name +
                      ", expected F32, F16 or BF16");
    if (!std::equal(tensor.shape.begin(), tensor.shape.end(), entry.shape.begin(),
                    entry.shape.end()))
      throw Error(ErrorCode::kMalformed, path_,
                  "the tensor " + tensor.name + " has shape " + shape_text(tensor.shape) +
                      ", expected " + shape_text(entry.shape),
                  "the file does not hold the model that config.json describes");
  }

  float* allocate(std::size_t floats) {
    return weights_->converted.emplace_back(std::make_unique_for_overwrite<float[]>(floats)).get();
  }

  const float* floats(const io::TensorView& tensor) {
    const auto address = reinterpret_cast<std::uintptr_t>(tensor.data.data());
    if (tensor.dtype == io::DType::kF32 && address % alignof(float) == 0)
      return reinterpret_cast<const float*>(tensor.data.data());
    float* const values = allocate(tensor.elements());
    io::to_float(tensor, values);
    return values;
  }

  // Old files store the causal mask as buffers of the attention layers.
  std::set<std::string> known_names(const TensorLayout& layout) const {
    std::set<std::string> names = {"lm_head.weight"};
    for (const TensorLayout::Entry& entry : layout.entries) names.insert(name_in_file(entry.name));
    for (std::size_t k = 0; k < config_.n_layer; ++k) {
      const std::string attention = prefix_ + "h." + std::to_string(k) + ".attn.";
      names.insert(attention + "bias");
      names.insert(attention + "masked_bias");
    }
    return names;
  }

  void refuse_unknown_tensors(const TensorLayout& layout) const {
    const std::set<std::string> known = known_names(layout);
    for (const auto& [name, tensor] : weights_->file.tensors())
      if (!known.contains(name))
        throw Error(ErrorCode::kMalformed, path_,
                    "the tensor " + name + " with shape " + shape_text(tensor.shape) +
                        " is not part of the model that config.json describes",
                    "expected what GPT2Model or GPT2LMHeadModel saves");
  }

  const ModelConfig& config_;
  std::string path_;
  std::shared_ptr<LoadedWeights> weights_;
  std::string prefix_;
};

std::filesystem::path find_weights(const std::filesystem::path& directory) {
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"})
    if (std::filesystem::exists(directory / name)) return directory / name;
  std::string hint = "a model directory has config.json, model.safetensors and tokenizer.json";
  for (const char* name :
       {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"})
    if (std::filesystem::exists(directory / name))
      hint = std::string(name) + " is not read: load the model in Transformers and save it again " +
             "with save_pretrained(..., safe_serialization=True)";
  throw Error(ErrorCode::kNotFound, directory.string(), "there is no model.safetensors in it",
              hint);
}

}  // namespace

std::vector<std::filesystem::path> weight_files(const std::filesystem::path& directory) {
  const std::filesystem::path file = find_weights(directory);
  std::vector<std::filesystem::path> files = io::SafetensorsFile(file).files();
  if (files.size() != 1 || files[0] != file) files.push_back(file);
  return files;
}

Model Model::load(const std::filesystem::path& directory) {
  // One that may not be looked at says so when its config.json is opened.
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(directory, ignored);
  if (!std::filesystem::is_directory(status) && status.type() != std::filesystem::file_type::none)
    throw Error(ErrorCode::kNotFound, directory.string(),
                std::filesystem::exists(status) ? "is a file, not a model directory"
                                                : "there is no such model directory",
                "a model directory has config.json, model.safetensors and tokenizer.json");
  const ModelConfig config = read_config(directory / "config.json");
  return WeightsReader(config, find_weights(directory)).read();
}

}  // namespace glassgpt
