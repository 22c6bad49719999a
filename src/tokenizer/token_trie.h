// The longest token that a text begins with.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/definition.h"

namespace glassgpt::tokenizer {

// A trie whose first two levels are a table; the children of a node lie side by side. Immutable
// once built.
class TokenTrie {
 public:
  using Entry = std::pair<std::string_view, TokenId>;

  TokenTrie() = default;
  // The tokens' bytes, all different and none empty.
  explicit TokenTrie(std::vector<Entry> tokens);

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
    std::uint32_t first_child = 0;  // if there are more than kMany: the index of their set
    std::uint16_t children = 0;
    char byte = 0;  // that leads here
  };

  // A node of many children has a set of the bytes that lead to them.
  static constexpr std::uint32_t kMany = 6;
  struct ByteSet {
    std::array<std::uint64_t, 4> bits{};
    std::array<std::uint8_t, 4> before{};  // bytes in the words before each
    std::uint32_t first_child = 0;
  };

  void grow(std::span<const Entry> tokens, std::uint32_t root);
  void add_set(Node& node);

  std::uint32_t child(const Node& node, char byte) const noexcept {
    if (node.children > kMany) {
      const ByteSet& set = sets_[node.first_child];
      const auto value = static_cast<unsigned char>(byte);
      const std::uint64_t word = set.bits[value >> 6];
      const std::uint64_t bit = std::uint64_t{1} << (value & 63);
      if ((word & bit) == 0) return kNoNode;
      return set.first_child + set.before[value >> 6] +
             static_cast<std::uint32_t>(std::popcount(word & (bit - 1)));
    }
    for (std::uint32_t i = node.first_child; i < node.first_child + node.children; ++i) {
      if (nodes_[i].byte == byte) return i;
    }
    return kNoNode;
  }

  std::array<TokenId, 256> of_byte_{};
  std::vector<std::uint32_t> of_two_;
  std::vector<Node> nodes_;
  std::vector<ByteSet> sets_;
};

}  // namespace glassgpt::tokenizer
