// What export and import share: how numbers are stored, and what is said in the end.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace glassgpt::cli {

// The formats' names on the command line.
inline constexpr const char* kGguf = "gguf";
inline constexpr const char* kLlmc = "llm.c";
inline constexpr const char* kNpz = "npz";
inline constexpr const char* kDirectory = "directory";

// Of "f32", "f16" or "bf16".
StorageType storage_type(std::string_view name);

struct StorageOption {
  std::string name = "f32";

  void add_to(CLI::App& app);
  StorageType type() const { return storage_type(name); }
};

// What was written; the line that says so on standard error, or with --json the object on standard
// output.
struct WrittenModel {
  std::filesystem::path path;
  std::string format, storage;
  std::size_t parameters;
  std::optional<std::size_t> tokens;  // of the tokenizer that went with it
};
void report(const CommonOptions& common, const WrittenModel& written);

}  // namespace glassgpt::cli
