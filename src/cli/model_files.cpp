#include "cli/model_files.h"

#include <fmt/format.h>

#include "cli/json_text.h"
#include "cli/output.h"

namespace glassgpt::cli {

void StorageOption::add_to(CLI::App& app) {
  app.add_option("--storage", name, "how weights are stored; float32 keeps every bit")
      ->check(one_of({"f32", "f16", "bf16"}))
      ->capture_default_str();
}

StorageType storage_type(std::string_view name) {
  if (name == "f16") return StorageType::kFloat16;
  if (name == "bf16") return StorageType::kBFloat16;
  return StorageType::kFloat32;
}

void report(const CommonOptions& common, const WrittenModel& written) {
  if (common.json) {
    Output output;
    output.write(fmt::format(
        "{{\"path\":{},\"format\":{},\"storage\":{},\"parameters\":{},\"tokens\":{}}}\n",
        json_string(written.path.string()), json_string(written.format),
        json_string(written.storage), written.parameters,
        written.tokens ? std::to_string(*written.tokens) : "null"));
    output.finish();
    return;
  }
  const std::string tokenizer = written.tokens
                                    ? fmt::format("a tokenizer of {} tokens", *written.tokens)
                                    : std::string("no tokenizer");
  Progress(common.quiet)
      .line(fmt::format("{}: {}, {} parameters as {}, {}", written.path.string(), written.format,
                        written.parameters, written.storage, tokenizer));
}

}  // namespace glassgpt::cli
