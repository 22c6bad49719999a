// The longest token that a text begins with.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/definition.h"

namespace glassgpt::tokenizer {

// A trie whose first two levels are a table; the children of a node lie side by side. Immutable
// once built.
class TokenTrie {
 public:
  TokenTrie() = default;
  // The tokens' bytes, all different and none empty.
  explicit TokenTrie(std::vector<std::pair<std::string_view, TokenId>> tokens);

  struct Match {
    TokenId id = kNoToken;  // kNoToken: no token begins here
    std::uint32_t length = 0;
  };

  // The longest token that [at, end) begins with; at < end.
  Match longest(const char* at, const char* end) const noexcept {
    const auto first = static_cast<unsigned char>(*at);
    Match best{of_byte_[first], 1};
    if (end - at < 2) return best;
    std::uint32_t node = of_two_[first << 8 | static_cast<unsigned char>(at[1])];
    for (const char* p = at + 2; node != kNoNode; ++p) {
      const Node& here = nodes_[node];
      if (here.id != kNoToken) best = {here.id, static_cast<std::uint32_t>(p - at)};
      if (p == end) break;
      node = child(here, *p);
    }
    return best;
  }

 private:
  static constexpr std::uint32_t kNoNode = 0;  // node 0 is not used
  struct Node {
    TokenId id = kNoToken;
    std::uint32_t first_child = 0;
    std::uint32_t children = 0;
  };

  std::uint32_t child(const Node& node, char byte) const noexcept {
    for (std::uint32_t i = node.first_child; i < node.first_child + node.children; ++i) {
      if (bytes_[i] == byte) return i;
    }
    return kNoNode;
  }

  std::array<TokenId, 256> of_byte_{};
  std::vector<std::uint32_t> of_two_;
  std::vector<Node> nodes_;
  std::vector<char> bytes_;  // the byte that leads to each node
};

}  // namespace glassgpt::tokenizer
