#include "cli/embed_texts.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/options.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

// Tokens begin .. end of the encoding stay.
void keep_tokens(Encoding& encoding, WordUnits& words, TokenRange kept) {
  const auto cut = [&](auto& list) {
    list.resize(kept.end);
    list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(kept.begin));
  };
  cut(encoding.ids);
  cut(encoding.spans);
  std::size_t count = 0;
  for (std::size_t w = 0; w < words.tokens.size(); ++w) {
    const TokenRange range = words.tokens[w];
    if (range.begin < kept.begin || range.end > kept.end) continue;
    words.tokens[count] = {range.begin - kept.begin, range.end - kept.begin};
    words.spans[count++] = words.spans[w];
  }
  words.tokens.resize(count);
  words.spans.resize(count);
}

}  // namespace

Truncation truncation_of(std::string_view name) {
  return name == "left"     ? Truncation::kLeft
         : name == "right"  ? Truncation::kRight
         : name == "window" ? Truncation::kWindow
                            : Truncation::kError;
}

void check_stride(std::size_t stride, std::size_t context) {
  if (stride <= context) return;
  throw UsageError(
      fmt::format("--stride {} is more than the model's context of {}", stride, context));
}

WordUnits word_units(const Tokenizer& tokenizer, std::string_view text, const Encoding& encoding) {
  WordUnits units;
  std::size_t first = 0;  // tokens before it end before the word
  for (const WordSpan& word : split_words(text)) {
    while (first < encoding.ids.size() && encoding.spans[first].byte_end <= word.begin) ++first;
    const auto special = [&](std::size_t t) { return tokenizer.is_special(encoding.ids[t]); };
    std::size_t begin = first;
    while (begin < encoding.ids.size() && special(begin)) ++begin;
    std::size_t end = begin;
    while (end < encoding.ids.size() && encoding.spans[end].byte_begin < word.end &&
           !special(end)) {
      ++end;
    }
    if (begin == end) continue;
    units.spans.push_back(word);
    units.tokens.push_back({begin, end});
  }
  return units;
}

EmbeddedText prepare_text(const Tokenizer& tokenizer, const Text& text,
                          const EmbedOptions& options) {
  Encoding encoding = encode_text_with_spans(tokenizer, text.bytes, options.special, text.where);
  EmbeddedText result;
  result.id = text.id;
  result.bytes = text.bytes;
  result.unit = options.unit;
  result.tokens = encoding.ids.size();
  const std::size_t context = options.context;
  WordUnits words;
  if (options.unit == Unit::kWord) words = word_units(tokenizer, text.bytes, encoding);
  if (result.tokens > context && options.truncation != Truncation::kWindow) {
    const std::size_t surplus = result.tokens - context;
    if (options.truncation == Truncation::kError) {
      throw Error(ErrorCode::kOutOfRange, text.where,
                  fmt::format("{} tokens, {} more than the model's context of {}", result.tokens,
                              surplus, context),
                  "shorten it, or choose --truncate left, right or window");
    }
    const bool left = options.truncation == Truncation::kLeft;
    keep_tokens(encoding, words,
                left ? TokenRange{surplus, result.tokens} : TokenRange{0, context});
  }
  result.ids = std::move(encoding.ids);
  result.spans = std::move(encoding.spans);
  if (options.unit == Unit::kWord) {
    result.units = std::move(words.tokens);
    result.words = std::move(words.spans);
  } else if (options.unit == Unit::kText && !result.ids.empty()) {
    result.units.push_back({0, result.ids.size()});
  }
  return result;
}

std::vector<Window> windows_of(std::size_t tokens, const EmbedOptions& options) {
  std::vector<Window> windows;
  if (tokens == 0) return windows;
  const std::size_t stride =
      options.stride > 0 ? options.stride : std::max<std::size_t>(1, options.context / 2);
  std::size_t kept = 0;
  for (std::size_t begin = 0; kept < tokens; begin += stride) {
    const std::size_t end = std::min(tokens, begin + options.context);
    windows.push_back({begin, end, kept});
    kept = end;
  }
  return windows;
}

void BatchBuilder::add(const EmbeddedText& text, const Window& window) {
  const std::size_t offset = ids_.size();
  const auto at = [&](std::size_t token) { return offset + token - window.begin; };
  const auto first = text.ids.begin();
  ids_.insert(ids_.end(), first + static_cast<std::ptrdiff_t>(window.begin),
              first + static_cast<std::ptrdiff_t>(window.end));
  offsets_.push_back(ids_.size());
  if (text.unit == Unit::kToken) {
    ranges_.push_back({at(window.keep), at(window.end)});
    return;
  }
  const auto beyond = [&](const TokenRange& unit) { return unit.end <= window.keep; };
  auto unit = std::partition_point(text.units.begin(), text.units.end(), beyond);
  for (; unit != text.units.end() && unit->begin < window.end; ++unit) {
    ranges_.push_back({at(std::max(unit->begin, window.keep)), at(std::min(unit->end, window.end)),
                       unit->begin >= window.keep, unit->end <= window.end});
  }
}

void BatchBuilder::clear() {
  ids_.clear();
  offsets_.assign(1, 0);
  ranges_.clear();
}

}  // namespace glassgpt::cli
