// Models kept on the way, so that one can see how they became what they are.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

namespace glassgpt::training {

// The steps after which `count` snapshots are taken, ascending: before the first step (0), after
// the last, and between them ever further apart, because most changes at the beginning. Fewer where
// steps coincide; none if count is 0.
std::vector<std::size_t> snapshot_steps(std::size_t steps, std::size_t count);

// snapshots/step_00001000, a model directory below a run's.
std::filesystem::path snapshot_path(const std::filesystem::path& run, std::size_t step);

}  // namespace glassgpt::training
