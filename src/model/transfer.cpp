#include "model/transfer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "glassgpt/error.h"
#include "kernels/dispatch.h"

namespace glassgpt {
namespace {

constexpr const char* kOtherModel = "the file does not hold the model that it describes";

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

void check_tensor(const FileTensor& found, const TensorLayout::Entry& entry,
                  const std::string& path) {
  const io::TensorView& view = found.view;
  if (view.dtype == io::DType::kOther)
    throw Error(
        ErrorCode::kUnsupported, path,
        "the tensor " + view.name + " has type " + view.dtype_name + ", expected F32, F16 or BF16",
        "quantized weights are not read: convert the original model to F32, F16 or BF16");
  std::vector<std::uint64_t> expected(entry.shape.begin(), entry.shape.end());
  if (found.transposed) std::reverse(expected.begin(), expected.end());
  if (view.shape != expected)
    throw Error(ErrorCode::kMalformed, path,
                "the tensor " + view.name + " has shape " + shape_text(view.shape) + ", expected " +
                    shape_text(expected),
                kOtherModel);
}

void read_floats(const FileTensor& found, const TensorLayout::Entry& entry, float* out) {
  if (!found.transposed) {
    io::to_float(found.view, out);
    return;
  }
  const auto values = std::make_unique_for_overwrite<float[]>(entry.size);
  io::to_float(found.view, values.get());
  transpose(values.get(), entry.shape[1], entry.shape[0], out);
}

}  // namespace

io::DType dtype_of(StorageType type) noexcept {
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

PlainTensors::PlainTensors(const ModelConfig& model_config,
                           const ModelTensors<const float>& tensors)
    : config(model_config) {
  const std::vector<const float*> data = tensor_list(config, tensors);
  const TensorLayout layout(config);
  const Factors factors = rescaling(config, 1.0f);
  for (std::size_t i = 0; i < layout.entries.size(); ++i) {
    const TensorLayout::Entry& entry = layout.entries[i];
    const float* values = data[i];
    const float factor = factor_of(entry.name, factors);
    if (values != nullptr && factor != 1.0f) {
      auto& copy = rescaled_.emplace_back(std::make_unique_for_overwrite<float[]>(entry.size));
      for (std::size_t v = 0; v < entry.size; ++v) copy[v] = values[v] * factor;
      values = copy.get();
    }
    entries.push_back(
        {.name = entry.name, .shape = {entry.shape.begin(), entry.shape.end()}, .data = values});
  }
  config.embedding_scale = 1.0f;
}

void rescale_embedding(ModelConfig& config, float* buffer, float new_scale) {
  const Factors factors = rescaling(config, new_scale);
  for (const TensorLayout::Entry& entry : TensorLayout(config).entries) {
    const float factor = factor_of(entry.name, factors);
    if (factor == 1.0f) continue;
    for (std::size_t i = 0; i < entry.size; ++i) buffer[entry.offset + i] *= factor;
  }
  config.embedding_scale = new_scale;
}

bool is_product(const std::string& name, std::size_t dimensions) noexcept {
  return dimensions == 2 && name.starts_with("h.");
}

void transpose(const float* matrix, std::size_t rows, std::size_t cols, float* out) noexcept {
  // Squares whose lines of both matrices stay in the first cache.
  constexpr std::size_t kSide = 32;
  for (std::size_t top = 0; top < rows; top += kSide)
    for (std::size_t left = 0; left < cols; left += kSide)
      for (std::size_t r = top; r < std::min(rows, top + kSide); ++r)
        for (std::size_t c = left; c < std::min(cols, left + kSide); ++c)
          out[c * rows + r] = matrix[r * cols + c];
}

TransposedProduct::TransposedProduct(const PlainTensors::Entry& entry) : data_(entry.data) {
  if (!is_product(entry.name, entry.shape.size())) return;
  const auto rows = static_cast<std::size_t>(entry.shape[0]);
  const auto cols = static_cast<std::size_t>(entry.shape[1]);
  transposed_ = std::make_unique_for_overwrite<float[]>(rows * cols);
  transpose(entry.data, rows, cols, transposed_.get());
  data_ = transposed_.get();
}

void check_sinusoidal(const ModelConfig& config, const float* values, io::DType stored,
                      const std::string& tensor, const std::string& path) {
  // Half an ULP below 1 of the 16-bit types is 2^-12 and 2^-9; others compute the angles in
  // float32.
  const float tolerance = stored == io::DType::kBF16 ? 3e-3f : 1e-3f;
  const std::size_t width = config.n_embd;
  std::vector<float> expected(width);
  for (std::size_t t = 0; t < config.n_positions; ++t) {
    kernels::active_kernels().sinusoidal_positions(1, width, t, expected.data(), width);
    for (std::size_t c = 0; c < width; ++c) {
      const float found = values[t * width + c];
      if (std::fabs(found - expected[c]) <= tolerance) continue;
      throw Error(ErrorCode::kMalformed, path,
                  "the tensor " + tensor + " is not the sinusoidal table: at position " +
                      std::to_string(t) + ", column " + std::to_string(c) + " it has " +
                      std::to_string(found) + ", expected " + std::to_string(expected[c]),
                  "set \"position_encoding\": \"learned\" in config.json if it was trained");
    }
  }
}

void validate_config(const ModelConfig& config, const std::string& path) {
  try {
    config.validate();
  } catch (const std::invalid_argument& error) {
    throw Error(ErrorCode::kOutOfRange, path, error.what());
  }
}

Model read_model(const ModelConfig& config, const std::string& path,
                 const std::function<std::optional<FileTensor>(const std::string& name)>& find,
                 bool may_lack_head) {
  const TensorLayout layout(config);
  std::vector<FileTensor> found;
  bool has_head = true;
  for (const TensorLayout::Entry& entry : layout.entries) {
    std::optional<FileTensor> tensor = find(entry.name);
    if (tensor) {
      check_tensor(*tensor, entry, path);
      found.push_back(std::move(*tensor));
    } else if (may_lack_head && entry.name == "lm_head.weight") {
      has_head = false;  // the last of the list
    } else {
      throw Error(
          ErrorCode::kMalformed, path,
          "the tensor for " + entry.name + " is missing, expected shape " + shape_text(entry.shape),
          kOtherModel);
    }
  }
  const auto buffer = std::make_shared_for_overwrite<float[]>(layout.size);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const TensorLayout::Entry& entry = layout.entries[i];
    float* const values = buffer.get() + entry.offset;
    read_floats(found[i], entry, values);
    if (!entry.trained)
      check_sinusoidal(config, values, found[i].view.dtype, found[i].view.name, path);
  }
  ModelTensors<const float> tensors = layout.tensors(static_cast<const float*>(buffer.get()));
  if (!has_head) tensors.lm_head = nullptr;
  return make_model(config, tensors, buffer);
}

}  // namespace glassgpt
