// Which model made vectors: the bytes of the files that they depend on.
#pragma once

#include <filesystem>

#include "cli/options.h"
#include "nlohmann/json.hpp"

namespace glassgpt::cli {

// {"sha256": {"config.json": "…", …}}: of the config, the weights and the tokenizer, as they are
// loaded; what else lies in the directory does not count. With --tokenizer, that one's files stand
// in "tokenizer" instead. Throws Error.
nlohmann::ordered_json model_identity(const std::filesystem::path& directory,
                                      const TokenizerOptions& tokenizer);

}  // namespace glassgpt::cli
