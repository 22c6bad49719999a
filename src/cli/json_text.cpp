#include "cli/json_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>

#include "cli/utf8.h"

namespace glassgpt::cli {
namespace {

template <class Number>
bool append_number(std::string& out, Number value) {
  if (!std::isfinite(value)) {
    out += "null";
    return false;
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const std::string_view text(digits, static_cast<std::size_t>(end - digits));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
  return true;
}

}  // namespace

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  while (!bytes.empty()) {
    const Utf8Step step = next_utf8(bytes);
    if (!step.valid) {
      out += "\xEF\xBF\xBD";
    } else if (step.code_point == '"' || step.code_point == '\\') {
      out += '\\';
      out += bytes[0];
    } else if (step.code_point == '\n') {
      out += "\\n";
    } else if (step.code_point == '\t') {
      out += "\\t";
    } else if (step.code_point == '\r') {
      out += "\\r";
    } else if (step.code_point < 0x20 || step.code_point == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(step.code_point));
    } else {
      out.append(bytes.substr(0, step.bytes));
    }
    bytes.remove_prefix(step.bytes);
  }
  out += '"';
}

std::string json_string(std::string_view bytes) {
  std::string out;
  append_json_string(out, bytes);
  return out;
}

bool append_json_float(std::string& out, float value) { return append_number(out, value); }

std::size_t append_json_floats(std::string& out, const float* values, std::size_t count) {
  std::size_t nulls = 0;
  out += '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    if (!append_number(out, values[i])) ++nulls;
  }
  out += ']';
  return nulls;
}

std::string json_number(double value) {
  std::string out;
  append_number(out, value);
  return out;
}

}  // namespace glassgpt::cli
