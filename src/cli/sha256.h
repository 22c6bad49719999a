// SHA-256 (FIPS 180-4), to name a model by its bytes as sha256sum does.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace glassgpt::cli {

// 64 hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);
// Of a file's bytes. Throws Error.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace glassgpt::cli
