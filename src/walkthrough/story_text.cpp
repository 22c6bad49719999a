#include "walkthrough/story_text.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "cli/display.h"
#include "cli/utf8.h"
#include "walkthrough/resources.h"

namespace glassgpt::walkthrough {
namespace {

nlohmann::json read_texts(const std::string& name) { return nlohmann::json::parse(resource(name)); }

const std::string& find(const nlohmann::json& texts, const std::string& key) {
  const auto at = texts.find(key);
  if (at == texts.end()) throw std::logic_error("no text: " + key);
  return at->get_ref<const std::string&>();
}

std::string filled(std::string text, const StoryText::Places& places) {
  for (const auto& [name, value] : places) {
    const std::string place = std::string("{") + name + "}";
    for (std::size_t at = 0; (at = text.find(place, at)) != std::string::npos; at += value.size()) {
      text.replace(at, place.size(), value);
    }
  }
  return text;
}

// Punctuation that Chinese does not begin a line with.
bool must_not_begin(std::string_view character) {
  static constexpr std::string_view kClosing[] = {"，", "。", "、", "；", "：", "？",
                                                  "！", "）", "”",  "》", "’",  "°"};
  return std::find(std::begin(kClosing), std::end(kClosing), character) != std::end(kClosing);
}

bool must_not_end(std::string_view character) {
  return character == "（" || character == "“" || character == "《" || character == "‘";
}

// What stays on one line: a word, or a Chinese character with the punctuation that belongs to it.
std::vector<std::string> unbreakable_parts(std::string_view text) {
  std::vector<std::string> parts(1);
  bool after_wide = false, holds_next = false;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, cli::next_utf8(text).bytes);
    const bool wide = cli::display_width(character) == 2;
    const bool breaks = (wide || after_wide) && !must_not_begin(character) && !holds_next;
    if (breaks && !parts.back().empty()) parts.emplace_back();
    parts.back() += character;
    if (character == " ") parts.emplace_back();
    after_wide = wide;
    holds_next = must_not_end(character);
    text.remove_prefix(character.size());
  }
  return parts;
}

}  // namespace

StoryText::StoryText(std::string_view language)
    : language_(language),
      own_(read_texts("story/" + language_ + ".json")),
      page_(read_texts("page/text/" + language_ + ".json")) {}

std::string StoryText::operator()(const std::string& key, const Places& places) const {
  return filled(find(own_, key), places);
}

std::string StoryText::of_page(const std::string& key, const Places& places) const {
  std::string text = find(page_, key);
  std::erase_if(text, [](char c) { return c == '*' || c == '`'; });
  return filled(std::move(text), places);
}

std::string wrapped(std::string_view text, std::size_t columns, std::string_view indent) {
  std::string out(indent);
  std::size_t used = 0;
  for (const std::string& part : unbreakable_parts(text)) {
    const bool blank_last = !part.empty() && part.back() == ' ';
    const std::size_t width = cli::display_width(part) - (blank_last ? 1 : 0);
    if (used > 0 && used + width > columns) {
      while (out.back() == ' ') out.pop_back();
      out += "\n" + std::string(indent);
      used = 0;
    }
    out += part;
    used += cli::display_width(part);
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out + "\n";
}

std::string_view bar(double share) {
  static constexpr std::string_view kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double height = std::ceil(std::clamp(share, 0.0, 1.0) * 8.0 - 0.5);
  return kBars[static_cast<std::size_t>(std::max(0.0, height))];
}

}  // namespace glassgpt::walkthrough
