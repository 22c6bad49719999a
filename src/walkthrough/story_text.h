// Words of the terminal's story in one language, and how they are laid out.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace glassgpt::walkthrough {

// The page's texts (titles and ideas) and the story's own.
class StoryText {
 public:
  explicit StoryText(std::string_view language);

  const std::string& language() const noexcept { return language_; }

  using Places = std::initializer_list<std::pair<const char*, std::string>>;
  // The text of that key, with its {places} filled. A key that neither file has is a logic_error.
  std::string operator()(const std::string& key, const Places& places = {}) const;
  // The page's, without its marks for stress and code.
  std::string of_page(const std::string& key, const Places& places = {}) const;

 private:
  std::string language_;
  nlohmann::json own_, page_;
};

// Lines of at most `columns`, broken at blanks and between Chinese characters, but not before
// punctuation that must not begin a line.
std::string wrapped(std::string_view text, std::size_t columns, std::string_view indent);

// One of nine heights, for 0 to 1.
std::string_view bar(double share);

}  // namespace glassgpt::walkthrough
