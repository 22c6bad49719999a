#include "train/checkpoint.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <system_error>

#include "glassgpt/error.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "train/hash.h"

namespace glassgpt::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFormat = "glassgpt-checkpoint-1";

// The three buffers of a checkpoint, in the file's order.
struct Part {
  const char* prefix;
  float* data;
};

std::vector<Part> parts(Learner& learner) {
  return {{"", learner.mutable_parameters()},
          {"adamw.m.", learner.moment1()},
          {"adamw.v.", learner.moment2()}};
}

// Calls visit(name, entry, data) for each tensor of a checkpoint, in the file's order.
template <class Visit>
void for_each_tensor(Learner& learner, const Visit& visit) {
  for (const Part& part : parts(learner)) {
    for (const TensorLayout::Entry& entry : learner.layout().entries) {
      const bool is_moment = part.data != learner.mutable_parameters();
      if (is_moment && !entry.trained) continue;
      visit(part.prefix + entry.name, entry, part.data + entry.offset);
    }
  }
}

std::string to_hex(std::uint64_t value) {
  char text[17] = {};
  std::to_chars(text, text + 16, value, 16);
  return text;
}

template <class State, class Visit>
void visit_arithmetic(State& state, const Visit& visit) {
  visit("isa", state.arithmetic.isa);
  visit("gemm", state.arithmetic.gemm);
  visit("compute", state.arithmetic.compute);
}

json to_json(const RunState& state, const RunIdentity& identity) {
  json result{{"step", state.step},
              {"windows", state.windows},
              {"tokens", state.tokens},
              // As bits: the sum goes on exactly where it was.
              {"interval_loss", std::bit_cast<std::uint64_t>(state.interval_loss)},
              {"interval_tokens", state.interval_tokens},
              {"config", to_hex(identity.config)},
              {"tokenizer", to_hex(identity.tokenizer)},
              {"data", to_hex(identity.data)},
              {"seed", to_hex(identity.seed)}};
  if (state.best_bits_per_byte) {
    result["best_bits_per_byte"] = std::bit_cast<std::uint64_t>(*state.best_bits_per_byte);
  }
  visit_arithmetic(state, [&](const char* key, const std::string& name) {
    if (!name.empty()) result[key] = name;
  });
  return result;
}

RunState state_from_json(const json& object) {
  // get_ref, not get: it refuses a number that is not unsigned instead of converting it.
  const auto number = [&](const char* key) -> std::uint64_t {
    return object.at(key).get_ref<const json::number_unsigned_t&>();
  };
  RunState state;
  state.step = number("step");
  state.windows = number("windows");
  state.tokens = number("tokens");
  state.interval_loss = std::bit_cast<double>(number("interval_loss"));
  state.interval_tokens = number("interval_tokens");
  if (object.contains("best_bits_per_byte")) {
    state.best_bits_per_byte = std::bit_cast<double>(number("best_bits_per_byte"));
  }
  visit_arithmetic(state, [&](const char* key, std::string& name) {
    if (object.contains(key)) name = object[key].get<std::string>();
  });
  return state;
}

void check_identity(const fs::path& file, const json& object, const RunIdentity& identity) {
  const auto check = [&](const char* key, std::uint64_t expected, const char* what) {
    if (object.at(key).get<std::string>() == to_hex(expected)) return;
    throw Error(ErrorCode::kUnsupported, file.string(),
                std::string("belongs to a run with another ") + what,
                "resume with what the run was started with, or start a new run with --init");
  };
  check("config", identity.config, "model configuration");
  check("tokenizer", identity.tokenizer, "tokenizer");
  check("data", identity.data, "corpus");
  check("seed", identity.seed, "seed");
}

[[noreturn]] void malformed(const fs::path& file, const std::string& detail) {
  throw Error(ErrorCode::kMalformed, file.string(), detail,
              "delete it to resume from the checkpoint before it");
}

const std::string& metadata_at(const io::SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) {
    malformed(file.path(), "is not a checkpoint: it has no \"" + key + "\" in its metadata");
  }
  return found->second;
}

void check_tensors(const io::SafetensorsFile& file, Learner& learner) {
  Hasher hash;
  for_each_tensor(learner, [&](const std::string& name, const TensorLayout::Entry& entry,
                               const float*) {
    const io::TensorView* tensor = file.find(name);
    if (tensor == nullptr) malformed(file.path(), "has no tensor " + name);
    if (tensor->dtype != io::DType::kF32 || !std::equal(tensor->shape.begin(), tensor->shape.end(),
                                                        entry.shape.begin(), entry.shape.end())) {
      malformed(file.path(), "has the tensor " + name + " with another shape or type");
    }
    hash.add_bytes(tensor->data.data(), tensor->data.size());
  });
  if (to_hex(hash.value()) != metadata_at(file, "hash")) {
    malformed(file.path(), "is damaged: its tensors do not match their hash");
  }
}

}  // namespace

void write_checkpoint(const fs::path& file, Learner& learner, const RunState& state,
                      const RunIdentity& identity) {
  std::vector<io::TensorToWrite> tensors;
  Hasher hash;
  for_each_tensor(
      learner, [&](const std::string& name, const TensorLayout::Entry& entry, const float* data) {
        tensors.push_back({name, {entry.shape.begin(), entry.shape.end()}, data});
        hash.add_bytes(data, entry.size * sizeof(float));
      });
  io::make_directories(file.parent_path());
  io::write_safetensors(file, tensors, io::DType::kF32,
                        {{"format", kFormat},
                         {"state", to_json(state, identity).dump()},
                         {"hash", to_hex(hash.value())}});
}

RunState read_checkpoint(const fs::path& path, Learner& learner, const RunIdentity& identity) {
  const io::SafetensorsFile file(path);
  if (metadata_at(file, "format") != kFormat) malformed(path, "is a checkpoint of another format");
  RunState state;
  try {
    const json object = io::parse_json(metadata_at(file, "state"), path.string());
    check_identity(path, object, identity);
    state = state_from_json(object);
  } catch (const json::exception& error) {
    malformed(path, std::string("has a damaged state: ") + error.what());
  }
  check_tensors(file, learner);
  for_each_tensor(learner, [&](const std::string& name, const TensorLayout::Entry&, float* data) {
    io::to_float(*file.find(name), data);
  });
  learner.weights_changed();
  return state;
}

fs::path checkpoint_path(const fs::path& run, std::uint64_t step) {
  std::string number = std::to_string(step);
  if (number.size() < 8) number.insert(0, 8 - number.size(), '0');
  return run / "checkpoints" / ("step_" + number + ".safetensors");
}

std::vector<fs::path> list_checkpoints(const fs::path& run) {
  std::map<std::uint64_t, fs::path, std::greater<>> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(run / "checkpoints", error)) {
    const std::string name = entry.path().filename().string();
    std::uint64_t step = 0;
    constexpr std::string_view kPrefix = "step_", kSuffix = ".safetensors";
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    const char* begin = name.data() + kPrefix.size();
    const char* end = name.data() + name.size() - kSuffix.size();
    if (std::from_chars(begin, end, step).ptr == end && begin != end) found[step] = entry.path();
  }
  std::vector<fs::path> newest_first;
  for (const auto& [step, path] : found) newest_first.push_back(path);
  return newest_first;
}

void remove_old_checkpoints(const fs::path& run, std::size_t keep) {
  const std::vector<fs::path> all = list_checkpoints(run);
  std::error_code ignored;
  for (std::size_t i = keep; i < all.size(); ++i) fs::remove(all[i], ignored);
}

std::uint64_t config_hash(const ModelConfig& config) {
  Hasher hash;
  hash.add(config.vocab_size)
      .add(config.n_positions)
      .add(config.n_embd)
      .add(config.n_layer)
      .add(config.n_head)
      .add(config.inner())
      .add(std::bit_cast<std::uint32_t>(config.layer_norm_epsilon))
      .add(static_cast<std::uint64_t>(config.activation))
      .add(static_cast<std::uint64_t>(config.position_encoding))
      .add(std::bit_cast<std::uint32_t>(config.embedding_scale))
      .add(config.tie_word_embeddings ? 1 : 0);
  // Only where they are not the default: a checkpoint that knows nothing of them goes on.
  if (!config.scale_attn_weights) hash.add("scale_attn_weights");
  if (config.scale_attn_by_inverse_layer_idx) hash.add("scale_attn_by_inverse_layer_idx");
  return hash.value();
}

}  // namespace glassgpt::training
