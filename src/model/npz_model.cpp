#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "glassgpt/error.h"
#include "io/json.h"
#include "model/config_json.h"
#include "model/formats.h"
#include "model/transfer.h"

namespace glassgpt {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kArrayEnding = ".npy";

io::TensorView view_array(std::span<const std::byte> bytes, const std::string& name,
                          const std::string& path) {
  const io::NpyView array = io::view_npy(bytes, path + ": " + name);
  io::TensorView view;
  view.name = name;
  view.dtype = array.type == io::NpyType::kFloat32 ? io::DType::kF32 : io::DType::kF16;
  view.dtype_name = io::dtype_name(view.dtype);
  view.shape = array.shape;
  view.data = {static_cast<const std::byte*>(array.data),
               static_cast<std::size_t>(array.elements) * io::element_bytes(view.dtype)};
  return view;
}

}  // namespace

void save_npz(const Model& model, const std::filesystem::path& file, StorageType type,
              std::string_view tokenizer_json) {
  if (type == StorageType::kBFloat16)
    throw Error(ErrorCode::kUnsupported, file.string(), "NumPy has no bfloat16",
                "store f32 or f16");
  const auto stored = type == StorageType::kFloat16 ? io::NpyType::kFloat16 : io::NpyType::kFloat32;
  const PlainTensors plain(model.config(), model.parts().tensors);
  const bool has_head = model.parts().tensors.lm_head != nullptr;
  io::NpzWriter writer(file);
  writer.add_bytes(kConfig, config_json(plain.config));
  if (!tokenizer_json.empty()) writer.add_bytes(kTokenizer, tokenizer_json);
  for (const PlainTensors::Entry& entry : plain.entries) {
    if (entry.data == nullptr) continue;
    if (type == StorageType::kFloat16)
      io::check_fits(entry.name, entry.data, *io::tensor_bytes(entry.shape, 1), io::DType::kF16);
    writer.add(saved_name(entry.name, has_head), entry.data, entry.shape, stored);
  }
  writer.finish();
}

Model load_npz(const io::NpzContents& file) {
  const std::string& path = file.name;
  const auto& members = file.members;
  const auto config_member = members.find(kConfig);
  if (config_member == members.end())
    throw Error(ErrorCode::kMalformed, path, "has no member config.json",
                "expected an npz file that glassgpt exported");
  const auto text = config_member->second;
  const ModelConfig config = parse_config({reinterpret_cast<const char*>(text.data()), text.size()},
                                          path + ": " + kConfig);
  const bool has_head = members.contains("transformer.wte.weight.npy");
  std::set<std::string> known = {kConfig, kTokenizer};
  Model model = read_model(
      config, path,
      [&](const std::string& name) -> std::optional<FileTensor> {
        const std::string member = saved_name(name, has_head);
        const auto found = members.find(member + kArrayEnding);
        if (found == members.end()) return std::nullopt;
        known.insert(found->first);
        return FileTensor{view_array(found->second, member, path)};
      },
      !has_head);
  for (const auto& [name, bytes] : members)
    if (!known.contains(name))
      throw Error(ErrorCode::kMalformed, path,
                  "the member " + io::quote_name(name) + " of " + std::to_string(bytes.size()) +
                      " bytes is not part of the model that its config.json describes");
  return model;
}

}  // namespace glassgpt
