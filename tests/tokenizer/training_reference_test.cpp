// The fast trainer against a slow one that does every step of Hugging Face's BpeTrainer in its own
// words, and what the result must not depend on.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>
#include <set>

#include "glassgpt/error.h"
#include "glassgpt/tokenizer.h"
#include "tests/io/temporary_directory.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/byte_alphabet.h"

namespace glassgpt::tokenizer {
namespace {

namespace fs = std::filesystem;
using Pair = std::pair<TokenId, TokenId>;

// Words as vectors, every word of an entry scanned from its beginning, the queue a list that is
// searched: slow and plain.
class PlainTrainer {
 public:
  PlainTrainer(const PieceCounts& pieces, const BpeTrainerOptions& options) : options_(options) {
    for (const std::string& special : options.special_tokens) name(special);
    std::set<unsigned char> used;
    for (const auto& entry : pieces.entries()) used.insert(entry.piece.begin(), entry.piece.end());
    std::map<unsigned char, TokenId> ids;
    for (const std::uint8_t byte : alphabet()) {
      const char c = static_cast<char>(byte);
      if (options.initial_alphabet || used.contains(byte)) ids[byte] = name(to_stand_ins({&c, 1}));
    }
    for (const auto& entry : pieces.entries()) {
      words_.emplace_back();
      for (const char byte : entry.piece)
        words_.back().push_back(ids[static_cast<unsigned char>(byte)]);
      frequencies_.push_back(static_cast<std::int64_t>(entry.count));
    }
  }

  // The merges, as names, with the last of those of the same pair.
  std::vector<std::pair<std::string, std::string>> run() {
    std::map<Pair, std::set<std::size_t>> places;
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::size_t i = 0; i + 1 < words_[w].size(); ++i) {
        counts_[{words_[w][i], words_[w][i + 1]}] += frequencies_[w];
        places[{words_[w][i], words_[w][i + 1]}].insert(w);
      }
    }
    std::vector<std::pair<Pair, std::set<std::size_t>>> queue(places.begin(), places.end());
    std::map<Pair, std::size_t> last;
    std::vector<Pair> merges;
    while (names_.size() < options_.vocab_size && !queue.empty()) {
      auto best = queue.begin();
      for (auto at = queue.begin(); at != queue.end(); ++at) {
        const auto count = counts_[at->first], best_count = counts_[best->first];
        if (count > best_count || (count == best_count && at->first < best->first)) best = at;
      }
      const auto [pair, words] = *best;
      queue.erase(best);
      if (counts_[pair] <
          static_cast<std::int64_t>(std::max<std::uint64_t>(1, options_.min_frequency)))
        break;
      const TokenId merged = name(names_[pair.first] + names_[pair.second]);
      last[pair] = merges.size();
      merges.push_back(pair);
      std::map<Pair, std::set<std::size_t>> fresh;
      for (const std::size_t w : words) merge_word(w, pair, merged, fresh);
      for (const auto& entry : fresh) {
        if (counts_[entry.first] > 0) queue.push_back(entry);
      }
    }
    std::vector<std::pair<std::string, std::string>> kept;
    for (std::size_t i = 0; i < merges.size(); ++i) {
      if (last[merges[i]] == i)
        kept.emplace_back(names_[merges[i].first], names_[merges[i].second]);
    }
    return kept;
  }

  const std::vector<std::string>& names() const { return names_; }

 private:
  TokenId name(const std::string& text) {
    const auto [place, added] = ids_.emplace(text, static_cast<TokenId>(names_.size()));
    if (added) names_.push_back(text);
    return place->second;
  }

  void merge_word(std::size_t w, Pair pair, TokenId merged,
                  std::map<Pair, std::set<std::size_t>>& fresh) {
    std::vector<TokenId>& word = words_[w];
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      if (Pair{word[i], word[i + 1]} != pair) continue;
      if (i > 0) {
        counts_[{word[i - 1], pair.first}] -= frequencies_[w];
        counts_[{word[i - 1], merged}] += frequencies_[w];
        fresh[{word[i - 1], merged}].insert(w);
      }
      word[i] = merged;
      word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (i + 1 < word.size()) {
        counts_[{pair.second, word[i + 1]}] -= frequencies_[w];
        counts_[{merged, word[i + 1]}] += frequencies_[w];
        fresh[{merged, word[i + 1]}].insert(w);
      }
    }
  }

  const BpeTrainerOptions& options_;
  std::map<std::string, TokenId> ids_;
  std::vector<std::string> names_;
  std::vector<std::vector<TokenId>> words_;
  std::vector<std::int64_t> frequencies_;
  std::map<Pair, std::int64_t> counts_;
};

void expect_equal(const PieceCounts& pieces, const BpeTrainerOptions& options) {
  PlainTrainer plain(pieces, options);
  const auto merges = plain.run();
  const Definition definition = learn_merges(pieces, options);
  std::vector<std::string> names(definition.tokens.size() + definition.added.size());
  for (const AddedToken& added : definition.added) names.at(added.id) = added.text;
  for (const Token& token : definition.tokens) names.at(token.id) = to_stand_ins(token.bytes);
  ASSERT_EQ(names, plain.names());
  ASSERT_EQ(definition.merges.size(), merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    ASSERT_EQ(names[definition.merges[i].left], merges[i].first) << i;
    ASSERT_EQ(names[definition.merges[i].right], merges[i].second) << i;
    ASSERT_EQ(definition.merges[i].rank, i);
  }
}

// Few letters and long runs make tokens that come about in two ways, pairs that come back, and
// overlaps.
TEST(TrainerReference, FastEqualsPlainOnRandomPieces) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const unsigned letters = 1 + random() % 4;
    PieceCounts pieces;
    for (auto count = 1 + random() % 30; count > 0; --count) {
      std::string piece;
      for (auto length = 1 + random() % 20; length > 0; --length) {
        piece.append(1 + random() % 3, static_cast<char>('a' + random() % letters));
      }
      pieces.add(piece, 1 + random() % 9);
    }
    SCOPED_TRACE(round);
    expect_equal(pieces, {256 + random() % 200, random() % 4, {}, random() % 2 == 0, {}});
  }
}

TEST(TrainerReference, SpecialTokensComeFirstAndMayBeMetByMerges) {
  PieceCounts pieces;
  pieces.add("abab", 9);
  pieces.add("abc", 4);
  expect_equal(pieces, {20, 2, {"<|endoftext|>", "ab", "<|endoftext|>"}, false, {}});
}

TEST(TrainerReference, CountsDoNotWrapAt32Bits) {
  PieceCounts pieces;
  pieces.add("ab", std::uint64_t{1} << 32);
  pieces.add("cd", 100);
  const Definition definition = learn_merges(pieces, {5, 0, {}, false, {}});
  ASSERT_EQ(definition.tokens.size(), 5u);
  EXPECT_EQ(definition.tokens[4].bytes, "ab");
}

std::string saved(const Tokenizer& tokenizer, const fs::path& directory) {
  tokenizer.save(directory / "tokenizer.json");
  return ::glassgpt::testing::read_text(directory / "tokenizer.json");
}

class TrainTokenizer : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.path() / name, std::ios::binary) << text;
    return directory_.path() / name;
  }

  ::glassgpt::testing::TemporaryDirectory directory_;
};

TEST_F(TrainTokenizer, IsTheSameForAnyNumberOfThreadsAndAnyCutIntoFiles) {
  std::mt19937 random(6);
  std::string halves[2];
  for (std::string& half : halves) {
    for (int line = 0; line < 60000; ++line) {
      for (int word = 0; word < 9; ++word) half += " w" + std::to_string(random() % 3000);
      half += '\n';
    }
  }
  const std::vector<fs::path> one = {write("one", halves[0] + halves[1])};
  const std::vector<fs::path> two = {write("a", halves[1]), write("b", halves[0])};
  TokenizerTrainingOptions options;
  options.vocab_size = 1000;
  options.threads = 1;
  const std::string expected = saved(train_tokenizer(one, options), directory_.path());
  for (const int threads : {2, 5}) {
    options.threads = threads;
    EXPECT_EQ(saved(train_tokenizer(one, options), directory_.path()), expected);
    EXPECT_EQ(saved(train_tokenizer(two, options), directory_.path()), expected);
  }
}

TEST_F(TrainTokenizer, FeedsLineByLine) {
  TokenizerTrainingOptions options;
  options.vocab_size = 400;
  options.min_frequency = 1;
  std::string text;
  for (int i = 0; i < 50; ++i) text += "a\n\n\nb  \n";
  const std::vector<fs::path> files = {write("text", text)};
  const Tokenizer tokenizer = train_tokenizer(files, options);
  EXPECT_EQ(tokenizer.id_of("\n\n"), std::nullopt);
  EXPECT_TRUE(tokenizer.id_of("  \n").has_value());
}

TEST_F(TrainTokenizer, ObeysItsOptionsAndReportsProgress) {
  const std::vector<fs::path> files = {write("text", "low lower lowest newer wider\nlow low\n")};
  TokenizerTrainingOptions options;
  options.vocab_size = 300;
  std::size_t last_bytes = 0, last_size = 0;
  options.progress = [&](const TokenizerTrainingProgress& progress) {
    EXPECT_EQ(progress.bytes_total, 37u);
    EXPECT_EQ(progress.vocab_target, 300u);
    last_bytes = progress.bytes_read;
    last_size = progress.vocab_size;
  };
  const Tokenizer tokenizer = train_tokenizer(files, options);
  EXPECT_EQ(last_bytes, 37u);
  EXPECT_EQ(last_size, tokenizer.vocab_size());
  EXPECT_EQ(tokenizer.special_id("<|endoftext|>"), 0u);
  EXPECT_EQ(tokenizer.id_of("!"), 1u);
  EXPECT_TRUE(tokenizer.id_of("low").has_value());
  EXPECT_EQ(tokenizer.id_of(" newer"), std::nullopt);  // seen once, and min_frequency is 2
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("\xE4\xB8\xAD low")), "\xE4\xB8\xAD low");
}

TEST_F(TrainTokenizer, RefusesWhatItCannotDo) {
  const std::vector<fs::path> files = {write("text", "ab ab")};
  const std::vector<fs::path> missing = {directory_.path() / "missing"};
  TokenizerTrainingOptions options;
  EXPECT_THROW(train_tokenizer({}, options), std::invalid_argument);
  try {
    train_tokenizer(missing, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_EQ(error.path(), missing[0].string());
  }
  options.vocab_size = 0;
  EXPECT_THROW(train_tokenizer(files, options), std::invalid_argument);
  options.vocab_size = 300;
  options.special_tokens = {""};
  EXPECT_THROW(train_tokenizer(files, options), std::invalid_argument);
}

TEST_F(TrainTokenizer, WithoutTheAlphabetAnUnknownByteIsAnError) {
  const std::vector<fs::path> files = {write("text", "ab ab\n")};
  TokenizerTrainingOptions options;
  options.initial_alphabet = false;
  const Tokenizer tokenizer = train_tokenizer(files, options);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("ab ba\n")), "ab ba\n");
  try {
    tokenizer.encode("abx");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfRange);
    EXPECT_NE(std::string(error.what()).find("byte 120 at offset 2"), std::string::npos);
  }
  EXPECT_THROW(tokenizer.merge_steps("x"), Error);
}

}  // namespace
}  // namespace glassgpt::tokenizer
