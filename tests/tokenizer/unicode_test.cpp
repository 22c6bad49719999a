#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "tokenizer/byte_alphabet.h"

namespace glassgpt::tokenizer {
namespace {

// The totals of DerivedGeneralCategory.txt and PropList.txt, version 16.0.0.
TEST(Unicode, ClassesHaveTheSizesOfUnicode16) {
  std::array<std::size_t, 7> sizes{};
  for (char32_t point = 0; point < 0x110000; ++point) {
    ++sizes.at(static_cast<std::size_t>(char_class(point)));
  }
  const std::size_t letters = sizes[4] + sizes[5] + sizes[6];
  EXPECT_EQ(letters, 141028u);
  EXPECT_EQ(sizes[static_cast<std::size_t>(CharClass::kMark)], 2501u);
  EXPECT_EQ(sizes[static_cast<std::size_t>(CharClass::kNumber)], 1911u);
  EXPECT_EQ(sizes[static_cast<std::size_t>(CharClass::kSpace)], 25u);
}

TEST(Unicode, SpacesAreWhiteSpaceAndNothingElse) {
  for (const char32_t space :
       {0x09, 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x202F, 0x205F, 0x3000}) {
    EXPECT_EQ(char_class(space), CharClass::kSpace) << std::hex << +space;
  }
  for (const char32_t other : {0x1C, 0x1F, 0x180E, 0x200B, 0xFEFF}) {
    EXPECT_NE(char_class(other), CharClass::kSpace) << std::hex << +other;
  }
}

TEST(Unicode, LettersThatCameWith16AreLetters) {
  EXPECT_EQ(char_class(0x1C89), CharClass::kUpper);         // Cyrillic capital tje, new in 16.0
  EXPECT_EQ(char_class(0x10D4A), CharClass::kOtherLetter);  // Garay vowel sign, new in 16.0
  EXPECT_EQ(char_class(0x88F), CharClass::kOther);          // assigned in 17.0
}

std::string utf8(char32_t point) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xC0 | point >> 6), tail(0)};
  if (point < 0x10000) return {static_cast<char>(0xE0 | point >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
}

TEST(Unicode, EveryCodePointIsReadAndEverySurrogateIsInvalid) {
  for (char32_t point = 0; point < 0x110000; ++point) {
    const std::string text = utf8(point);
    const Character character = character_at(text.data(), text.data() + text.size());
    if (point >= 0xD800 && point < 0xE000) {
      ASSERT_EQ(character.value, kInvalidByte);
      ASSERT_EQ(character.length, 1u);
    } else {
      ASSERT_EQ(character.value, point);
      ASSERT_EQ(character.length, text.size());
    }
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      ASSERT_EQ(character_at(text.data(), text.data() + cut).value, kInvalidByte);
    }
  }
}

TEST(Unicode, OverlongAndTooLargeFormsAreInvalid) {
  for (const std::string text :
       {"\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xE0\x9F\xBF", "\xF0\x80\x80\xAF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xFF", "\xC3\x28",
        "\xE4\xB8\x28", "\xF0\x9F\x98\x28"}) {
    EXPECT_EQ(character_at(text.data(), text.data() + text.size()).value, kInvalidByte);
  }
  EXPECT_EQ(count_characters("a\xE4\xB8\xAD!\xFF\xE4\xB8"), 6u);
}

TEST(ByteAlphabet, IsGpt2sOrderAndGoesBothWays) {
  EXPECT_EQ(alphabet()[0], '!');
  EXPECT_EQ(alphabet()[93], '~');
  EXPECT_EQ(alphabet()[94], 0xA1);
  EXPECT_EQ(alphabet()[187], 0xFF);
  EXPECT_EQ(alphabet()[188], 0x00);
  EXPECT_EQ(alphabet()[220], ' ');
  EXPECT_EQ(alphabet()[255], 0xAD);
  EXPECT_EQ(to_stand_ins(" a\n"),
            "\xC4\xA0"
            "a"
            "\xC4\x8A");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(from_stand_ins(to_stand_ins(all)), all);
  EXPECT_EQ(from_stand_ins("a b"), std::nullopt);
  EXPECT_EQ(from_stand_ins("\xE4\xB8\xAD"), std::nullopt);
  EXPECT_EQ(from_stand_ins("\xFF"), std::nullopt);
}

}  // namespace
}  // namespace glassgpt::tokenizer
