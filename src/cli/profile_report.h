// The result of `glassgpt profile` for people, for programs and for Perfetto.
#pragma once

#include <string>
#include <vector>

#include "cli/profile_measurement.h"

namespace glassgpt::cli {

// What is measured.
struct ProfileSubject {
  std::size_t tokens, texts;
  ModelConfig config;
  std::string dtype;
};

std::string profile_table(const ProfileSubject& subject, const Measurement& measurement,
                          const ProfileRoof& roof, bool per_layer);

// Times side by side, the first being what the others are held against.
std::string comparison_table(const ProfileSubject& subject,
                             const std::vector<Measurement>& measurements, const ProfileRoof& roof,
                             bool per_layer);

// One object; with several measurements the first, and "compare" has all of them.
std::string profile_json(const ProfileSubject& subject,
                         const std::vector<Measurement>& measurements, const ProfileRoof& roof);

// Trace events of the first passes (the Trace Event Format of Chrome, which Perfetto reads): a
// track for each measurement, on it passes, in them blocks, in them stages.
std::string profile_trace(const std::vector<Measurement>& measurements);

}  // namespace glassgpt::cli
