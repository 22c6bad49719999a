// GGUF files put together by hand, so that tests can put them together wrongly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace glassgpt::testing {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string gguf_string(const std::string& text) {
  return raw(std::uint64_t{text.size()}) + text;
}

// A value of a type by its number in the format, with its bytes.
inline std::string gguf_value(const std::string& key, std::uint32_t type,
                              const std::string& bytes) {
  return gguf_string(key) + raw(type) + bytes;
}

// `extents` as the file has them: the fastest first.
inline std::string gguf_tensor(const std::string& name, const std::vector<std::uint64_t>& extents,
                               std::uint32_t type, std::uint64_t offset) {
  std::string bytes = gguf_string(name) + raw(static_cast<std::uint32_t>(extents.size()));
  for (const std::uint64_t extent : extents) bytes += raw(extent);
  return bytes + raw(type) + raw(offset);
}

struct GgufParts {
  std::uint32_t version = 3;
  std::vector<std::string> values, tensors;
  std::string data;
  std::uint64_t alignment = 32;

  std::string bytes() const { return bytes(tensors.size(), values.size()); }
  std::string bytes(std::uint64_t tensor_count, std::uint64_t value_count) const {
    std::string file = "GGUF" + raw(version) + raw(tensor_count) + raw(value_count);
    for (const std::string& value : values) file += value;
    for (const std::string& tensor : tensors) file += tensor;
    file.append((alignment - file.size() % alignment) % alignment, '\0');
    return file + data;
  }
};

}  // namespace glassgpt::testing
