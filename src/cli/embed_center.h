// The means that `embed --center` subtracts.
#pragma once

#include <string>
#include <vector>

#include "glassgpt/embed.h"

namespace glassgpt::cli {

// One row per kind: FILE.npy of [C] or [1, C] for all kinds, a folder of such files by the kinds'
// names, or a safetensors file with tensors of those names. Throws Error.
std::vector<std::vector<float>> load_center(const std::string& path,
                                            const std::vector<VectorKind>& kinds);

// Names centres by their bytes. 64 hexadecimal digits.
std::string center_hash(const std::vector<std::vector<float>>& center);

}  // namespace glassgpt::cli
