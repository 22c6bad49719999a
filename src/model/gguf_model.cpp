#include <array>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glassgpt/error.h"
#include "io/json.h"
#include "model/formats.h"
#include "model/transfer.h"

namespace glassgpt {
namespace {

constexpr const char* kArchitecture = "gpt2";
// glassgpt's own key: other programs take the table as it comes.
constexpr const char* kPositionsKey = "glassgpt.position_encoding";
constexpr const char* kSinusoidal = "sinusoidal";

// llama.cpp's names for the parts of a block, and of what is around the blocks.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kBlockParts{{
    {"ln_1", "attn_norm"},
    {"attn.c_attn", "attn_qkv"},
    {"attn.c_proj", "attn_output"},
    {"ln_2", "ffn_norm"},
    {"mlp.c_fc", "ffn_up"},
    {"mlp.c_proj", "ffn_down"},
}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kOuterParts{{
    {"wte", "token_embd"},
    {"wpe", "position_embd"},
    {"ln_f", "output_norm"},
    {"lm_head", "output"},
}};

std::string_view renamed(std::string_view part, const auto& names) {
  for (const auto& [ours, theirs] : names)
    if (part == ours) return theirs;
  return part;
}

// "h.3.attn.c_attn.weight" is "blk.3.attn_qkv.weight".
std::string gguf_name(const std::string& name) {
  const std::size_t last = name.rfind('.');
  const std::string_view part(name.data(), last);
  const std::string kind = name.substr(last);
  if (!name.starts_with("h.")) return std::string(renamed(part, kOuterParts)) + kind;
  const std::size_t after_layer = part.find('.', 2);
  return "blk" + std::string(part.substr(1, after_layer)) +
         std::string(renamed(part.substr(after_layer + 1), kBlockParts)) + kind;
}

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kUnsupported, path, "GGUF's gpt2 cannot express " + what,
              "npz and directory can");
}

void refuse_what_gguf_cannot_say(const Model& model, const std::string& path) {
  const ModelConfig& config = model.config();
  if (config.activation != ActivationFunction::kGeluTanh)
    refuse(path, "the activation function gelu, only gelu_new");
  if (!config.scale_attn_weights) refuse(path, "scale_attn_weights = false");
  if (config.scale_attn_by_inverse_layer_idx)
    refuse(path, "scale_attn_by_inverse_layer_idx = true");
  // Without an output matrix llama.cpp takes the embedding table.
  if (model.parts().tensors.lm_head == nullptr)
    refuse(path, "a model that is not tied and has no lm_head.weight");
}

io::DType stored_type(const PlainTensors::Entry& entry, StorageType type) {
  const bool is_matrix = entry.shape.size() == 2 && entry.name != "wpe.weight";
  return is_matrix ? dtype_of(type) : io::DType::kF32;
}

// llama.cpp's number for what most tensors have.
std::uint32_t file_type(StorageType type) {
  switch (type) {
    case StorageType::kFloat16:
      return 1;
    case StorageType::kBFloat16:
      return 32;
    case StorageType::kFloat32:
      break;
  }
  return 0;
}

io::GgufMetadata describe(const ModelConfig& config, StorageType type) {
  const auto number = [](std::size_t value) { return static_cast<std::uint32_t>(value); };
  io::GgufMetadata keys;
  keys.add_text("general.architecture", kArchitecture);
  keys.add_whole_number("general.file_type", file_type(type));
  keys.add_whole_number("gpt2.context_length", number(config.n_positions));
  keys.add_whole_number("gpt2.embedding_length", number(config.n_embd));
  keys.add_whole_number("gpt2.feed_forward_length", number(config.inner()));
  keys.add_whole_number("gpt2.block_count", number(config.n_layer));
  keys.add_whole_number("gpt2.attention.head_count", number(config.n_head));
  keys.add_number("gpt2.attention.layer_norm_epsilon", config.layer_norm_epsilon);
  keys.add_whole_number("gpt2.vocab_size", number(config.vocab_size));
  if (config.position_encoding == PositionEncoding::kSinusoidal)
    keys.add_text(kPositionsKey, kSinusoidal);
  return keys;
}

std::vector<std::uint64_t> reversed(const std::vector<std::uint64_t>& shape) {
  return {shape.rbegin(), shape.rend()};
}

class Loader {
 public:
  explicit Loader(const io::GgufContents& file) : file_(file) {}

  Model load() {
    const auto architecture = file_.text("general.architecture");
    if (!architecture) missing("general.architecture");
    if (*architecture != kArchitecture)
      unsupported("holds a model of the architecture " + io::quote_name(*architecture), "gpt2");
    ModelConfig config = read_config();
    validate_config(config, file_.name());
    refuse_unknown_tensors(config);
    const auto find = [&](const std::string& name) { return find_tensor(name); };
    Model model = read_model(config, file_.name(), find);
    return config.tie_word_embeddings ? std::move(model) : tied_if_equal(std::move(model));
  }

 private:
  [[noreturn]] void missing(const std::string& key) const {
    throw Error(ErrorCode::kMalformed, file_.name(), "the value " + key + " is missing",
                "expected a GGUF file of a GPT-2 model");
  }
  [[noreturn]] void unsupported(const std::string& what, const std::string& expected) const {
    throw Error(ErrorCode::kUnsupported, file_.name(), what, "supported: " + expected);
  }

  std::size_t size(const char* key) const {
    const auto value = file_.whole_number(key);
    if (!value) missing(key);
    return static_cast<std::size_t>(*value);
  }

  ModelConfig read_config() const {
    ModelConfig config;
    config.n_positions = size("gpt2.context_length");
    config.n_embd = size("gpt2.embedding_length");
    config.n_layer = size("gpt2.block_count");
    config.n_head = size("gpt2.attention.head_count");
    const std::size_t inner = size("gpt2.feed_forward_length");
    if (inner == 0) throw Error(ErrorCode::kOutOfRange, file_.name(), "the hidden width is 0");
    const bool is_default = inner % 4 == 0 && inner / 4 == config.n_embd;
    config.n_inner = is_default ? 0 : inner;
    const auto epsilon = file_.number("gpt2.attention.layer_norm_epsilon");
    if (!epsilon) missing("gpt2.attention.layer_norm_epsilon");
    config.layer_norm_epsilon = *epsilon;
    const auto groups = file_.whole_number("gpt2.attention.head_count_kv");
    if (groups && *groups != config.n_head)
      unsupported("has " + std::to_string(*groups) + " key-value heads for " +
                      std::to_string(config.n_head) + " heads",
                  "as many");
    const io::TensorView* table = file_.find("token_embd.weight");
    if (table == nullptr || table->shape.size() != 2)
      throw Error(ErrorCode::kMalformed, file_.name(),
                  "the tensor token_embd.weight is missing or has not two dimensions");
    config.vocab_size = static_cast<std::size_t>(table->shape[0]);
    config.tie_word_embeddings = file_.find("output.weight") == nullptr;
    const auto positions = file_.text(kPositionsKey);
    if (positions && *positions != kSinusoidal && *positions != "learned")
      unsupported("has the positions " + io::quote_name(*positions), "learned, sinusoidal");
    if (positions == kSinusoidal) config.position_encoding = PositionEncoding::kSinusoidal;
    return config;
  }

  // Also bounds the number of layers by what the file holds.
  void refuse_unknown_tensors(const ModelConfig& config) const {
    constexpr std::size_t kInBlock = 12, kAround = 4;
    const std::size_t expected =
        kInBlock * config.n_layer + kAround + (config.tie_word_embeddings ? 0 : 1);
    if (file_.tensors().size() < expected)
      throw Error(ErrorCode::kMalformed, file_.name(),
                  "has " + std::to_string(file_.tensors().size()) + " tensors, expected " +
                      std::to_string(expected) + " for " + std::to_string(config.n_layer) +
                      " layers");
    std::set<std::string> known;
    for (const TensorLayout::Entry& entry : TensorLayout(config).entries)
      known.insert(gguf_name(entry.name));
    for (const auto& [name, tensor] : file_.tensors())
      if (!known.contains(name))
        throw Error(ErrorCode::kMalformed, file_.name(),
                    "the tensor " + io::quote_name(name) + " with shape " +
                        shape_text(tensor.shape) + " is not part of a GPT-2 model");
  }

  std::optional<FileTensor> find_tensor(const std::string& name) const {
    const io::TensorView* view = file_.find(gguf_name(name));
    if (view == nullptr) return std::nullopt;
    return FileTensor{*view, is_product(name, view->shape.size())};
  }

  // Some converters write the embedding table a second time as the output matrix.
  static Model tied_if_equal(Model model) {
    const ModelConfig& config = model.config();
    const ModelTensors<const float>& tensors = model.parts().tensors;
    const std::size_t bytes = config.vocab_size * config.n_embd * sizeof(float);
    if (std::memcmp(tensors.lm_head, tensors.token_embedding, bytes) != 0) return model;
    ModelConfig tied = config;
    tied.tie_word_embeddings = true;
    ModelTensors<const float> shared = tensors;
    shared.lm_head = shared.token_embedding;
    return make_model(tied, shared, model.parts().storage);
  }

  const io::GgufContents& file_;
};

}  // namespace

void save_gguf(const Model& model, const std::filesystem::path& file, StorageType type,
               const std::optional<io::GgufMetadata>& vocabulary) {
  refuse_what_gguf_cannot_say(model, file.string());
  const PlainTensors plain(model.config(), model.parts().tensors);
  io::GgufMetadata metadata = describe(plain.config, type);
  if (vocabulary) {
    metadata.append(*vocabulary);
  } else {
    metadata.add_text("tokenizer.ggml.model", "no_vocab");
  }
  std::vector<io::GgufTensor> tensors;
  for (const PlainTensors::Entry& entry : plain.entries) {
    const bool product = is_product(entry.name, entry.shape.size());
    tensors.push_back({.name = gguf_name(entry.name),
                       .shape = product ? reversed(entry.shape) : entry.shape,
                       .type = stored_type(entry, type)});
  }
  io::GgufWriter writer(file, metadata, std::move(tensors));
  for (const PlainTensors::Entry& entry : plain.entries)
    writer.add(TransposedProduct(entry).data());
  writer.finish();
}

Model load_gguf(const io::GgufContents& file) { return Loader(file).load(); }

}  // namespace glassgpt
