#include "tokenizer/heap_merge.h"

#include <algorithm>
#include <functional>

namespace glassgpt::tokenizer {
namespace {

constexpr std::uint32_t kNone = 0xFFFFFFFF;

// One that has changed since its pair was put into the heap is recognised by its rank.
struct Node {
  TokenId id;
  std::uint32_t rank;  // of the pair (this, next); kNoRank also where this node is gone
  TokenId merged;      // what that pair becomes
  std::uint32_t previous, next;
};

class HeapMerger {
 public:
  HeapMerger(std::string_view bytes, const std::array<TokenId, 256>& byte_ids,
             const MergeTable& merges)
      : merges_(merges) {
    const auto count = static_cast<std::uint32_t>(bytes.size());
    nodes_.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      nodes_.push_back(
          {byte_ids[static_cast<unsigned char>(bytes[i])], kNoRank, kNoToken, i - 1, i + 1});
    }
    nodes_.front().previous = kNone;
    nodes_.back().next = kNone;
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      if (look_up(i)) heap_.push_back(entry(i));
    }
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  std::vector<TokenId> run() {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const std::uint64_t top = heap_.back();
      heap_.pop_back();
      const auto at = static_cast<std::uint32_t>(top);
      if (nodes_[at].rank == top >> 32) merge_at(at);
    }
    std::vector<TokenId> tokens;
    for (std::uint32_t i = 0; i != kNone; i = nodes_[i].next) tokens.push_back(nodes_[i].id);
    return tokens;
  }

 private:
  // The lowest rank first, then the leftmost place.
  std::uint64_t entry(std::uint32_t at) const { return std::uint64_t{nodes_[at].rank} << 32 | at; }

  bool look_up(std::uint32_t at) {
    const MergeResult found = merges_.find(nodes_[at].id, nodes_[nodes_[at].next].id);
    nodes_[at].rank = found.rank;
    nodes_[at].merged = found.merged;
    return found.rank != kNoRank;
  }

  void push(std::uint32_t at) {
    heap_.push_back(entry(at));
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  void merge_at(std::uint32_t at) {
    Node& node = nodes_[at];
    Node& gone = nodes_[node.next];
    gone.rank = kNoRank;
    node.id = node.merged;
    node.next = gone.next;
    node.rank = kNoRank;
    if (node.next != kNone) {
      nodes_[node.next].previous = at;
      if (look_up(at)) push(at);
    }
    if (node.previous != kNone && look_up(node.previous)) push(node.previous);
  }

  const MergeTable& merges_;
  std::vector<Node> nodes_;
  std::vector<std::uint64_t> heap_;
};

}  // namespace

std::vector<TokenId> merge_with_heap(std::string_view bytes,
                                     const std::array<TokenId, 256>& byte_ids,
                                     const MergeTable& merges) {
  if (bytes.empty()) return {};
  return HeapMerger(bytes, byte_ids, merges).run();
}

}  // namespace glassgpt::tokenizer
