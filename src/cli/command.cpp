#include "cli/command.h"

#include <fmt/format.h>

#include <utility>

namespace glassgpt::cli {

CLI::Validator not_empty() {
  return CLI::Validator(
      [](std::string& value) {
        return value.empty() ? std::string("the path is empty") : std::string{};
      },
      "");
}

CLI::Validator one_of(std::vector<std::string> names) {
  const std::string list = fmt::format("{}", fmt::join(names, "|"));
  return CLI::Validator(
      [names = std::move(names), list](std::string& value) {
        for (const std::string& name : names) {
          if (value == name) return std::string{};
        }
        return fmt::format("'{}' is none of {}", value, list);
      },
      list);
}

}  // namespace glassgpt::cli
