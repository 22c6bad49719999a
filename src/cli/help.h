// What --help prints.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/command.h"

namespace glassgpt::cli {

inline constexpr const char* kCommonGroup = "Common options";

// Usage, the command's own options, the common ones, examples; lines of at most 100 columns.
std::string help_text(const CLI::App& app, const CommandInfo& info);

}  // namespace glassgpt::cli
