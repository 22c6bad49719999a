// GGUF, the format of llama.cpp: named values, a list of tensors, and the tensors' bytes at aligned
// offsets. Version 3 is written, 2 and 3 are read; they differ in the allowed byte order alone, and
// only little-endian files are read. Source: docs/gguf.md of ggml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/tensor.h"

namespace glassgpt::io {

// The numbers are the file's.
enum class GgufType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// A value as it stands in the file; everything that it needs lies in `bytes`.
struct GgufValue {
  GgufType type = GgufType::kUint8;  // of the elements, where it is an array
  bool is_array = false;
  std::uint64_t count = 1;
  std::span<const std::byte> bytes;
};

// What a GGUF file holds, checked completely: every count, string and offset lies inside the file,
// no name stands twice, no two tensors share a byte. Points into the file's bytes.
class GgufContents {
 public:
  // Nothing where the key is not there; Error (kMalformed, naming the key) where its value is of
  // another kind. A whole number may have any integer type, if it is not negative.
  std::optional<std::uint64_t> whole_number(const std::string& key) const;
  std::optional<float> number(const std::string& key) const;
  std::optional<bool> flag(const std::string& key) const;
  std::optional<std::string_view> text(const std::string& key) const;
  std::optional<std::vector<std::string_view>> texts(const std::string& key) const;
  std::optional<std::vector<std::uint64_t>> whole_numbers(const std::string& key) const;

  // Shapes have the slowest dimension first, as everywhere here; the file has it last. A tensor of
  // a type that is not F32, F16 or BF16 is kOther, has its name there ("Q4_K") and no data.
  const std::map<std::string, TensorView>& tensors() const noexcept { return tensors_; }
  const TensorView* find(const std::string& name) const;  // null if absent
  const std::map<std::string, GgufValue>& metadata() const noexcept { return metadata_; }
  const std::string& name() const noexcept { return name_; }  // of the file, for messages

 private:
  friend class GgufReader;
  const GgufValue* value(const std::string& key, bool is_array) const;
  [[noreturn]] void wrong_kind(const std::string& key, const char* expected) const;
  std::uint64_t whole_number_at(const std::string& key, const GgufValue& value,
                                std::uint64_t index) const;

  std::string name_;
  std::map<std::string, GgufValue> metadata_;
  std::map<std::string, TensorView> tensors_;
};

bool begins_like_gguf(std::span<const std::byte> bytes) noexcept;

// Throws Error: kMalformed for what breaks the format, kUnsupported for another version or byte
// order. `name` stands in the messages.
GgufContents parse_gguf(std::span<const std::byte> bytes, const std::string& name);

class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& file)
      : map_(file), contents_(parse_gguf(map_.bytes(), file.string())) {}
  const GgufContents& contents() const noexcept { return contents_; }

 private:
  MappedFile map_;
  GgufContents contents_;
};

// The values of a file to be written, in the order in which they are added.
class GgufMetadata {
 public:
  void add_whole_number(std::string_view key, std::uint32_t value);
  void add_number(std::string_view key, float value);
  void add_flag(std::string_view key, bool value);
  void add_text(std::string_view key, std::string_view value);
  void add_texts(std::string_view key, std::span<const std::string> values);
  void add_whole_numbers(std::string_view key, std::span<const std::int32_t> values);
  void append(const GgufMetadata& more);

  std::uint64_t count() const noexcept { return count_; }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void begin(std::string_view key, GgufType type);

  std::uint64_t count_ = 0;
  std::string bytes_;
};

struct GgufTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // the slowest dimension first
  DType type;
};

// The file appears whole at finish() or not at all. The same values and tensors give the same
// bytes.
class GgufWriter {
 public:
  // Throws std::invalid_argument for what the format does not allow: names of 64 bytes or more,
  // more than four dimensions, kOther.
  GgufWriter(const std::filesystem::path& file, const GgufMetadata& metadata,
             std::vector<GgufTensor> tensors);
  // The next tensor of the list. Throws std::invalid_argument for a value that its type cannot
  // hold.
  void add(const float* values);
  void finish();

 private:
  std::vector<GgufTensor> tensors_;
  std::size_t added_ = 0;
  AtomicFile file_;
};

}  // namespace glassgpt::io
