// The fast encoder against the textbook, on real vocabularies and on tables of merges that no
// trainer would make.
#include "tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "glassgpt/tokenizer.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/bpe_reference.h"
#include "tokenizer/files.h"
#include "tokenizer/heap_merge.h"
#include "tokenizer/parts.h"

namespace glassgpt::tokenizer {
namespace {

using ::glassgpt::testing::shared_data;

// Merges over the bytes 'a' to 'a' + letters - 1, each of two random tokens that exist already,
// with ranks in random order.
Definition random_definition(std::mt19937& random, int letters, int merges, bool shuffled) {
  Definition definition;
  for (TokenId byte = 0; byte < 256; ++byte) {
    definition.tokens.push_back({byte, std::string(1, static_cast<char>(byte))});
  }
  std::map<std::string, TokenId> ids;
  std::vector<std::string> known;
  for (int i = 0; i < letters; ++i) {
    known.emplace_back(1, static_cast<char>('a' + i));
    ids[known.back()] = static_cast<TokenId>('a' + i);
  }
  for (int i = 0; i < merges; ++i) {
    const std::string left = known[random() % known.size()];
    const std::string right = known[random() % known.size()];
    const std::string merged = left + right;
    if (merged.size() > 12) continue;
    const auto [place, added] = ids.emplace(merged, static_cast<TokenId>(definition.tokens.size()));
    if (added) {
      definition.tokens.push_back({place->second, merged});
      known.push_back(merged);
    }
    definition.merges.push_back({ids[left], ids[right], place->second, 0});
  }
  if (shuffled) std::shuffle(definition.merges.begin(), definition.merges.end(), random);
  for (std::size_t i = 0; i < definition.merges.size(); ++i) {
    definition.merges[i].rank = static_cast<std::uint32_t>(i);
  }
  return definition;
}

std::vector<TokenId> by_the_book(const Tokenizer::Parts& parts, std::string_view piece) {
  std::vector<TokenId> bytes;
  for (const char byte : piece) bytes.push_back(parts.byte_ids[static_cast<unsigned char>(byte)]);
  return merge_by_the_book(bytes, parts.encoder.merges());
}

std::vector<TokenId> fast(const Tokenizer::Parts& parts, std::string_view piece) {
  std::vector<TokenId> tokens;
  parts.encoder.encode_piece(piece, tokens);
  return tokens;
}

std::string random_letters(std::mt19937& random, int letters, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    text.push_back(static_cast<char>('a' + random() % static_cast<unsigned>(letters)));
  }
  return text;
}

void expect_equal_on_random_tables(bool shuffled) {
  std::mt19937 random(shuffled ? 1 : 2);
  int with_merges = 0;
  for (int table = 0; table < 400; ++table) {
    const int letters = 1 + table % 4;
    const auto parts =
        build_parts(random_definition(random, letters, 4 + table % 60, shuffled), "");
    for (int i = 0; i < 25; ++i) {
      const std::string piece = random_letters(random, letters, 1 + random() % 40);
      const auto expected = by_the_book(*parts, piece);
      ASSERT_EQ(fast(*parts, piece), expected) << piece << " in table " << table;
      ASSERT_EQ(merge_with_heap(piece, parts->byte_ids, parts->encoder.merges()), expected);
      with_merges += expected.size() < piece.size() ? 1 : 0;
    }
  }
  EXPECT_GT(with_merges, 5000);
}

TEST(Bpe, FastEqualsTheBookOnGrownTables) { expect_equal_on_random_tables(false); }

TEST(Bpe, FastEqualsTheBookOnTablesInAnyOrder) { expect_equal_on_random_tables(true); }

TEST(Bpe, FastEqualsTheBookOnGpt2) {
  SKIP_WITHOUT_SHARED_DATA();
  std::mt19937 random(3);
  for (const char* file : {"", "r50k_base.tiktoken"}) {
    const auto parts =
        build_parts(read_definition(shared_data() / file, SplitPattern::kGpt2), "vocabulary");
    for (int i = 0; i < 3000; ++i) {
      // Rows of tokens, cut anywhere, lead to the deepest merges.
      std::string piece = random_letters(random, 26, random() % 4);
      while (piece.size() < 1 + random() % 60) {
        const auto id = static_cast<TokenId>(random() % 50256);
        if (parts->vocabulary.contains(id)) piece += parts->vocabulary.bytes(id);
      }
      piece.resize(piece.size() - random() % 2 * (piece.size() / 2));
      ASSERT_EQ(fast(*parts, piece), by_the_book(*parts, piece)) << piece;
    }
  }
}

TEST(Bpe, EveryGpt2TokenIsReachable) {
  SKIP_WITHOUT_SHARED_DATA();
  const auto parts = build_parts(read_definition(shared_data(), SplitPattern::kGpt2), "");
  for (TokenId id = 0; id < 50256; ++id) ASSERT_TRUE(parts->encoder.is_reachable(id)) << id;
}

// Counts the work instead of the time: per byte, a long piece must not cost more than a short one.
TEST(Bpe, NoPieceIsQuadratic) {
  SKIP_WITHOUT_SHARED_DATA();
  std::mt19937 random(4);
  const auto parts = build_parts(read_definition(shared_data(), SplitPattern::kGpt2), "");
  const std::string chinese = "\xE4\xB8\xAD";
  std::string repeated_chinese;
  while (repeated_chinese.size() < (1u << 20)) repeated_chinese += chinese;
  for (const std::string& long_piece :
       {std::string(1u << 20, 'a'), std::string(1u << 20, ' '), std::string(1u << 20, '-'),
        std::string(1u << 20, '\xFF'), repeated_chinese, random_letters(random, 26, 1u << 20),
        random_letters(random, 2, 1u << 20)}) {
    std::uint64_t work = 0;
    std::vector<TokenId> tokens;
    parts->encoder.encode_piece(long_piece, tokens, &work);
    EXPECT_LT(work, 4 * long_piece.size()) << long_piece.substr(0, 20);
  }
}

// The worst table that comes to mind: a merge chain whose outcome turns on the far end of the run.
TEST(Bpe, GoingBackIsNotQuadratic) {
  Definition definition;
  for (TokenId byte = 0; byte < 256; ++byte) {
    definition.tokens.push_back({byte, std::string(1, static_cast<char>(byte))});
  }
  // ab is rarer than bb, and bc rarer still: which letters pair up depends on the end of the run.
  const auto add = [&](TokenId left, TokenId right) {
    const auto id = static_cast<TokenId>(definition.tokens.size());
    definition.tokens.push_back(
        {id, definition.tokens[left].bytes + definition.tokens[right].bytes});
    definition.merges.push_back({left, right, id, static_cast<std::uint32_t>(id - 256)});
    return id;
  };
  add('b', 'c');
  const TokenId bb = add('b', 'b');
  add('a', 'b');
  add(bb, bb);
  const auto parts = build_parts(std::move(definition), "");
  for (const char last : {'b', 'c'}) {
    const std::string small = "a" + std::string(60, 'b') + last;
    EXPECT_EQ(fast(*parts, small), by_the_book(*parts, small));
    const std::string piece = "a" + std::string(1u << 20, 'b') + last;
    std::uint64_t work = 0;
    std::vector<TokenId> tokens;
    parts->encoder.encode_piece(piece, tokens, &work);
    EXPECT_LT(work, 8 * piece.size());
  }
}

}  // namespace
}  // namespace glassgpt::tokenizer
