// From bytes to words, sentences and a vocabulary.
#include "word2vec/corpus.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "../io/temporary_directory.h"
#include "word2vec/line_words.h"
#include "word2vec/word_table.h"

namespace glassgpt::testing {
namespace {

using word2vec::Corpus;
using word2vec::CorpusOptions;
using word2vec::LineWords;

std::vector<std::string> words_of(const std::string& line, WordSplit split = WordSplit::kText,
                                  bool lower_case = true) {
  LineWords splitter(split, lower_case);
  std::vector<std::string> words;
  splitter.for_each_word(line, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

using Words = std::vector<std::string>;

TEST(Word2VecWords, EnglishWithoutPunctuationInLowerCase) {
  EXPECT_EQ(
      words_of("The river's bank (muddy!) -- 3.5 km, 1,000 e.g. U.S.A. x_1 __"),
      (Words{"the", "river's", "bank", "muddy", "3.5", "km", "1,000", "e.g", "u.s.a", "x_1"}));
  EXPECT_EQ(words_of("Don't stop", WordSplit::kText, false), (Words{"Don't", "stop"}));
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_EQ(words_of(" ... !"), Words{});
}

TEST(Word2VecWords, ChineseByDictionary) {
  EXPECT_EQ(words_of("我们在北京学习。"), (Words{"我们", "在", "北京", "学习"}));
  EXPECT_EQ(words_of("苹果公司,Apple很高兴"), (Words{"苹果", "公司", "apple", "很", "高兴"}));
}

TEST(Word2VecWords, OtherScriptsInLowerCase) {
  EXPECT_EQ(words_of("ÉCOLE Straße Москва"), (Words{"école", "straße", "москва"}));
  EXPECT_EQ(words_of("ÉCOLE", WordSplit::kText, false), (Words{"ÉCOLE"}));
}

TEST(Word2VecWords, BetweenWhiteSpaceAsTheyStand) {
  EXPECT_EQ(
      words_of(" The\tcat,\r \v\f我们。 __ x" + std::string(1, '\0') + "y", WordSplit::kSpace),
      (Words{"The", "cat,", "我们。", "__", "x", "y"}));
}

// The short way for ASCII must find what ICU finds: a character beyond ASCII at the end, behind a
// blank, sends the same line the long way.
TEST(Word2VecWords, AsciiHasTheBoundariesOfIcu) {
  std::mt19937 random(1);
  const std::string characters = "abYZ019__..''',,;:- \"()@/\\\t\x01";
  for (int i = 0; i < 20000; ++i) {
    std::string line;
    for (int length = static_cast<int>(random() % 24); length > 0; --length) {
      line +=
          i % 4 == 0 ? static_cast<char>(random() % 128) : characters[random() % characters.size()];
    }
    if (line.find('\n') != std::string::npos) continue;
    Words by_icu = words_of(line + " é");
    by_icu.pop_back();
    ASSERT_EQ(words_of(line), by_icu) << ::testing::PrintToString(line);
  }
}

TEST(Word2VecUtf8, FindsTheFirstByteThatIsNot) {
  using word2vec::find_invalid_utf8;
  EXPECT_EQ(find_invalid_utf8(""), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("all good, 北京 🙂 and é"), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("0123456789\xff"), 10u);
  EXPECT_EQ(find_invalid_utf8("0123456\xe5\x8c"), 7u);
  EXPECT_EQ(find_invalid_utf8("\xc0\x80"), 0u);
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u);
}

TEST(Word2VecWordTable, NumbersAndCountsManyWords) {
  word2vec::WordTable table;
  std::map<std::string, std::pair<std::uint32_t, std::uint64_t>> expected;
  std::mt19937 random(3);
  for (int i = 0; i < 300000; ++i) {
    std::string word = std::to_string(random() % 70000);
    if (random() % 3 == 0) word += std::string(1, '\0') + "x";
    const auto [entry, is_new] = expected.try_emplace(word, expected.size(), 0);
    ASSERT_EQ(table.count(word), entry->second.first);
    ++entry->second.second;
  }
  ASSERT_EQ(table.size(), expected.size());
  for (const auto& [word, entry] : expected) {
    EXPECT_EQ(table.word(entry.first), word);
    EXPECT_EQ(table.occurrences(entry.first), entry.second);
  }
}

class Word2VecCorpus : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
    return directory_ / name;
  }
  Corpus read(const std::vector<std::filesystem::path>& files, std::size_t min_count = 1,
              int threads = 1) const {
    CorpusOptions options;
    options.split = WordSplit::kSpace;
    options.min_count = min_count;
    options.threads = threads;
    return read_corpus(files, options);
  }
  // The sentences as text again.
  static std::vector<std::string> sentences(const Corpus& corpus) {
    std::vector<std::string> lines;
    std::uint64_t at = 0;
    for (const std::uint64_t end : corpus.sentence_ends) {
      std::string line;
      for (; at < end; ++at) line += (line.empty() ? "" : " ") + corpus.words[corpus.tokens[at]];
      lines.push_back(line);
    }
    return lines;
  }
  TemporaryDirectory directory_;
};

TEST_F(Word2VecCorpus, SortsByCountThenByBytesAndLeavesRareWordsOut) {
  const Corpus corpus =
      read({write("a", "b a c a rare\nc\n\nonce b a\n"), write("b", "z b\nz c d d")}, 2);
  EXPECT_EQ(corpus.words, (Words{"a", "b", "c", "d", "z"}));
  EXPECT_EQ(corpus.counts, (std::vector<std::uint64_t>{3, 3, 3, 2, 2}));
  EXPECT_EQ(corpus.rare, 2u);
  EXPECT_EQ(sentences(corpus), (Words{"b a c a", "c", "b a", "z b", "z c d d"}));
}

TEST_F(Word2VecCorpus, CutsLongLines) {
  std::string text;
  for (std::size_t i = 0; i < 2 * word2vec::kSentenceWords + 1; ++i) text += "x y ";
  const Corpus corpus = read({write("long", text)});
  EXPECT_EQ(corpus.sentence_ends, (std::vector<std::uint64_t>{1000, 2000, 3000, 4000, 4002}));
}

TEST_F(Word2VecCorpus, IsTheSameForAnyNumberOfThreadsAndHoldsWhatTheFileHolds) {
  // Several chunks, with a line longer than one.
  std::mt19937 random(5);
  std::string text;
  std::map<std::string, std::uint64_t> counts;
  std::vector<std::string> lines;
  for (int line = 0; line < 60000; ++line) {
    std::string words;
    for (std::size_t i = 0; i < (line == 777 ? 300000 : 1 + random() % 9); ++i) {
      const std::string word = "w" + std::to_string(random() % (1 + random() % 50000));
      ++counts[word];
      words += (words.empty() ? "" : " ") + word;
    }
    text += words + "\n";
    if (line != 777) lines.push_back(words);
  }
  ASSERT_GT(text.size(), std::size_t{3} << 20);
  const auto file = write("many", text);
  const Corpus once = read({file, file});
  EXPECT_EQ(once.words.size(), counts.size());
  for (std::size_t i = 0; i < once.words.size(); ++i) {
    ASSERT_EQ(once.counts[i], 2 * counts[once.words[i]]) << once.words[i];
    if (i == 0) continue;
    ASSERT_TRUE(once.counts[i - 1] > once.counts[i] ||
                (once.counts[i - 1] == once.counts[i] && once.words[i - 1] < once.words[i]));
  }
  const std::vector<std::string> all = sentences(once);
  EXPECT_TRUE(std::equal(lines.begin(), lines.begin() + 777, all.begin()));
  EXPECT_EQ(all.back(), lines.back());
  for (const int threads : {2, 3, 7}) {
    const Corpus again = read({file, file}, 1, threads);
    EXPECT_EQ(again.words, once.words);
    EXPECT_EQ(again.counts, once.counts);
    EXPECT_EQ(again.tokens, once.tokens);
    EXPECT_EQ(again.sentence_ends, once.sentence_ends);
  }
}

TEST_F(Word2VecCorpus, RefusesWhatIsNotText) {
  const auto good = write("good", "fine\n");
  const auto junk = write("junk", std::string("ok\n\x7f"
                                              "ELF\x02\x01") +
                                      "\xff\xfe\x00\x80");
  expect_error(
      [&] {
        read({good, junk}, 1, 2);
      },
      ErrorCode::kMalformed, "not UTF-8 text at byte 9", junk.string());
  expect_error([&] { read({directory_ / "none"}); }, ErrorCode::kNotFound, "none");
  EXPECT_TRUE(read({write("empty", "")}).words.empty());
  EXPECT_TRUE(read({write("blank", "\n\n \n")}).words.empty());
}

}  // namespace
}  // namespace glassgpt::testing
