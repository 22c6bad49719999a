// JSON from files that are hostile until checked: size and depth are limited.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace glassgpt::io {

struct JsonLimits {
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  std::size_t max_depth = 64;
  // Values and keys; an empty array costs two bytes of text and sixteen or more of memory.
  std::size_t max_values = std::size_t{1} << 25;
};

// Throws Error (kMalformed with the byte offset; kOutOfRange beyond a limit). `name` stands in the
// message. Stricter than most: an object that has a key twice is malformed, for readers disagree on
// which one counts.
nlohmann::json parse_json(std::string_view text, const std::string& name,
                          const JsonLimits& limits = {});
nlohmann::json read_json(const std::filesystem::path& file, const JsonLimits& limits = {});

// A string out of a file as an error message can show it: quoted, on one line, not too long.
std::string quote_name(std::string_view text);

}  // namespace glassgpt::io
