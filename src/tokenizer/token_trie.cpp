#include "tokenizer/token_trie.h"

#include <algorithm>

namespace glassgpt::tokenizer {

TokenTrie::TokenTrie(std::vector<Entry> tokens) {
  of_byte_.fill(kNoToken);
  of_two_.assign(65536, kNoNode);
  nodes_.resize(1);
  std::sort(tokens.begin(), tokens.end());

  for (std::size_t i = 0; i < tokens.size();) {
    const std::string_view bytes = tokens[i].first;
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (bytes.size() == 1) {
      of_byte_[first] = tokens[i++].second;
      continue;
    }
    std::size_t end = i;
    while (end < tokens.size() && tokens[end].first.starts_with(bytes.substr(0, 2))) ++end;
    const auto root = static_cast<std::uint32_t>(nodes_.size());
    of_two_[first << 8 | static_cast<unsigned char>(bytes[1])] = root;
    nodes_.push_back({kNoToken, 0, 0, bytes[1]});
    grow(std::span(tokens).subspan(i, end - i), root);
    i = end;
  }
}

// The children of a node lie side by side, and its first child's children right behind them: a walk
// down stays in few cache lines.
void TokenTrie::grow(std::span<const Entry> tokens, std::uint32_t root) {
  // A node still to be filled: the sorted tokens [begin, end) share its `depth` bytes.
  struct Range {
    std::size_t begin, end, depth;
    std::uint32_t node;
  };
  std::vector<Range> waiting = {{0, tokens.size(), 2, root}};
  while (!waiting.empty()) {
    auto [begin, end, depth, node] = waiting.back();
    waiting.pop_back();
    if (tokens[begin].first.size() == depth) nodes_[node].id = tokens[begin++].second;
    nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
    const std::size_t first_waiting = waiting.size();
    while (begin < end) {
      const char byte = tokens[begin].first[depth];
      std::size_t same = begin;
      while (same < end && tokens[same].first[depth] == byte) ++same;
      waiting.push_back({begin, same, depth + 1, static_cast<std::uint32_t>(nodes_.size())});
      nodes_.push_back({kNoToken, 0, 0, byte});
      ++nodes_[node].children;
      begin = same;
    }
    std::reverse(waiting.begin() + static_cast<std::ptrdiff_t>(first_waiting), waiting.end());
    if (nodes_[node].children > kMany) add_set(nodes_[node]);
  }
}

void TokenTrie::add_set(Node& node) {
  ByteSet set;
  set.first_child = node.first_child;
  for (std::uint32_t i = 0; i < node.children; ++i) {
    const auto byte = static_cast<unsigned char>(nodes_[node.first_child + i].byte);
    set.bits[byte >> 6] |= std::uint64_t{1} << (byte & 63);
    // A full set has 256 bytes, but no more than 192 before its last word.
    for (std::size_t word = (byte >> 6) + 1u; word < set.before.size(); ++word) ++set.before[word];
  }
  node.first_child = static_cast<std::uint32_t>(sets_.size());
  sets_.push_back(set);
}

}  // namespace glassgpt::tokenizer
