// config.json in memory: read_config and write_config without the file.
#pragma once

#include <string>
#include <string_view>

#include "glassgpt/config.h"

namespace glassgpt {

// `path` stands in the messages. Throws as read_config does.
ModelConfig parse_config(std::string_view text, const std::string& path);
std::string config_json(const ModelConfig& config);

}  // namespace glassgpt
