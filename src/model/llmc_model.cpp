#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glassgpt/error.h"
#include "model/formats.h"
#include "model/transfer.h"

namespace glassgpt {
namespace {

constexpr std::uint64_t kVocabMultiple = 128;  // of rows that llm.c pads the table to
constexpr float kEpsilon = 1e-5f;              // llm.c's, in all its programs

// llm.c's kinds of tensors; the names of those in layers follow "h.K.".
struct KindName {
  std::string_view kind, name;
  bool in_layers;
};
constexpr std::array<KindName, 16> kNames{{
    {"wte", "wte.weight", false},
    {"wpe", "wpe.weight", false},
    {"ln1w", "ln_1.weight", true},
    {"ln1b", "ln_1.bias", true},
    {"qkvw", "attn.c_attn.weight", true},
    {"qkvb", "attn.c_attn.bias", true},
    {"attprojw", "attn.c_proj.weight", true},
    {"attprojb", "attn.c_proj.bias", true},
    {"ln2w", "ln_2.weight", true},
    {"ln2b", "ln_2.bias", true},
    {"fcw", "mlp.c_fc.weight", true},
    {"fcb", "mlp.c_fc.bias", true},
    {"fcprojw", "mlp.c_proj.weight", true},
    {"fcprojb", "mlp.c_proj.bias", true},
    {"lnfw", "ln_f.weight", false},
    {"lnfb", "ln_f.bias", false},
}};

std::string name_of(const io::LlmcTensor& tensor) {
  for (const KindName& known : kNames) {
    if (known.kind != tensor.kind) continue;
    const std::string name(known.name);
    return known.in_layers ? "h." + std::to_string(tensor.layer) + "." + name : name;
  }
  throw std::invalid_argument("llm.c has no tensors " + tensor.kind);
}

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kUnsupported, path, "llm.c cannot express " + what,
              "npz and directory can");
}

void refuse_what_llmc_cannot_say(const ModelConfig& config, StorageType type,
                                 const std::string& path) {
  if (type == StorageType::kFloat16)
    throw Error(ErrorCode::kUnsupported, path, "llm.c has no float16 checkpoints",
                "store f32 or bf16");
  if (config.activation != ActivationFunction::kGeluTanh)
    refuse(path, "the activation function gelu, only gelu_new");
  if (!config.tie_word_embeddings) refuse(path, "an output matrix that is not tied");
  if (!config.scale_attn_weights) refuse(path, "scale_attn_weights = false");
  if (config.scale_attn_by_inverse_layer_idx)
    refuse(path, "scale_attn_by_inverse_layer_idx = true");
  if (config.inner() != 4 * config.n_embd)
    refuse(path, "n_inner = " + std::to_string(config.inner()) + ", only 4 * n_embd");
  if (config.layer_norm_epsilon != kEpsilon) refuse(path, "a layer_norm_epsilon other than 1e-05");
}

io::LlmcHeader header_of(const ModelConfig& config, StorageType type) {
  const std::uint64_t multiples = (config.vocab_size + kVocabMultiple - 1) / kVocabMultiple;
  return {.positions = config.n_positions,
          .vocab = config.vocab_size,
          .layers = config.n_layer,
          .heads = config.n_head,
          .width = config.n_embd,
          .padded_vocab = multiples * kVocabMultiple,
          .type = dtype_of(type)};
}

std::map<std::string, const PlainTensors::Entry*> by_name(const PlainTensors& plain) {
  std::map<std::string, const PlainTensors::Entry*> entries;
  for (const PlainTensors::Entry& entry : plain.entries) entries[entry.name] = &entry;
  return entries;
}

// The table with rows of zeros behind it.
std::vector<float> padded_table(const PlainTensors::Entry& table, const io::LlmcHeader& header) {
  const std::size_t floats = static_cast<std::size_t>(header.vocab * header.width);
  std::vector<float> padded(static_cast<std::size_t>(header.padded_vocab * header.width));
  std::copy(table.data, table.data + floats, padded.begin());
  return padded;
}

}  // namespace

void save_llmc(const Model& model, const std::filesystem::path& file, StorageType type) {
  refuse_what_llmc_cannot_say(model.config(), type, file.string());
  const PlainTensors plain(model.config(), model.parts().tensors);
  const auto entries = by_name(plain);
  const io::LlmcHeader header = header_of(plain.config, type);
  io::LlmcWriter writer(file, header);
  for (const io::LlmcTensor& tensor : io::llmc_tensors(header)) {
    const PlainTensors::Entry& entry = *entries.at(name_of(tensor));
    if (entry.name == "wte.weight") {
      writer.add(padded_table(entry, header).data());
    } else {
      writer.add(TransposedProduct(entry).data());
    }
  }
  writer.finish();
}

Model load_llmc(const io::LlmcContents& file) {
  const std::string& path = file.name;
  const io::LlmcHeader& header = file.header;
  ModelConfig config;
  config.vocab_size = static_cast<std::size_t>(header.vocab);
  config.n_positions = static_cast<std::size_t>(header.positions);
  config.n_embd = static_cast<std::size_t>(header.width);
  config.n_layer = static_cast<std::size_t>(header.layers);
  config.n_head = static_cast<std::size_t>(header.heads);
  config.layer_norm_epsilon = kEpsilon;
  validate_config(config, path);
  std::map<std::string, io::TensorView> views;
  for (std::size_t i = 0; i < file.tensors.size(); ++i)
    views.emplace(name_of(file.tensors[i]), file.views[i]);
  // The padding is no part of the model.
  io::TensorView& table = views.at("wte.weight");
  table.shape[0] = header.vocab;
  table.data =
      table.data.first(static_cast<std::size_t>(table.elements() * io::element_bytes(header.type)));
  return read_model(config, path, [&](const std::string& name) -> std::optional<FileTensor> {
    const io::TensorView& view = views.at(name);
    return FileTensor{view, is_product(name, view.shape.size())};
  });
}

}  // namespace glassgpt
