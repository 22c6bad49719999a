// Where the tests find ../shared, and how they read its cases.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "glassgpt/types.h"

namespace glassgpt::testing {

inline std::filesystem::path shared_data() {
  const char* shared = std::getenv("GLASSGPT_SHARED");
  const std::filesystem::path root =
      shared != nullptr ? std::filesystem::path(shared)
                        : std::filesystem::path(GLASSGPT_SOURCE_DIR).parent_path() / "shared";
  return root / "data" / "tokenizer";
}

#define SKIP_WITHOUT_SHARED_DATA()                                                      \
  if (!std::filesystem::exists(::glassgpt::testing::shared_data())) {                   \
    GTEST_SKIP() << "no shared data at " << ::glassgpt::testing::shared_data().string() \
                 << "; set GLASSGPT_SHARED to the folder that holds data/";             \
  }

inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Case {
  std::string text;
  std::vector<TokenId> ids;
};

// Lines of {"text": ..., "ids": [...]}.
inline std::vector<Case> read_cases(const std::filesystem::path& file) {
  std::istringstream lines(read_text(file));
  std::vector<Case> cases;
  for (std::string line; std::getline(lines, line);) {
    const auto value = nlohmann::json::parse(line);
    cases.push_back(
        {value.at("text").get<std::string>(), value.at("ids").get<std::vector<TokenId>>()});
  }
  return cases;
}

}  // namespace glassgpt::testing
