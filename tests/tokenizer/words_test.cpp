// Words: Unicode's own examples, and byte offsets in every kind of script.
#include "glassgpt/words.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace glassgpt::testing {
namespace {

using Strings = std::vector<std::string>;

Strings words_of(const std::string& text) {
  Strings words;
  for (const WordSpan& span : split_words(text)) {
    words.push_back(text.substr(span.begin, span.end - span.begin));
  }
  return words;
}

TEST(Words, AreThoseOfUax29sOwnExample) {
  // Figure 1 of the annex.
  EXPECT_EQ(words_of("The quick (“brown”) fox can’t jump 32.3 feet, right?"),
            (Strings{"The", "quick", "brown", "fox", "can’t", "jump", "32.3", "feet", "right"}));
}

TEST(Words, OfChineseAndJapaneseAndThaiComeFromDictionaries) {
  EXPECT_EQ(words_of("银行在河岸上。"), (Strings{"银行", "在", "河岸", "上"}));
  EXPECT_EQ(words_of("我们学习机器学习"), (Strings{"我们", "学习", "机器", "学习"}));
  EXPECT_EQ(words_of("東京都に住む"), (Strings{"東京", "都", "に", "住む"}));
  EXPECT_EQ(words_of("ภาษาไทย"), (Strings{"ภาษา", "ไทย"}));
}

TEST(Words, KeepWhatBelongsTogetherInOtherScripts) {
  EXPECT_EQ(words_of("Привет, мир!"), (Strings{"Привет", "мир"}));
  EXPECT_EQ(words_of("नमस्ते दुनिया।"), (Strings{"नमस्ते", "दुनिया"}));
  EXPECT_EQ(words_of("السلام عليكم"), (Strings{"السلام", "عليكم"}));
  EXPECT_EQ(words_of("안녕하세요 세계"), (Strings{"안녕하세요", "세계"}));
  EXPECT_EQ(words_of("nai\u0308ve cafe\u0301"), (Strings{"nai\u0308ve", "cafe\u0301"}));
  EXPECT_EQ(words_of("snake_case x86-64 3,000"), (Strings{"snake_case", "x86", "64", "3,000"}));
  EXPECT_EQ(words_of("𝒜𝒷 👍🏽 ok"), (Strings{"𝒜𝒷", "ok"}));
}

TEST(Words, OffsetsAreBytesOfTheText) {
  EXPECT_EQ(split_words("猫 sat"), (std::vector<WordSpan>{{0, 3}, {4, 7}}));
  EXPECT_EQ(split_words("😀 a"), (std::vector<WordSpan>{{5, 6}}));
}

TEST(Words, BytesThatAreNotUtf8AreInNoWord) {
  EXPECT_EQ(split_words(std::string("ab\xff"
                                    "cd")),
            (std::vector<WordSpan>{{0, 2}, {3, 5}}));
  EXPECT_EQ(split_words(std::string("\xe7\x8c x")), (std::vector<WordSpan>{{3, 4}}));
  EXPECT_EQ(split_words(std::string("a\0b", 3)), (std::vector<WordSpan>{{0, 1}, {2, 3}}));
  EXPECT_TRUE(split_words("").empty());
  EXPECT_TRUE(split_words(" ,.\n").empty());
  EXPECT_TRUE(split_words("_ __").empty());  // no letter, no digit
}

TEST(FoldCase, MakesUpperAndLowerCaseOne) {
  EXPECT_EQ(fold_case("The CAT"), "the cat");
  EXPECT_EQ(fold_case("Straße"), fold_case("STRASSE"));
  EXPECT_EQ(fold_case("ΣΊΣΥΦΟΣ"), fold_case("σίσυφος"));
  EXPECT_EQ(fold_case("猫 МИР"), "猫 мир");
  EXPECT_EQ(fold_case(""), "");
  // Longer than the text: ΐ becomes three code points.
  std::string many, wanted;
  for (int i = 0; i < 100; ++i) many += "ΐ", wanted += "ι\u0308\u0301";
  EXPECT_EQ(fold_case(many), wanted);
}

TEST(Words, AreTheSameInEveryThread) {
  Strings here = words_of("银行在河岸上"), there;
  std::thread([&] { there = words_of("银行在河岸上"); }).join();
  EXPECT_EQ(here, there);
}

}  // namespace
}  // namespace glassgpt::testing
