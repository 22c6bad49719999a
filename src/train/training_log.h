// log.jsonl: one line per interval.
#pragma once

#include <filesystem>
#include <string>

#include "glassgpt/train.h"

namespace glassgpt::training {

// Appends lines, each written at once. A run that goes on from a step first drops the lines after
// it, and a line cut in half.
class TrainingLog {
 public:
  TrainingLog(std::filesystem::path file, std::uint64_t first_step);

  // validation may be null. Throws Error (kUnwritable); the log is then as it was.
  void append(const TrainingProgress& progress, const ValidationReport* validation,
              std::string_view sample);

 private:
  void append_line(const std::string& line);

  std::filesystem::path file_;
};

}  // namespace glassgpt::training
