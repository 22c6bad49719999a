#include "tokenizer/token_trie.h"

#include <algorithm>

namespace glassgpt::tokenizer {

TokenTrie::TokenTrie(std::vector<std::pair<std::string_view, TokenId>> tokens) {
  of_byte_.fill(kNoToken);
  of_two_.assign(65536, kNoNode);
  nodes_.resize(1);
  bytes_.resize(1);
  std::sort(tokens.begin(), tokens.end());

  // A node still to be filled: the sorted tokens [begin, end) share its `depth` bytes.
  struct Range {
    std::size_t begin, end;
    std::uint32_t node;
  };
  std::vector<Range> level;
  for (std::size_t i = 0; i < tokens.size();) {
    const std::string_view bytes = tokens[i].first;
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (bytes.size() == 1) {
      of_byte_[first] = tokens[i++].second;
      continue;
    }
    const std::string_view two = bytes.substr(0, 2);
    std::size_t end = i;
    while (end < tokens.size() && tokens[end].first.starts_with(two)) ++end;
    const auto node = static_cast<std::uint32_t>(nodes_.size());
    of_two_[first << 8 | static_cast<unsigned char>(bytes[1])] = node;
    nodes_.emplace_back();
    bytes_.push_back(bytes[1]);
    level.push_back({i, end, node});
    i = end;
  }

  // Level by level, so that a node's children are numbered one after the other.
  for (std::size_t depth = 2; !level.empty(); ++depth) {
    std::vector<Range> next;
    for (auto [begin, end, node] : level) {
      if (tokens[begin].first.size() == depth) nodes_[node].id = tokens[begin++].second;
      nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
      while (begin < end) {
        const char byte = tokens[begin].first[depth];
        std::size_t same = begin;
        while (same < end && tokens[same].first[depth] == byte) ++same;
        next.push_back({begin, same, static_cast<std::uint32_t>(nodes_.size())});
        nodes_.emplace_back();
        bytes_.push_back(byte);
        ++nodes_[node].children;
        begin = same;
      }
      if (nodes_[node].children > kMany) add_set(nodes_[node]);
    }
    level = std::move(next);
  }
}

void TokenTrie::add_set(Node& node) {
  ByteSet set;
  set.first_child = node.first_child;
  for (std::uint32_t i = 0; i < node.children; ++i) {
    const auto byte = static_cast<unsigned char>(bytes_[node.first_child + i]);
    set.bits[byte >> 6] |= std::uint64_t{1} << (byte & 63);
    // A full set has 256 bytes, but no more than 192 before its last word.
    for (std::size_t word = (byte >> 6) + 1u; word < set.before.size(); ++word) ++set.before[word];
  }
  node.first_child = static_cast<std::uint32_t>(sets_.size());
  sets_.push_back(set);
}

}  // namespace glassgpt::tokenizer
