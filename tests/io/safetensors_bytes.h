// safetensors files put together by hand, so that tests can put them together wrongly.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace glassgpt::testing {

inline std::string safetensors_bytes(const std::string& header, const std::string& data,
                                     std::uint64_t claimed_length) {
  std::string bytes(sizeof claimed_length, '\0');
  std::memcpy(bytes.data(), &claimed_length, sizeof claimed_length);
  return bytes + header + data;
}

inline std::string safetensors_bytes(const std::string& header, const std::string& data) {
  return safetensors_bytes(header, data, header.size());
}

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace glassgpt::testing
