// Where a model directory's weights are.
#pragma once

#include <filesystem>
#include <vector>

namespace glassgpt {

// The files that Model::load reads for its weights: model.safetensors, or else its index with the
// shards. Throws Error.
std::vector<std::filesystem::path> weight_files(const std::filesystem::path& directory);

}  // namespace glassgpt
