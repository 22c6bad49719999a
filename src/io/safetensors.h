// safetensors: 8 bytes of header length (little endian), a JSON header, the tensors' bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/half.h"
#include "io/tensor.h"

namespace glassgpt::io {

struct SafetensorsContents {
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
};

// Reads one file's bytes, which the result points into. Throws Error: kMalformed for what breaks
// the format, kOutOfRange for a header beyond 100 MB, kUnsupported for a data type that the format
// does not know. `name` stands in the messages.
SafetensorsContents parse_safetensors(std::span<const std::byte> bytes, const std::string& name);

// Checked completely when opened: header size, JSON, offsets in bounds, not overlapping and without
// holes, sizes that match shape and type. Reads a single file, or a model.safetensors.index.json
// with its shards, which must lie in the same directory.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& file);
  const TensorView* find(const std::string& name) const;  // null if absent
  const std::map<std::string, TensorView>& tensors() const noexcept { return contents_.tensors; }
  const std::map<std::string, std::string>& metadata() const noexcept { return contents_.metadata; }
  const std::filesystem::path& path() const noexcept { return path_; }
  // Those that hold the tensors: the file itself, or the shards of an index.
  std::vector<std::filesystem::path> files() const;

 private:
  void open_shards();

  std::filesystem::path path_;
  std::vector<std::shared_ptr<MappedFile>> files_;
  SafetensorsContents contents_;
};

struct TensorToWrite {
  std::string name;
  std::vector<std::uint64_t> shape;
  const float* data;
};
// Writes all tensors with one type (kF32, kF16, kBF16), in the given order, converted on the way;
// whole or not at all. Throws std::invalid_argument for a name that is empty, taken or not UTF-8,
// and for a finite value that the type cannot hold.
void write_safetensors(const std::filesystem::path& file, std::span<const TensorToWrite> tensors,
                       DType type, const std::map<std::string, std::string>& metadata = {});

}  // namespace glassgpt::io
