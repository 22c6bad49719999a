#include "tokenizer/bpe.h"

#include <algorithm>
#include <functional>

namespace glassgpt::tokenizer {
namespace {

constexpr std::size_t kShort = 48;
constexpr std::uint32_t kNone = 0xFFFFFFFF;

TokenId byte_id(char byte, const std::array<TokenId, 256>& byte_ids) {
  return byte_ids[static_cast<unsigned char>(byte)];
}

// Each step scans all ranks for the lowest. They lie in a few cache lines, and that beats any
// cleverer order up to kShort.
void merge_short(std::string_view piece, const std::array<TokenId, 256>& byte_ids,
                 const MergeTable& merges, MergeScratch& scratch, std::vector<TokenId>& out) {
  TokenId ids[kShort], merged[kShort];
  std::uint32_t ranks[kShort];
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) ids[i] = byte_id(piece[i], byte_ids);
  const auto look_up = [&](std::size_t i) {
    const MergeResult found = merges.find(ids[i], ids[i + 1]);
    ++scratch.steps;
    ranks[i] = found.rank;
    merged[i] = found.merged;
  };
  for (std::size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNoRank) break;
    ids[best] = merged[best];
    --count;
    for (std::size_t i = best + 1; i < count; ++i) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
      merged[i] = merged[i + 1];
    }
    if (best + 1 < count) look_up(best);
    if (best > 0) look_up(best - 1);
  }
  out.insert(out.end(), ids, ids + count);
}

// The pairs wait in a heap; one whose node has changed since is recognised by its rank and dropped.
class HeapMerger {
 public:
  HeapMerger(const MergeTable& merges, MergeScratch& scratch)
      : merges_(merges), scratch_(scratch), nodes_(scratch.nodes), heap_(scratch.heap) {}

  void run(std::string_view piece, const std::array<TokenId, 256>& byte_ids,
           std::vector<TokenId>& out) {
    const auto count = static_cast<std::uint32_t>(piece.size());
    nodes_.resize(count);
    heap_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      nodes_[i] = {byte_id(piece[i], byte_ids), kNoRank, kNoToken, i - 1, i + 1};
    }
    nodes_[0].previous = kNone;
    nodes_[count - 1].next = kNone;
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      if (look_up(i)) heap_.push_back(std::uint64_t{nodes_[i].rank} << 32 | i);
    }
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const std::uint64_t top = heap_.back();
      heap_.pop_back();
      const auto at = static_cast<std::uint32_t>(top);
      if (nodes_[at].rank == static_cast<std::uint32_t>(top >> 32)) merge_at(at);
    }
    for (std::uint32_t i = 0; i != kNone; i = nodes_[i].next) out.push_back(nodes_[i].id);
  }

 private:
  bool look_up(std::uint32_t at) {
    const MergeResult found = merges_.find(nodes_[at].id, nodes_[nodes_[at].next].id);
    ++scratch_.steps;
    nodes_[at].rank = found.rank;
    nodes_[at].merged = found.merged;
    return found.rank != kNoRank;
  }

  void push(std::uint32_t at) {
    heap_.push_back(std::uint64_t{nodes_[at].rank} << 32 | at);
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

  using Node = MergeScratch::Node;
  const MergeTable& merges_;
  MergeScratch& scratch_;
  std::vector<Node>& nodes_;
  std::vector<std::uint64_t>& heap_;
};

}  // namespace

void merge_piece(std::string_view piece, const std::array<TokenId, 256>& byte_ids,
                 const MergeTable& merges, MergeScratch& scratch, std::vector<TokenId>& out) {
  if (piece.empty()) return;
  if (piece.size() <= kShort) {
    merge_short(piece, byte_ids, merges, scratch, out);
  } else {
    HeapMerger(merges, scratch).run(piece, byte_ids, out);
  }
}

}  // namespace glassgpt::tokenizer
