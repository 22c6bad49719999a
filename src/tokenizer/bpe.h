// The fast way from a piece to its tokens; equal to merge_by_the_book() on every input and for
// every table of merges.
//
// Two tokens next to each other are a *stable joint* if their bytes together, merged by the book,
// give just these two tokens again. Then:
//
//   A row of tokens, each of which is what its own bytes give, is what the book makes of all its
//   bytes if and only if each of its joints is stable.
//
// For look at the first merge across a joint that merging all bytes would do: up to it, the two
// neighbours of that joint have seen the same merges as by themselves (the order is by rank, then
// place, and keeps between any two places), so it would happen in the two by themselves, too. The
// other way round, the same argument read backward.
//
// So there is one such row, and also one for each prefix of the piece. encode_piece() finds it from
// the left: it takes the longest token that keeps the joint stable, and where none does, it goes
// back; a place that it had to leave is never tried again, for the tokens before it are the only
// ones that lead there. Linear in the piece. (This is the idea of GitHub's rust-gems/bpe.)
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.h"
#include "tokenizer/token_trie.h"
#include "tokenizer/vocabulary.h"

namespace glassgpt::tokenizer {

// Safe to share between threads: all that changes is a memo of answers, in atomic words.
class BpeEncoder {
 public:
  // The vocabulary must outlive the encoder, without moving.
  BpeEncoder(const Vocabulary& vocabulary, const std::array<TokenId, 256>& byte_ids,
             const std::vector<Merge>& merges);
  BpeEncoder(const BpeEncoder&) = delete;
  BpeEncoder& operator=(const BpeEncoder&) = delete;

  // Appends the tokens of the piece, all of whose bytes must have a token. `work`, if given, grows
  // by the number of tokens tried: what the tests of "never quadratic" count.
  void encode_piece(std::string_view piece, std::vector<TokenId>& out,
                    std::uint64_t* work = nullptr) const;

  bool is_stable_joint(TokenId left, TokenId right) const;

  // Whether merging the token's bytes gives this token.
  bool is_reachable(TokenId id) const noexcept { return origins_[id].reachable; }

  const MergeTable& merges() const noexcept { return merges_; }

 private:
  // How a token comes about when its own bytes are merged.
  struct Origin {
    TokenId left = kNoToken, right = kNoToken;  // the last merge
    std::uint32_t created = 0;                  // its rank + 1; 0 for a byte
    TokenId prefix = kNoToken;  // the longest reachable token that this one begins with
    bool reachable = false;
    bool in_order = true;  // no merge on the way has a lower rank than one that it needs
  };

  void find_origins(const std::vector<Merge>& merges);
  void find_origin(TokenId id, const Merge* begin, const Merge* end);
  void build_trie();
  bool merges_across_before(TokenId left, TokenId right) const noexcept;
  bool compute_stable_joint(TokenId left, TokenId right) const;
  std::uint32_t length(TokenId id) const noexcept {
    return static_cast<std::uint32_t>(vocabulary_.bytes(id).size());
  }

  const Vocabulary& vocabulary_;
  const std::array<TokenId, 256>& byte_ids_;
  MergeTable merges_;
  std::vector<Origin> origins_;  // by id
  TokenTrie trie_;
  // Answers of is_stable_joint(), in the place that their hash names: (pair + 1) << 1 | answer, or
  // 0.
  mutable std::vector<std::atomic<std::uint64_t>> memo_;
};

}  // namespace glassgpt::tokenizer
