#include "tokenizer/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "glassgpt/error.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/merge_names.h"
#include "tokenizer/pair_table.h"
#include "tokenizer/symbol_row.h"

namespace glassgpt::tokenizer {
namespace {

// Names of tokens (in stand-ins, as vocabulary files write them) and their ids.
class TokenNames {
 public:
  // The id of the name, new or not.
  TokenId add(const std::string& name) {
    const auto [place, added] = ids_.emplace(name, static_cast<TokenId>(names_.size()));
    if (added) names_.push_back(&place->first);
    return place->second;
  }
  const std::string& operator[](TokenId id) const { return *names_[id]; }
  std::size_t size() const noexcept { return names_.size(); }

 private:
  std::unordered_map<std::string, TokenId> ids_;
  std::vector<const std::string*> names_;
};

class Learner {
 public:
  Learner(const PieceCounts& pieces, const BpeTrainerOptions& options) : options_(options) {
    const std::vector<PieceCounts::Entry> entries = pieces.entries();
    add_alphabet(entries);
    lay_out(entries);
  }

  Definition run() {
    count_pairs();
    while (names_.size() < options_.vocab_size && !queue_.empty()) {
      Waiting top = queue_.top();
      queue_.pop();
      const std::uint32_t pair = table_.index_of(top.key);
      const auto count = static_cast<std::uint64_t>(table_.states()[pair].count);
      if (top.count != count) {  // it has sunk since it was put in: back to its place
        top.count = count;
        queue_.push(top);
        continue;
      }
      if (count < std::max<std::uint64_t>(1, options_.min_frequency)) break;
      merge(pair, take_positions(pair, top.entry));
      if (options_.progress) options_.progress(names_.size());
    }
    return definition();
  }

 private:
  // A pair waits in the queue with the places that were known when it was put in. New places of a
  // pair that waits already become an entry of their own: that is rare, for a new token brings only
  // new pairs, unless its bytes were a token before.
  struct Entry {
    std::vector<Position> positions;
    std::uint32_t older;  // another waiting entry of the same pair, or PairState::kNothing
  };
  struct Waiting {
    std::uint64_t count, key;
    std::uint32_t entry;
    // The highest count first, then the smallest pair of ids.
    bool operator<(const Waiting& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };

  void add_alphabet(const std::vector<PieceCounts::Entry>& entries) {
    for (const std::string& special : options_.special_tokens) names_.add(special);
    specials_ = names_.size();
    std::array<bool, 256> used{};
    if (options_.initial_alphabet) {
      used.fill(true);
    } else {
      for (const PieceCounts::Entry& entry : entries) {
        for (const char byte : entry.piece) used[static_cast<unsigned char>(byte)] = true;
      }
    }
    for (const std::uint8_t byte : alphabet()) {
      if (!used[byte]) continue;
      const char c = static_cast<char>(byte);
      byte_ids_[byte] = names_.add(to_stand_ins({&c, 1}));
      row_.set_length(byte_ids_[byte], 1);
    }
  }

  void lay_out(const std::vector<PieceCounts::Entry>& entries) {
    std::uint64_t slots = 0;
    for (const PieceCounts::Entry& entry : entries) slots += entry.piece.size() + 1;
    if (slots >= PairState::kNothing) {
      throw Error(ErrorCode::kOutOfRange, "",
                  "the distinct pieces of the training text have " + std::to_string(slots) +
                      " bytes, more than 4294967294",
                  "train on a part of the text");
    }
    row_.reserve(slots);
    word_counts_.reserve(entries.size());
    for (const PieceCounts::Entry& entry : entries) {
      const auto word = static_cast<std::uint32_t>(word_counts_.size());
      word_counts_.push_back(static_cast<std::int64_t>(entry.count));
      for (const char byte : entry.piece) {
        row_.append(byte_ids_[static_cast<unsigned char>(byte)], word);
      }
      row_.append_gap();
    }
  }

  // Calls visit(position, index of the pair) for every pair in the row as laid out: one slot a
  // symbol.
  template <class Visit>
  void for_each_byte_pair(Visit visit) {
    for (Position at = 0; at + 1 < row_.size(); ++at) {
      const TokenId left = row_.symbol_at(at), right = row_.symbol_at(at + 1);
      if (left != SymbolRow::kGap && right != SymbolRow::kGap) {
        visit(at, table_.index_of(pair_key(left, right)));
      }
    }
  }

  void count_pairs() {
    std::vector<std::size_t> places;
    for_each_byte_pair([&](Position at, std::uint32_t pair) {
      places.resize(table_.states().size());
      ++places[pair];
      table_.states()[pair].count += word_counts_[row_.word_at(at)];
    });
    entries_.resize(places.size());
    for (std::size_t pair = 0; pair < places.size(); ++pair) {
      entries_[pair].positions.reserve(places[pair]);
    }
    for_each_byte_pair(
        [&](Position at, std::uint32_t pair) { entries_[pair].positions.push_back(at); });
    for (std::uint32_t pair = 0; pair < places.size(); ++pair) {
      entries_[pair].older = PairState::kNothing;
      PairState& state = table_.states()[pair];
      state.newest_entry = pair;
      queue_.push({static_cast<std::uint64_t>(state.count), state.key, pair});
    }
  }

  // Takes the entry from the pair's chain. A merge reaches every place of the pair within the
  // pieces of its entry: also places that other entries of the pair know.
  std::vector<Position> take_positions(std::uint32_t pair, std::uint32_t taken) {
    std::uint32_t* link = &table_.states()[pair].newest_entry;
    while (*link != taken) link = &entries_[*link].older;
    *link = entries_[taken].older;
    std::vector<Position> positions = std::move(entries_[taken].positions);
    if (table_.states()[pair].newest_entry == PairState::kNothing) return positions;

    std::vector<std::uint32_t> words;
    for (const Position at : positions) words.push_back(row_.word_at(at));
    for (std::uint32_t other = table_.states()[pair].newest_entry; other != PairState::kNothing;
         other = entries_[other].older) {
      for (const Position at : entries_[other].positions) {
        if (std::binary_search(words.begin(), words.end(), row_.word_at(at))) {
          positions.push_back(at);
        }
      }
    }
    std::sort(positions.begin(), positions.end());
    positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
    return positions;
  }

  void merge(std::uint32_t pair, const std::vector<Position>& positions) {
    const std::uint64_t key = table_.states()[pair].key;
    const auto left = static_cast<TokenId>(key >> 32), right = static_cast<TokenId>(key);
    const TokenId merged = names_.add(names_[left] + names_[right]);
    row_.set_length(merged, row_.length(left) + row_.length(right));
    merges_.push_back({left, right, merged, static_cast<std::uint32_t>(merges_.size())});
    // The merged pair's own count stays as it is: should its tokens meet again by another way, it
    // counts from there, as in Hugging Face's.
    for (const Position at : positions) {
      if (!row_.holds(at, left, right)) continue;
      const std::int64_t count = word_counts_[row_.word_at(at)];
      if (!row_.is_first(at)) {
        const Position before = row_.before(at);
        const TokenId neighbour = row_.symbol_at(before);
        table_.find_or_add(pair_key(neighbour, left)).count -= count;
        note(pair_key(neighbour, merged), before, count);
      }
      row_.join(at, merged);
      const TokenId neighbour = row_.symbol_at(row_.after(at));
      if (neighbour != SymbolRow::kGap) {
        table_.find_or_add(pair_key(right, neighbour)).count -= count;
        note(pair_key(merged, neighbour), at, count);
      }
    }
    queue_fresh();
  }

  // A pair has come up at a place.
  void note(std::uint64_t key, Position at, std::int64_t count) {
    const std::uint32_t pair = table_.index_of(key);
    PairState& state = table_.states()[pair];
    state.count += count;
    if (state.fresh == PairState::kNothing) {
      state.fresh = static_cast<std::uint32_t>(fresh_.size());
      fresh_.push_back({pair, {}});
    }
    fresh_[state.fresh].second.push_back(at);
  }

  void queue_fresh() {
    for (auto& [pair, positions] : fresh_) {
      PairState& state = table_.states()[pair];
      state.fresh = PairState::kNothing;
      if (state.count <= 0) continue;
      const auto entry = static_cast<std::uint32_t>(entries_.size());
      entries_.push_back({std::move(positions), state.newest_entry});
      state.newest_entry = entry;
      queue_.push({static_cast<std::uint64_t>(state.count), state.key, entry});
    }
    fresh_.clear();
  }

  // A pair that was merged twice counts with its last rank.
  std::vector<Merge> final_merges() {
    std::unordered_map<std::uint64_t, std::uint32_t> last;
    for (const Merge& merge : merges_) last[pair_key(merge.left, merge.right)] = merge.rank;
    std::vector<Merge> kept;
    for (const Merge& merge : merges_) {
      if (last[pair_key(merge.left, merge.right)] != merge.rank) continue;
      kept.push_back(merge);
      kept.back().rank = static_cast<std::uint32_t>(kept.size() - 1);
    }
    return kept;
  }

  Definition definition() {
    Definition definition;
    for (TokenId id = 0; id < names_.size(); ++id) {
      if (id < specials_) {
        definition.added.push_back({id, names_[id], true});
      } else {
        definition.tokens.push_back(token_of_name(id, names_[id]));
      }
    }
    definition.merges = final_merges();
    return definition;
  }

  const BpeTrainerOptions& options_;
  TokenNames names_;
  std::size_t specials_ = 0;
  std::array<TokenId, 256> byte_ids_{};
  SymbolRow row_;
  std::vector<std::int64_t> word_counts_;
  PairTable table_;
  std::vector<Entry> entries_;
  std::priority_queue<Waiting> queue_;
  std::vector<std::pair<std::uint32_t, std::vector<Position>>> fresh_;
  std::vector<Merge> merges_;
};

}  // namespace

Definition learn_merges(const PieceCounts& pieces, const BpeTrainerOptions& options) {
  return Learner(pieces, options).run();
}

}  // namespace glassgpt::tokenizer
