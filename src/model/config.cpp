#include "glassgpt/config.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "glassgpt/error.h"
#include "io/file.h"
#include "io/json.h"
#include "model/config_json.h"

namespace glassgpt {
namespace {

using nlohmann::json;

// Far beyond any GPT-2, and low enough that no product of two of them overflows.
constexpr std::size_t kMaxVocabulary = std::size_t{1} << 24;
constexpr std::size_t kMaxPositions = std::size_t{1} << 20;
constexpr std::size_t kMaxWidth = std::size_t{1} << 18;
constexpr std::size_t kMaxLayers = std::size_t{1} << 12;
constexpr std::size_t kMaxParameters = std::size_t{1} << 38;
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 24;

void check_extent(const char* field, std::size_t value, std::size_t limit) {
  if (value == 0 || value > limit)
    throw std::invalid_argument(std::string(field) + " is " + std::to_string(value) +
                                ", expected 1 to " + std::to_string(limit));
}

// Reads the values of one config.json and names the key in every complaint.
class ConfigReader {
 public:
  ConfigReader(const json& object, std::string path) : object_(object), path_(std::move(path)) {}

  bool has(const char* key) const {
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }

  std::size_t size(const char* key, std::size_t fallback) const {
    if (!has(key)) return fallback;
    const json& value = object_.at(key);
    if (!value.is_number_unsigned()) malformed(key, "a whole number");
    return value.get<std::size_t>();
  }

  float number(const char* key, float fallback) const {
    if (!has(key)) return fallback;
    const json& value = object_.at(key);
    if (!value.is_number()) malformed(key, "a number");
    return value.get<float>();
  }

  bool flag(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    const json& value = object_.at(key);
    if (!value.is_boolean()) malformed(key, "true or false");
    return value.get<bool>();
  }

  std::string text(const char* key, const char* fallback) const {
    if (!has(key)) return fallback;
    const json& value = object_.at(key);
    if (!value.is_string()) malformed(key, "a string");
    return value.get<std::string>();
  }

  void require(const char* key) const {
    if (!has(key))
      throw Error(ErrorCode::kMalformed, path_, std::string("the key \"") + key + "\" is missing",
                  "expected a config.json as GPT2Model.save_pretrained writes it");
  }

  bool has_entries(const char* key) const { return has(key) && !object_.at(key).empty(); }

  // Refuses a key whose value is not the only one that we compute.
  void supports_only(const char* key, bool value) const {
    if (flag(key, value) != value) unsupported(key, value ? "true" : "false");
  }

  [[noreturn]] void unsupported(const char* key, const std::string& expected) const {
    throw Error(ErrorCode::kUnsupported, path_,
                std::string(key) + " is " + shown(key) + ", which glassgpt does not compute",
                "supported: " + expected);
  }

 private:
  std::string shown(const char* key) const {
    std::string text = object_.at(key).dump(-1, ' ', true, json::error_handler_t::replace);
    constexpr std::size_t kLongest = 60;
    if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
    return text;
  }

  [[noreturn]] void malformed(const char* key, const char* expected) const {
    throw Error(ErrorCode::kMalformed, path_,
                std::string(key) + " is " + shown(key) + ", expected " + expected);
  }

  const json& object_;
  std::string path_;
};

// What GPT2Config can express and this forward pass does not compute.
void refuse_unsupported(const ConfigReader& reader) {
  if (reader.has("model_type") && reader.text("model_type", "") != "gpt2")
    reader.unsupported("model_type", "\"gpt2\"");
  reader.supports_only("add_cross_attention", false);
  reader.supports_only("is_encoder_decoder", false);
  if (reader.has("quantization_config")) reader.unsupported("quantization_config", "none");
  if (reader.has_entries("pruned_heads")) reader.unsupported("pruned_heads", "{}");
}

ActivationFunction read_activation(const ConfigReader& reader) {
  const std::string name = reader.text("activation_function", "gelu_new");
  for (const char* tanh_form : {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate"})
    if (name == tanh_form) return ActivationFunction::kGeluTanh;
  if (name == "gelu" || name == "gelu_python") return ActivationFunction::kGeluErf;
  reader.unsupported("activation_function",
                     "gelu_new, gelu_pytorch_tanh, gelu_fast, gelu_accurate, gelu, gelu_python");
}

PositionEncoding read_position_encoding(const ConfigReader& reader) {
  const std::string name = reader.text("position_encoding", "learned");
  if (name == "learned") return PositionEncoding::kLearned;
  if (name == "sinusoidal") return PositionEncoding::kSinusoidal;
  reader.unsupported("position_encoding", "learned, sinusoidal");
}

// The double that prints as the float does: 1e-05, not 9.999999747378752e-06.
double shortest(float value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double result = 0;
  std::from_chars(text.data(), end, result);
  return result;
}

}  // namespace

float ModelConfig::attention_scale(std::size_t block) const noexcept {
  float scale = 1.0f;
  if (scale_attn_weights) scale /= std::sqrt(static_cast<float>(head_dim()));
  if (scale_attn_by_inverse_layer_idx) scale /= static_cast<float>(block + 1);
  return scale;
}

std::size_t ModelConfig::parameters() const noexcept {
  const std::size_t c = n_embd, f = inner();
  const std::size_t per_block = 4 * c                            // two layer norms
                                + c * 3 * c + 3 * c + c * c + c  // attention
                                + c * f + f + f * c + c;         // MLP
  const std::size_t tables =
      (tie_word_embeddings ? 1 : 2) * vocab_size * c +
      (position_encoding == PositionEncoding::kLearned ? n_positions * c : 0);
  return tables + n_layer * per_block + 2 * c;
}

void ModelConfig::validate() const {
  check_extent("vocab_size", vocab_size, kMaxVocabulary);
  check_extent("n_positions", n_positions, kMaxPositions);
  check_extent("n_embd", n_embd, kMaxWidth);
  check_extent("n_layer", n_layer, kMaxLayers);
  check_extent("n_head", n_head, n_embd);
  check_extent("n_inner", inner(), 4 * kMaxWidth);
  if (n_embd % n_head != 0)
    throw std::invalid_argument("n_embd is " + std::to_string(n_embd) +
                                ", expected a multiple of n_head, which is " +
                                std::to_string(n_head));
  if (!(layer_norm_epsilon > 0.0f) || !std::isfinite(layer_norm_epsilon))
    throw std::invalid_argument("layer_norm_epsilon is " + std::to_string(layer_norm_epsilon) +
                                ", expected a positive number");
  if (!(embedding_scale > 0.0f) || !std::isfinite(embedding_scale))
    throw std::invalid_argument("embedding_scale is " + std::to_string(embedding_scale) +
                                ", expected a positive number");
  if (parameters() > kMaxParameters)
    throw std::invalid_argument("the model has " + std::to_string(parameters()) +
                                " parameters, expected at most " + std::to_string(kMaxParameters));
}

ModelConfig parse_config(std::string_view text, const std::string& path) {
  const json object = io::parse_json(text, path, {.max_bytes = kMaxConfigBytes});
  if (!object.is_object())
    throw Error(ErrorCode::kMalformed, path, "expected a JSON object",
                "expected a config.json as GPT2Model.save_pretrained writes it");
  const ConfigReader reader(object, path);
  refuse_unsupported(reader);
  for (const char* key : {"vocab_size", "n_embd", "n_layer", "n_head"}) reader.require(key);

  ModelConfig config;
  config.vocab_size = reader.size("vocab_size", 0);
  config.n_positions = reader.size("n_positions", reader.size("n_ctx", config.n_positions));
  config.n_embd = reader.size("n_embd", 0);
  config.n_layer = reader.size("n_layer", 0);
  config.n_head = reader.size("n_head", 0);
  if (reader.has("n_inner")) {
    config.n_inner = reader.size("n_inner", 0);
    if (config.n_inner == 0) throw Error(ErrorCode::kOutOfRange, path, "n_inner is 0");
  }
  config.layer_norm_epsilon = reader.number("layer_norm_epsilon", config.layer_norm_epsilon);
  config.activation = read_activation(reader);
  config.position_encoding = read_position_encoding(reader);
  config.embedding_scale = reader.number("embedding_scale", 1.0f);
  config.tie_word_embeddings = reader.flag("tie_word_embeddings", true);
  config.scale_attn_weights = reader.flag("scale_attn_weights", true);
  config.scale_attn_by_inverse_layer_idx = reader.flag("scale_attn_by_inverse_layer_idx", false);
  // An order of the same operations for 16-bit numbers: ours are float32 anyway.
  reader.flag("reorder_and_upcast_attn", false);
  try {
    config.validate();
  } catch (const std::invalid_argument& error) {
    throw Error(ErrorCode::kOutOfRange, path, error.what());
  }
  return config;
}

ModelConfig read_config(const std::filesystem::path& file) {
  return parse_config(io::read_file(file, kMaxConfigBytes), file.string());
}

std::string config_json(const ModelConfig& config) {
  config.validate();
  nlohmann::ordered_json object;
  object["architectures"] = {"GPT2LMHeadModel"};
  object["model_type"] = "gpt2";
  object["vocab_size"] = config.vocab_size;
  object["n_positions"] = config.n_positions;
  object["n_ctx"] = config.n_positions;
  object["n_embd"] = config.n_embd;
  object["n_layer"] = config.n_layer;
  object["n_head"] = config.n_head;
  if (config.n_inner != 0)
    object["n_inner"] = config.n_inner;
  else
    object["n_inner"] = nullptr;
  const bool tanh_form = config.activation == ActivationFunction::kGeluTanh;
  object["activation_function"] = tanh_form ? "gelu_new" : "gelu";
  object["layer_norm_epsilon"] = shortest(config.layer_norm_epsilon);
  object["tie_word_embeddings"] = config.tie_word_embeddings;
  if (!config.scale_attn_weights) object["scale_attn_weights"] = false;
  if (config.scale_attn_by_inverse_layer_idx) object["scale_attn_by_inverse_layer_idx"] = true;
  const bool sinusoidal = config.position_encoding == PositionEncoding::kSinusoidal;
  object["position_encoding"] = sinusoidal ? "sinusoidal" : "learned";
  object["embedding_scale"] = shortest(config.embedding_scale);
  // The type to compute in, whatever the file stores: newer Transformers would otherwise compute in
  // the file's 16 bits.
  object["torch_dtype"] = "float32";
  return object.dump(2) + "\n";
}

void write_config(const ModelConfig& config, const std::filesystem::path& file) {
  io::write_file(file, config_json(config));
}

}  // namespace glassgpt
