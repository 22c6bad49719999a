#include "walkthrough/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "cli/json_text.h"
#include "cli/utf8.h"
#include "kernels/dispatch.h"

namespace glassgpt::walkthrough {

using nlohmann::ordered_json;

namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::string shell_quoted(std::string_view bytes) {
  const bool plain = is_valid_utf8(bytes) && std::none_of(bytes.begin(), bytes.end(), [](char c) {
                       return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
                     });
  std::string out = plain ? "'" : "$'";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (plain) {
      out += c == '\'' ? "'\\''" : std::string(1, c);
    } else if (c == '\'' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte >= 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string Subject::command(std::string_view words, std::initializer_list<std::string_view> texts,
                             bool with_gemm) const {
  // The environment's wishes too: whoever runs the command may have another.
  const bool threads_wanted = common.threads > 0 || is_set("GLASSGPT_THREADS");
  const int threads = common.threads > 0 ? common.threads : default_threads();
  const bool isa_wanted = !common.isa.empty() || is_set("GLASSGPT_ISA");
  std::string line = fmt::format("glassgpt {}", words);
  if (!common.model.empty() || !is_bundled(directory, "mini")) {
    line += " -m " + shell_quoted(directory.string());
  }
  if (threads_wanted) line += fmt::format(" --threads {}", threads);
  if (isa_wanted) line += fmt::format(" --isa {}", kernels::active_kernels().isa);
  if (with_gemm && common.gemm != "auto") line += " --gemm " + common.gemm;
  if (common.dtype != "f32") line += " --dtype " + common.dtype;
  const bool dashes = std::any_of(texts.begin(), texts.end(),
                                  [](std::string_view t) { return !t.empty() && t[0] == '-'; });
  if (dashes) line += " --";
  for (const std::string_view argument : texts) line += " " + shell_quoted(argument);
  return line;
}

std::string Subject::reference_option() const {
  return reference.empty() ? "" : " --reference " + shell_quoted(reference);
}

bool is_bundled(const std::filesystem::path& directory, const char* name) {
  const std::filesystem::path bundled = cli::bundled_model(name);
  std::error_code error;
  return !bundled.empty() && std::filesystem::equivalent(directory, bundled, error);
}

ordered_json text_json(std::string_view bytes) {
  return ordered_json::parse(cli::json_string(bytes));
}

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const cli::Utf8Step step = cli::next_utf8(bytes);
    if (!step.valid) return false;
    bytes.remove_prefix(step.bytes);
  }
  return true;
}

std::string hexadecimal(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

ordered_json token_json(const Tokenizer& tokenizer, TokenId id) {
  const std::string_view bytes = tokenizer.token_bytes(id);
  return {{"id", id},
          {"text", text_json(bytes)},
          {"hex", hexadecimal(bytes)},
          {"fragment", !is_valid_utf8(bytes)}};
}

ordered_json tokens_json(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  ordered_json list = ordered_json::array();
  for (const TokenId id : ids) list.push_back(token_json(tokenizer, id));
  return list;
}

}  // namespace glassgpt::walkthrough
