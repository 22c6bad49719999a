// Training options: checked, and kept with the run.
#pragma once

#include <filesystem>
#include <string>

#include "glassgpt/train.h"

namespace glassgpt::training {

// As the command line and the files of a run call them.
const char* gemm_name(GemmChoice gemm) noexcept;
const char* compute_name(ComputeType compute) noexcept;

// Throws std::invalid_argument naming the field, its value and what is expected.
void check_options(const TrainingOptions& options);

// The same for what a run may not begin with, although one that was begun with it goes on.
void check_new_run(const TrainingOptions& options);

// The configuration that is trained with. The exported model's own config.json differs: its
// embedding_scale is folded into the table.
std::filesystem::path run_config_path(const std::filesystem::path& run);

// Every option but threads, gemm, shard_optimizer, resume and config, as JSON; and that as
// training.json in the run's directory, where config is config.json. Throws Error (kUnsupported)
// for a path or prompt that is not UTF-8.
std::string training_options_text(const TrainingOptions& options);
void write_training_options(const TrainingOptions& options, const std::filesystem::path& run);

}  // namespace glassgpt::training
