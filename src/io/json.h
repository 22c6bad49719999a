// JSON from files that are hostile until checked: size and depth are limited.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

namespace glassgpt::io {

struct JsonLimits {
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  std::size_t max_depth = 64;
};

// Throws Error (kMalformed with the byte offset; kOutOfRange beyond a limit). `name` stands in the message.
nlohmann::json parse_json(std::string_view text, const std::string& name, const JsonLimits& limits = {});
nlohmann::json read_json(const std::filesystem::path& file, const JsonLimits& limits = {});

}  // namespace glassgpt::io
