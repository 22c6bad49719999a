#include "train/training_log.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

#include "glassgpt/error.h"
#include "io/file.h"
#include "io/json.h"

namespace glassgpt::training {
namespace {

using nlohmann::ordered_json;

// The step of a whole line of the log; -1 for anything else.
std::int64_t step_of(std::string_view line) {
  const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
  if (!row.is_object() || !row.contains("step") || !row["step"].is_number_integer()) return -1;
  return row["step"].get<std::int64_t>();
}

}  // namespace

TrainingLog::TrainingLog(std::filesystem::path file, std::uint64_t first_step)
    : file_(std::move(file)) {
  std::error_code ignored;
  std::string kept;
  if (first_step > 0 && std::filesystem::exists(file_, ignored)) {
    const std::string text = io::read_file(file_);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      if (end == std::string::npos) break;
      const std::string_view line(text.data() + at, end - at);
      const std::int64_t step = step_of(line);
      if (step >= 0 && static_cast<std::uint64_t>(step) <= first_step)
        kept.append(line).append("\n");
      at = end + 1;
    }
  }
  io::write_file(file_, kept);
}

void TrainingLog::append(const TrainingProgress& progress, const ValidationReport* validation,
                         std::string_view sample) {
  ordered_json row{{"step", progress.step},
                   {"tokens", progress.tokens},
                   {"loss", progress.loss},
                   {"lr", progress.learning_rate},
                   {"tokens_per_second", progress.tokens_per_second},
                   {"gradient_norm", progress.gradient_norm}};
  if (validation != nullptr) {
    row["valid_nats_per_token"] = validation->nats_per_token;
    row["valid_bits_per_byte"] = validation->bits_per_byte;
    for (const ValidationResult& source : validation->sources) {
      row["valid"][source.source] = {{"nats_per_token", source.nats_per_token},
                                     {"bits_per_byte", source.bits_per_byte}};
    }
  }
  // Bytes that are no text (half a character, say) would not be JSON.
  if (!sample.empty()) row["sample"] = sample;
  append_line(row.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

void TrainingLog::append_line(const std::string& line) {
  std::error_code unknown;
  const std::uintmax_t before = std::filesystem::file_size(file_, unknown);
  std::ofstream out(file_, std::ios::app | std::ios::binary);
  out << line << std::flush;
  if (out) return;
  const std::string reason = std::strerror(errno);
  out.close();
  // Half a line would spoil the next one, too.
  std::error_code ignored;
  if (!unknown) std::filesystem::resize_file(file_, before, ignored);
  throw Error(ErrorCode::kUnwritable, file_.string(), "cannot be written: " + reason);
}

}  // namespace glassgpt::training
