// Finds the texts of added tokens in a text: the leftmost one, and the longest of those that begin
// there.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/definition.h"

namespace glassgpt::tokenizer {

// A trie over the texts. Searching takes time proportional to the text, times the longest added
// token at worst. Immutable once filled.
class SpecialMatcher {
 public:
  struct Match {
    std::size_t begin, length;
    TokenId id;  // kNoToken: nothing was found, up to `begin`
  };

  void add(std::string_view text, TokenId id);  // text is not empty
  bool empty() const noexcept { return nodes_.size() == 1; }

  // The first match at or after `from`. If the text may go on behind its end, the search stops,
  // with nothing found, where that could make a match or a longer one.
  Match find(std::string_view text, std::size_t from, bool is_end = true) const noexcept;

 private:
  struct Node {
    std::uint32_t first_child = 0, sibling = 0;  // 0: none, for the root is nobody's child
    TokenId id = kNoToken;
    char byte = 0;
  };

  std::uint32_t child(std::uint32_t node, char byte) const noexcept;
  std::size_t next_candidate(std::string_view text, std::size_t from) const noexcept;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> begins_{};
  int first_bytes_ = 0;
  char only_first_byte_ = 0;
};

}  // namespace glassgpt::tokenizer
