// Whole texts, by all the shortcuts of the fast way (blocks, caches, cuts), against the textbook.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "glassgpt/tokenizer.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/parts.h"

namespace glassgpt {
namespace {

using testing::read_text;
using testing::shared_data;
using tokenizer::Definition;

// Splits by the scanners of single pieces; a piece that is a token as a whole is that token, if the
// vocabulary says so; else merges step by step.
std::vector<TokenId> encode_by_the_book(const Tokenizer& tokenizer, std::string_view text,
                                        bool whole_piece_first) {
  std::vector<TokenId> ids;
  for (const std::string_view piece : tokenizer.split(text)) {
    if (const auto whole = tokenizer.id_of(piece); whole && whole_piece_first) {
      ids.push_back(*whole);
      continue;
    }
    std::vector<TokenId> tokens;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      tokens.push_back(*tokenizer.id_of(piece.substr(i, 1)));
    }
    for (const MergeStep& step : tokenizer.merge_steps(piece)) {
      const auto at = tokens.begin() + static_cast<std::ptrdiff_t>(step.position);
      *at = step.merged;
      tokens.erase(at + 1);
    }
    ids.insert(ids.end(), tokens.begin(), tokens.end());
  }
  return ids;
}

// Pieces of real texts in any order, and random characters of the scripts without blanks between
// them: the joints that real text does not have.
std::string random_text(std::mt19937& random, const std::string& source) {
  std::string text;
  for (int part = 0; part < 12; ++part) {
    switch (random() % 4) {
      case 0:
        for (auto count = random() % 12; count > 0; --count) {
          const auto character = 0x3040 + random() % 0x6000;
          text.push_back(static_cast<char>(0xE0 | character >> 12));
          text.push_back(static_cast<char>(0x80 | (character >> 6 & 63)));
          text.push_back(static_cast<char>(0x80 | (character & 63)));
        }
        break;
      case 1:
        for (auto count = random() % 6; count > 0; --count) {
          text.push_back(static_cast<char>(random()));
        }
        break;
      default:
        text += source.substr(random() % source.size(), random() % 40);
    }
  }
  return text;
}

std::string source_text() {
  std::string source;
  for (const char* language :
       {"eng", "cmn_hans", "cmn_hant", "jpn", "kor", "tha", "rus", "arb", "hin"}) {
    source += read_text(shared_data() / "udhr" / (std::string(language) + ".txt"));
  }
  return source + read_text(shared_data() / "blns.txt");
}

TEST(WholeText, FastEqualsTheBookOnRealVocabularies) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::string source = source_text();
  ASSERT_GT(source.size(), 100000u);
  const std::pair<const char*, SplitPattern> vocabularies[] = {
      {"r50k_base.tiktoken", SplitPattern::kGpt2},
      {"cl100k_base.tiktoken", SplitPattern::kCl100k},
      {"o200k_base.tiktoken", SplitPattern::kO200k}};
  for (const auto& [file, pattern] : vocabularies) {
    const Tokenizer tokenizer = Tokenizer::load(shared_data() / file, pattern);
    std::mt19937 random(3);
    for (int i = 0; i < 1500; ++i) {
      const std::string text = random_text(random, source);
      ASSERT_EQ(tokenizer.encode(text), encode_by_the_book(tokenizer, text, true))
          << file << " " << i << ": " << ::testing::PrintToString(text);
    }
  }
}

// A vocabulary of parts of Chinese text in any order: tokens that reach across characters anywhere,
// and tokens that no merge leads to.
Definition random_definition(std::mt19937& random, bool whole_piece_first) {
  Definition definition;
  definition.whole_piece_first = whole_piece_first;
  for (unsigned byte = 0; byte < 256; ++byte) {
    definition.tokens.push_back({byte, std::string(1, static_cast<char>(byte))});
  }
  const auto known = [&](const std::string& bytes) {
    return std::any_of(definition.tokens.begin(), definition.tokens.end(),
                       [&](const tokenizer::Token& token) { return token.bytes == bytes; });
  };
  const std::string alphabet = "\xE4\xB8\xE4\xB8\x80\xE4\xB8\x81\xE4\xB9\x80\xE5\xB8\x80";
  while (definition.tokens.size() < 256 + 60) {
    const auto id = static_cast<TokenId>(definition.tokens.size());
    std::string bytes;
    if (random() % 8 == 0) {  // a token that may be no merge's result
      bytes = alphabet.substr(random() % 8, 2 + random() % 5);
      if (known(bytes)) continue;
    } else {
      const auto pick = [&] {
        return id > 256 && random() % 2 == 0
                   ? 256 + static_cast<TokenId>(random() % (id - 256))
                   : TokenId{static_cast<unsigned char>(alphabet[random() % alphabet.size()])};
      };
      const TokenId left = pick(), right = pick();
      bytes = definition.tokens[left].bytes + definition.tokens[right].bytes;
      if (known(bytes)) continue;
      definition.merges.push_back(
          {left, right, id, static_cast<std::uint32_t>(definition.merges.size())});
    }
    definition.tokens.push_back({id, bytes});
  }
  return definition;
}

TEST(WholeText, FastEqualsTheBookWhereTokensReachAcrossCharacters) {
  std::mt19937 random(4);
  const char* const characters[] = {
      "\xE4\xB8\x80", "\xE4\xB8\x81", "\xE4\xB9\x80", "\xE5\xB8\x80", " ", "\xE4\xB8", "a"};
  for (int table = 0; table < 60; ++table) {
    const bool whole_piece_first = table % 2 == 0;
    const Tokenizer tokenizer(
        tokenizer::build_parts(random_definition(random, whole_piece_first), "test"));
    for (int i = 0; i < 200; ++i) {
      std::string text;
      for (auto count = 1 + random() % 24; count > 0; --count) {
        text += characters[random() % (random() % 4 == 0 ? 7 : 4)];
      }
      ASSERT_EQ(tokenizer.encode(text), encode_by_the_book(tokenizer, text, whole_piece_first))
          << ::testing::PrintToString(text);
    }
  }
}

}  // namespace
}  // namespace glassgpt
