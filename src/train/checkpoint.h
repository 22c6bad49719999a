// A run's state in one safetensors file: parameters, both moments, and what else decides how it
// goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/learner.h"

namespace glassgpt::training {

// What computed the steps. Whatever goes on from a checkpoint continues the run; with another
// arithmetic, to other bytes. Empty where an older checkpoint does not say.
struct Arithmetic {
  std::string isa, gemm, compute;
};

// What a run needs besides its tensors. There is no state of a random generator: what is drawn is a
// function of the seed and `windows`.
struct RunState {
  std::uint64_t step = 0;     // done
  std::uint64_t windows = 0;  // drawn from the sampler
  std::uint64_t tokens = 0;   // seen
  double interval_loss = 0;   // nats summed since the last line of the log
  std::uint64_t interval_tokens = 0;
  std::optional<double> best_bits_per_byte;
  Arithmetic arithmetic{};
};

// What must be the same in a run that goes on: resuming with something else would not continue the
// run.
struct RunIdentity {
  std::uint64_t config = 0, tokenizer = 0, data = 0, seed = 0;
};

// Writes the file whole or not at all.
void write_checkpoint(const std::filesystem::path& file, Learner& learner, const RunState& state,
                      const RunIdentity& identity);

// Fills the learner. Throws Error: kMalformed for a file that is not a whole, undamaged checkpoint
// of this shape; kUnsupported if it is one of another run (config, tokenizer, corpus or seed,
// named). The learner is unchanged after an Error.
RunState read_checkpoint(const std::filesystem::path& path, Learner& learner,
                         const RunIdentity& identity);

// checkpoints/step_00001000.safetensors below a run's directory.
std::filesystem::path checkpoint_path(const std::filesystem::path& run, std::uint64_t step);

// The checkpoints of a run, newest first.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& run);

// Deletes all but the newest `keep`.
void remove_old_checkpoints(const std::filesystem::path& run, std::size_t keep);

std::uint64_t config_hash(const ModelConfig& config);

}  // namespace glassgpt::training
