#include "cli/stored_vectors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cli/embed_folder.h"
#include "glassgpt/error.h"
#include "io/half.h"
#include "io/json.h"
#include "io/npy.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json require_manifest(const fs::path& folder) {
  constexpr const char* kNameOne = "name a folder that embed -o DIR wrote";
  ordered_json manifest = read_manifest(folder, kNameOne);
  if (!manifest.is_null()) return manifest;
  std::error_code error;
  throw Error(ErrorCode::kNotFound, folder.string(), "there is no manifest.json in it",
              fs::exists(folder / "resume.json", error)
                  ? "its embed is not finished: go on with embed --resume"
                  : kNameOne);
}

std::vector<std::string> array_names(const ordered_json& manifest) {
  std::vector<std::string> names;
  for (const ordered_json& array : manifest["arrays"]) {
    if (array.is_object() && array.contains("name") && array["name"].is_string()) {
      names.push_back(array["name"].get<std::string>());
    }
  }
  return names;
}

std::string array_name(const fs::path& folder, const ordered_json& manifest,
                       const std::string& layer) {
  const std::vector<std::string> names = array_names(manifest);
  if (layer.empty() && names.size() == 1) return names[0];
  const bool number = !layer.empty() && layer.find_first_not_of("0123456789") == std::string::npos;
  std::string wanted = layer.empty() ? "final"
                       : number      ? fmt::format("layer_{:0>2}", layer)
                                     : layer;
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return wanted;
  throw Error(ErrorCode::kNotFound, folder.string(),
              fmt::format("there are no vectors '{}' in it", wanted),
              fmt::format("choose with --layer from {}", fmt::join(names, ", ")));
}

}  // namespace

StoredVectors::StoredVectors(const fs::path& folder, const std::string& layer)
    : folder_(folder),
      manifest_(require_manifest(folder)),
      name_(array_name(folder, manifest_, layer)),
      file_(folder / (name_ + ".npy")) {
  const std::string file = file_.path().string();
  const io::NpyView view = io::view_npy(file_.bytes(), file);
  if (view.shape.size() != 2 || view.shape[1] == 0) {
    throw Error(ErrorCode::kMalformed, file, "is not an array of rows");
  }
  if (reinterpret_cast<std::uintptr_t>(view.data) % alignof(float) != 0) {
    throw Error(ErrorCode::kUnsupported, file, "its numbers are not aligned",
                "write it with numpy.save or embed");
  }
  const auto cols = static_cast<std::size_t>(view.shape[1]);
  rows_ = {view.data, static_cast<std::size_t>(view.shape[0]), cols, cols,
           view.type == io::NpyType::kFloat16};
}

std::vector<std::string> StoredVectors::all_names() const { return array_names(manifest_); }

std::vector<float> StoredVectors::row(std::size_t r) const {
  std::vector<float> values(rows_.cols);
  const std::size_t element = rows_.half ? sizeof(std::uint16_t) : sizeof(float);
  const char* from = static_cast<const char*>(rows_.data) + r * rows_.stride * element;
  if (rows_.half) {
    io::halves_to_floats(from, rows_.cols, values.data());
  } else {
    std::memcpy(values.data(), from, rows_.cols * sizeof(float));
  }
  return values;
}

std::vector<ordered_json> StoredVectors::describe(const std::vector<std::size_t>& rows) const {
  std::vector<ordered_json> descriptions;
  if (rows.empty()) return descriptions;
  const io::MappedFile file(folder_ / "rows.jsonl");
  const std::string where = file.path().string();
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  std::size_t line = 0;
  for (const std::size_t row : rows) {
    for (; line < row && !text.empty(); ++line) {
      const std::size_t end = text.find('\n');
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    ordered_json description = ordered_json::parse(text.substr(0, text.find('\n')), nullptr, false);
    if (!description.is_object()) {
      throw Error(ErrorCode::kMalformed, where, fmt::format("line {} is no row", row + 1),
                  "it must have a line for each row of the arrays");
    }
    descriptions.push_back(std::move(description));
  }
  return descriptions;
}

}  // namespace glassgpt::cli
