// The course of a run for the eye and the spreadsheet, out of its log.
#pragma once

#include <filesystem>

namespace glassgpt::training {

// Writes loss.csv (a line per line of log.jsonl: step, tokens, loss, lr, tokens_per_second,
// gradient_norm, valid_nats_per_token, valid_bits_per_byte; empty where the log has nothing) and
// loss.svg (the training loss, and the held-out texts' where there are any) beside the log. A log
// that is missing or empty gives nothing. Throws Error.
void write_curve(const std::filesystem::path& run);

}  // namespace glassgpt::training
