#include "tokenizer/special_matcher.h"

#include <cstring>

namespace glassgpt::tokenizer {

void SpecialMatcher::add(std::string_view text, TokenId id) {
  bool& begins = begins_[static_cast<unsigned char>(text.front())];
  if (!begins) ++first_bytes_;
  begins = true;
  only_first_byte_ = text.front();
  std::uint32_t node = 0;
  for (const char byte : text) {
    std::uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({0, nodes_[node].first_child, kNoToken, byte});
      nodes_[node].first_child = next;
    }
    node = next;
  }
  nodes_[node].id = id;
}

std::uint32_t SpecialMatcher::child(std::uint32_t node, char byte) const noexcept {
  std::uint32_t next = nodes_[node].first_child;
  while (next != 0 && nodes_[next].byte != byte) next = nodes_[next].sibling;
  return next;
}

std::size_t SpecialMatcher::next_candidate(std::string_view text, std::size_t from) const noexcept {
  if (first_bytes_ == 1) {
    const void* found = std::memchr(text.data() + from, only_first_byte_, text.size() - from);
    return found == nullptr
               ? text.size()
               : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  }
  while (from < text.size() && !begins_[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

SpecialMatcher::Match SpecialMatcher::find(std::string_view text, std::size_t from,
                                           bool is_end) const noexcept {
  if (empty()) return {text.size(), 0, kNoToken};
  for (; from < text.size(); ++from) {
    from = next_candidate(text, from);
    Match match{from, 0, kNoToken};
    std::uint32_t node = 0;
    for (std::size_t at = from; at < text.size(); ++at) {
      node = child(node, text[at]);
      if (node == 0) break;
      const bool may_go_on = at + 1 == text.size() && nodes_[node].first_child != 0;
      if (may_go_on && !is_end) return {from, 0, kNoToken};
      if (nodes_[node].id != kNoToken) match = {from, at - from + 1, nodes_[node].id};
    }
    if (match.id != kNoToken) return match;
  }
  return {text.size(), 0, kNoToken};
}

}  // namespace glassgpt::tokenizer
