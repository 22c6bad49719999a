#include "tokenizer/bpe.h"

#include <algorithm>
#include <numeric>

#include "tokenizer/heap_merge.h"

namespace glassgpt::tokenizer {
namespace {

constexpr std::size_t kMemoBits = 16;

}  // namespace

BpeEncoder::BpeEncoder(const Vocabulary& vocabulary, const std::array<TokenId, 256>& byte_ids,
                       const std::vector<Merge>& merges)
    : vocabulary_(vocabulary),
      byte_ids_(byte_ids),
      merges_(merges),
      origins_(vocabulary.size()),
      memo_(std::size_t{1} << kMemoBits) {
  for (const TokenId id : byte_ids_) {
    if (id != kNoToken) origins_[id].reachable = true;
  }
  find_origins(merges);
  build_trie();
}

// A merge's parts are shorter than its result, so going by length finds their origins first.
void BpeEncoder::find_origins(const std::vector<Merge>& merges) {
  std::vector<Merge> by_result;
  by_result.reserve(merges.size());
  for (const Merge& merge : merges) {
    // A pair that stands there twice has its last rank.
    if (merges_.find(merge.left, merge.right).rank == merge.rank) by_result.push_back(merge);
  }
  std::sort(by_result.begin(), by_result.end(), [&](const Merge& a, const Merge& b) {
    const auto length_a = length(a.merged), length_b = length(b.merged);
    if (length_a != length_b) return length_a < length_b;
    return a.merged != b.merged ? a.merged < b.merged : a.rank < b.rank;
  });
  const Merge* const end = by_result.data() + by_result.size();
  for (const Merge* at = by_result.data(); at < end;) {
    const Merge* next = at;
    while (next < end && next->merged == at->merged) ++next;
    find_origin(at->merged, at, next);
    at = next;
  }
}

// At most one of the merges that make the token can be the last one when its own bytes are merged.
void BpeEncoder::find_origin(TokenId id, const Merge* begin, const Merge* end) {
  Origin& origin = origins_[id];
  if (origin.reachable) return;
  bool out_of_order = false;
  for (const Merge* merge = begin; merge < end; ++merge) {
    const Origin& left = origins_[merge->left];
    const Origin& right = origins_[merge->right];
    if (!left.reachable || !right.reachable) continue;
    const std::uint32_t created = merge->rank + 1;
    if (!left.in_order || !right.in_order || left.created >= created || right.created >= created) {
      out_of_order = true;
    } else if (!merges_across_before(merge->left, merge->right)) {
      origin.left = merge->left;
      origin.right = merge->right;
      origin.created = created;
      origin.reachable = true;
      return;
    }
  }
  if (!out_of_order) return;
  const std::vector<TokenId> tokens = merge_with_heap(vocabulary_.bytes(id), byte_ids_, merges_);
  origin.in_order = false;
  origin.reachable = tokens.size() == 1 && tokens[0] == id;
}

void BpeEncoder::build_trie() {
  std::vector<std::pair<std::string_view, TokenId>> tokens;
  for (TokenId id = 0; id < origins_.size(); ++id) {
    if (origins_[id].reachable) tokens.emplace_back(vocabulary_.bytes(id), id);
  }
  trie_ = TokenTrie(tokens);
  for (const auto& [bytes, id] : tokens) {
    if (bytes.size() < 2) continue;
    origins_[id].prefix = trie_.longest(bytes.data(), bytes.data() + bytes.size() - 1).id;
  }
}

// Goes back in time from the moment when both tokens are complete. Of the two symbols that touch at
// the joint, the one that was created last is taken apart; the pair that touches then could merge
// only before that moment. Among equal ranks the left one goes first: a merge at the joint loses
// against the left token's, and wins against the right token's.
bool BpeEncoder::merges_across_before(TokenId left, TokenId right) const noexcept {
  for (;;) {
    const std::uint32_t left_created = origins_[left].created;
    const std::uint32_t right_created = origins_[right].created;
    std::uint32_t limit;
    if (left_created > right_created) {
      limit = left_created - 1;
      left = origins_[left].right;
    } else {
      if (right_created == 0) return false;
      limit = right_created;
      right = origins_[right].left;
    }
    if (merges_.find(left, right).rank < limit) return true;
  }
}

bool BpeEncoder::compute_stable_joint(TokenId left, TokenId right) const {
  if (origins_[left].in_order && origins_[right].in_order) {
    return merges_.find(left, right).rank == kNoRank && !merges_across_before(left, right);
  }
  std::string bytes(vocabulary_.bytes(left));
  bytes += vocabulary_.bytes(right);
  const std::vector<TokenId> tokens = merge_with_heap(bytes, byte_ids_, merges_);
  return tokens.size() == 2 && tokens[0] == left && tokens[1] == right;
}

bool BpeEncoder::is_stable_joint(TokenId left, TokenId right) const {
  const std::uint64_t key = pair_key(left, right);
  std::atomic<std::uint64_t>& memo = memo_[hash_pair(key) >> (64 - kMemoBits)];
  const std::uint64_t known = memo.load(std::memory_order_relaxed);
  if (known >> 1 == key + 1) return (known & 1) != 0;
  const bool stable = compute_stable_joint(left, right);
  memo.store((key + 1) << 1 | (stable ? 1 : 0), std::memory_order_relaxed);
  return stable;
}

void BpeEncoder::encode_piece(std::string_view piece, std::vector<TokenId>& out,
                              std::uint64_t* work) const {
  const char* const begin = piece.data();
  const char* const end = begin + piece.size();
  const std::size_t base = out.size();
  std::vector<bool> dead;  // by offset; empty as long as nothing was taken back
  std::uint64_t tried = 0;
  const char* at = begin;
  while (at < end) {
    auto [candidate, candidate_length] = trie_.longest(at, end);
    for (;; ++tried) {
      if (candidate == kNoToken) {
        // No token keeps the joint stable here: this place leads nowhere, and the last token must
        // be a shorter one.
        if (dead.empty()) dead.resize(piece.size() + 1);
        dead[static_cast<std::size_t>(at - begin)] = true;
        at -= length(out.back());
        candidate = origins_[out.back()].prefix;
        out.pop_back();
        if (candidate != kNoToken) candidate_length = length(candidate);
        continue;
      }
      const char* const next = at + candidate_length;
      const bool open = dead.empty() || !dead[static_cast<std::size_t>(next - begin)];
      if (open && (out.size() == base || is_stable_joint(out.back(), candidate))) {
        out.push_back(candidate);
        at = next;
        break;
      }
      candidate = origins_[candidate].prefix;
      if (candidate != kNoToken) candidate_length = length(candidate);
    }
  }
  if (work != nullptr) *work += tried + (out.size() - base);
}

}  // namespace glassgpt::tokenizer
