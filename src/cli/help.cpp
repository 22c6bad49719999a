#include "cli/help.h"

#include <fmt/format.h>

#include "cli/display.h"

namespace glassgpt::cli {
namespace {

constexpr std::size_t kIndent = 2, kDescriptionColumn = 28, kWidth = 100;

// CLI11 composes "TEXT:a|b|c" from a type and a list of choices: the choices say it all.
std::string value_name(const CLI::Option& option) {
  const std::string name = option.get_type_name();
  const std::size_t colon = name.find(':');
  return colon == std::string::npos ? name : name.substr(colon + 1);
}

// Words from `column` on, broken before kWidth.
std::string wrapped(const std::string& text, std::size_t column) {
  std::string out;
  std::size_t at = column;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = text.find(' ', begin);
    if (end == std::string::npos) end = text.size();
    const std::string word = text.substr(begin, end - begin);
    const std::size_t width = display_width(word);
    if (at > column && at + 1 + width > kWidth) {
      out += '\n' + std::string(column, ' ');
      at = column;
    } else if (at > column) {
      out += ' ';
      ++at;
    }
    out += word;
    at += width;
    begin = end + 1;
  }
  return out;
}

std::string option_lines(const CLI::Option& option) {
  std::string left(kIndent, ' ');
  // Options without a short name line up with the long names of the others.
  if (option.get_snames().empty()) left += "    ";
  left += option.get_name(false, true);
  for (std::size_t comma;
       (comma = left.find(',')) != std::string::npos && left[comma + 1] != ' ';) {
    left.insert(comma + 1, " ");
  }
  const bool takes_value = option.get_items_expected_max() > 0;
  if (takes_value) left += ' ' + value_name(option);
  std::string description = option.get_description();
  if (takes_value && !option.get_default_str().empty()) {
    description += fmt::format(" (default: {})", option.get_default_str());
  }
  if (option.get_required()) description += " (required)";
  if (left.size() + 2 > kDescriptionColumn) {
    left += '\n' + std::string(kDescriptionColumn, ' ');
  } else {
    left.resize(kDescriptionColumn, ' ');
  }
  return left + wrapped(description, kDescriptionColumn) + '\n';
}

}  // namespace

std::string help_text(const CLI::App& app, const CommandInfo& info) {
  std::string own, common;
  for (const CLI::Option* option : app.get_options()) {
    (option->get_group() == kCommonGroup ? common : own) += option_lines(*option);
  }
  return fmt::format(
      "glassgpt {}: {}\n\nUsage: glassgpt {} [options]{}{}\n\nOptions:\n{}\n{}:\n{}"
      "\nExamples:\n{}",
      info.name, info.summary, info.name, *info.arguments == '\0' ? "" : " ", info.arguments, own,
      kCommonGroup, common, info.examples);
}

}  // namespace glassgpt::cli
