#include "cli/embed_center.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>

#include "cli/sha256.h"
#include "glassgpt/error.h"
#include "io/npy.h"
#include "io/safetensors.h"

namespace glassgpt::cli {
namespace fs = std::filesystem;

std::vector<std::vector<float>> load_center(const std::string& path,
                                            const std::vector<VectorKind>& kinds) {
  std::vector<std::vector<float>> centers;
  const auto add = [&](const std::string& where, const std::vector<std::uint64_t>& shape,
                       std::vector<float> values) {
    const VectorKind& kind = kinds[centers.size()];
    const bool row = shape.size() == 1 || (shape.size() == 2 && shape[0] == 1);
    if (!row || values.size() != kind.cols) {
      throw Error(ErrorCode::kMalformed, where,
                  fmt::format("expected one row of {} values for {}, got the shape [{}]", kind.cols,
                              kind.name, fmt::join(shape, ", ")));
    }
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw Error(ErrorCode::kMalformed, where,
                  fmt::format("the centre of {} has values that are not finite", kind.name),
                  "all rows would become so");
    }
    centers.push_back(std::move(values));
  };
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  if (!folder && fs::path(path).extension() == ".safetensors") {
    const io::SafetensorsFile file(path);
    for (const VectorKind& kind : kinds) {
      const io::TensorView* tensor = file.find(kind.name);
      if (tensor == nullptr) {
        throw Error(ErrorCode::kMalformed, path, "there is no tensor " + kind.name);
      }
      std::vector<float> values(tensor->elements());
      io::to_float(*tensor, values.data());
      add(path, tensor->shape, std::move(values));
    }
    return centers;
  }
  for (const VectorKind& kind : kinds) {
    const fs::path file = folder ? fs::path(path) / (kind.name + ".npy") : fs::path(path);
    io::NpyArray array = io::read_npy(file);
    add(file.string(), array.shape, std::move(array.data));
  }
  return centers;
}

std::string center_hash(const std::vector<std::vector<float>>& center) {
  std::string hash;
  for (const std::vector<float>& values : center) hash += sha256(std::as_bytes(std::span(values)));
  return sha256(std::as_bytes(std::span(hash)));
}

}  // namespace glassgpt::cli
