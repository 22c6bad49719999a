// safetensors: 8 bytes of header length (little endian), a JSON header, the tensors' bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"

namespace glassgpt::io {

enum class DType { kF32, kF16, kBF16, kOther };

struct TensorView {
  std::string name;
  DType dtype;
  std::string dtype_name;  // as the file says
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> data;  // may be unaligned
  std::uint64_t elements() const noexcept;
};

// Checked completely when opened: header size, JSON, offsets in bounds, not overlapping and without holes, sizes that match shape and type.
// Reads a single file, or a model.safetensors.index.json with its shards.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& file);
  const TensorView* find(const std::string& name) const;  // null if absent
  const std::map<std::string, TensorView>& tensors() const noexcept { return tensors_; }
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<std::shared_ptr<MappedFile>> files_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Converts a tensor of kF32, kF16 or kBF16 to floats; out holds elements(). Throws Error (kUnsupported) for other types.
void to_float(const TensorView& tensor, float* out);

// 16-bit conversions: round to nearest even; NaN stays NaN.
float half_to_float(std::uint16_t half) noexcept;
std::uint16_t float_to_half(float value) noexcept;
float bfloat16_to_float(std::uint16_t value) noexcept;
std::uint16_t float_to_bfloat16(float value) noexcept;

struct TensorToWrite {
  std::string name;
  std::vector<std::uint64_t> shape;
  const float* data;
};
// Writes all tensors with one type (kF32, kF16, kBF16), in the given order, converted on the way; whole or not at all.
void write_safetensors(const std::filesystem::path& file, std::span<const TensorToWrite> tensors,
                       DType type, const std::map<std::string, std::string>& metadata = {});

}  // namespace glassgpt::io
