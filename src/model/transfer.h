// Tensors on their way between a model and a file: what all formats share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/tensor.h"
#include "model/parts.h"

namespace glassgpt {

io::DType dtype_of(StorageType type) noexcept;

// "[2, 3]"
std::string shape_text(const auto& shape) {
  std::string text = "[";
  for (const auto extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

// A model as plain GPT-2, which knows no embedding_scale: the tensors as rescale_embedding(..., 1)
// would leave them, in the order and with the names of TensorLayout. Views the model's tensors
// where nothing changes.
struct PlainTensors {
  PlainTensors(const ModelConfig& model_config, const ModelTensors<const float>& tensors);

  struct Entry {
    std::string name;
    std::vector<std::uint64_t> shape;
    const float* data;  // null for an lm_head that the model does not have
  };
  ModelConfig config;
  std::vector<Entry> entries;

 private:
  std::vector<std::unique_ptr<float[]>> rescaled_;
};

// The name that Hugging Face has for a tensor of the layout: GPT2LMHeadModel keeps the model under
// "transformer."; GPT2Model, which has no lm_head, does not.
std::string saved_name(const std::string& name, bool has_head);

// Products' weights, h.K.*.weight of two dimensions: [in, out] here, [out, in] in other programs.
bool is_product(const std::string& name, std::size_t dimensions) noexcept;

// out [cols, rows] from matrix [rows, cols]; the two do not overlap.
void transpose(const float* matrix, std::size_t rows, std::size_t cols, float* out) noexcept;

// The values of an entry as other programs store them: products transposed, the rest as it is.
class TransposedProduct {
 public:
  explicit TransposedProduct(const PlainTensors::Entry& entry);
  const float* data() const noexcept { return data_; }

 private:
  std::unique_ptr<float[]> transposed_;
  const float* data_;
};

// Throws Error (kMalformed) unless `values` are the sinusoidal table, to the precision of `stored`.
void check_sinusoidal(const ModelConfig& config, const float* values, io::DType stored,
                      const std::string& tensor, const std::string& path);

// What config.validate() says, as an Error (kOutOfRange) about a file.
void validate_config(const ModelConfig& config, const std::string& path);

// Where a format has the tensor of an entry.
struct FileTensor {
  io::TensorView view;
  bool transposed = false;
};

// A model of the tensors that `find` gives for each entry of the layout. All are checked before
// memory is taken for any: types that we do not read are kUnsupported, missing tensors and other
// shapes kMalformed, a sinusoidal table must be one. Only lm_head may be missing, where
// `may_lack_head` says so.
Model read_model(const ModelConfig& config, const std::string& path,
                 const std::function<std::optional<FileTensor>(const std::string& name)>& find,
                 bool may_lack_head = false);

}  // namespace glassgpt
