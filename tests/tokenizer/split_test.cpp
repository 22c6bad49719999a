// The hand-written scanners against the split patterns, matched by plain backtracking.
#include "tokenizer/split.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "tokenizer/block_splitter.h"
#include "tokenizer/unicode.h"

namespace glassgpt::tokenizer {
namespace {

// A regular expression as the patterns need it: one element after the other, each a set of
// characters and how often.
struct Element {
  std::function<bool(char32_t, CharClass)> matches;
  std::size_t least, most;
};
using Sequence = std::vector<Element>;
// An alternative is a sequence, with or without a demand that no \S follows.
struct Alternative {
  Sequence sequence;
  bool not_before_non_space = false;
};
using Pattern = std::vector<Alternative>;

constexpr std::size_t kMany = 1000000;

struct Text {
  std::vector<Character> characters;
  std::vector<CharClass> classes;

  explicit Text(std::string_view bytes) {
    const char* const end = bytes.data() + bytes.size();
    for (const char* at = bytes.data(); at < end; at += characters.back().length) {
      characters.push_back(character_at(at, end));
      classes.push_back(class_of(characters.back()));
    }
  }
  std::size_t size() const { return characters.size(); }
};

constexpr std::size_t kNoMatch = static_cast<std::size_t>(-1);

// Greedy with backtracking, as Perl and Python define it. Returns the end of the match.
std::size_t match(const Text& text, std::size_t at, const Alternative& alternative,
                  std::size_t element = 0) {
  if (element == alternative.sequence.size()) {
    const bool before_non_space = at < text.size() && text.classes[at] != CharClass::kSpace;
    return alternative.not_before_non_space && before_non_space ? kNoMatch : at;
  }
  const Element& now = alternative.sequence[element];
  std::size_t count = 0;
  while (count < now.most && at + count < text.size() &&
         now.matches(text.characters[at + count].value, text.classes[at + count])) {
    ++count;
  }
  for (;; --count) {
    if (count < now.least) return kNoMatch;
    const std::size_t end = match(text, at + count, alternative, element + 1);
    if (end != kNoMatch) return end;
    if (count == 0) return kNoMatch;
  }
}

std::vector<std::size_t> split_by_pattern(const Pattern& pattern, std::string_view bytes) {
  const Text text(bytes);
  std::vector<std::size_t> ends;
  std::size_t byte = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = kNoMatch;
    for (const Alternative& alternative : pattern) {
      end = match(text, at, alternative);
      if (end != kNoMatch) break;
    }
    for (; at < end; ++at) byte += text.characters[at].length;
    ends.push_back(byte);
  }
  return ends;
}

bool letter(char32_t, CharClass c) { return is_letter(c); }
bool number(char32_t, CharClass c) { return c == CharClass::kNumber; }
bool space(char32_t, CharClass c) { return c == CharClass::kSpace; }
bool newline(char32_t v, CharClass) { return v == '\r' || v == '\n'; }
bool blank(char32_t v, CharClass) { return v == ' '; }
bool symbol(char32_t v, CharClass c) { return !space(v, c) && !letter(v, c) && !number(v, c); }
bool prefix(char32_t v, CharClass c) { return !newline(v, c) && !letter(v, c) && !number(v, c); }
bool upper_like(char32_t, CharClass c) {
  return c == CharClass::kUpper || c == CharClass::kOtherLetter || c == CharClass::kMark;
}
bool lower_like(char32_t, CharClass c) {
  return c == CharClass::kLower || c == CharClass::kOtherLetter || c == CharClass::kMark;
}

Element one(std::u32string set) {
  return {[set](char32_t v, CharClass) { return set.find(v) != set.npos; }, 1, 1};
}

std::vector<Sequence> contractions(bool fold) {
  const auto ends =
      fold ? std::vector<std::vector<std::u32string>>{{U"sS\u017F"},  {U"tT"}, {U"rR", U"eE"},
                                                      {U"vV", U"eE"}, {U"mM"}, {U"lL", U"lL"},
                                                      {U"dD"}}
           : std::vector<std::vector<std::u32string>>{
                 {U"s"}, {U"t"}, {U"r", U"e"}, {U"v", U"e"}, {U"m"}, {U"l", U"l"}, {U"d"}};
  std::vector<Sequence> all;
  for (const auto& letters : ends) {
    all.push_back({one(U"'")});
    for (const auto& set : letters) all.back().push_back(one(set));
  }
  return all;
}

Pattern gpt2_pattern() {
  Pattern pattern;
  for (const Sequence& contraction : contractions(false)) pattern.push_back({contraction});
  for (const auto& set : {letter, number, symbol}) {
    pattern.push_back({{{blank, 0, 1}, {set, 1, kMany}}});
  }
  pattern.push_back({{{space, 1, kMany}}, true});
  pattern.push_back({{{space, 1, kMany}}});
  return pattern;
}

void add_space_alternatives(Pattern& pattern) {
  pattern.push_back({{{space, 0, kMany}, {newline, 1, kMany}}});
  pattern.push_back({{{space, 1, kMany}}, true});
  pattern.push_back({{{space, 1, kMany}}});
}

Pattern cl100k_pattern() {
  Pattern pattern;
  for (const Sequence& contraction : contractions(true)) pattern.push_back({contraction});
  pattern.push_back({{{prefix, 0, 1}, {letter, 1, kMany}}});
  pattern.push_back({{{number, 1, 3}}});
  pattern.push_back({{{blank, 0, 1}, {symbol, 1, kMany}, {newline, 0, kMany}}});
  add_space_alternatives(pattern);
  return pattern;
}

Pattern o200k_pattern() {
  Pattern pattern;
  const Sequence words[] = {{{prefix, 0, 1}, {upper_like, 0, kMany}, {lower_like, 1, kMany}},
                            {{prefix, 0, 1}, {upper_like, 1, kMany}, {lower_like, 0, kMany}}};
  for (const Sequence& word : words) {
    // word(?:contraction)? is tried with each contraction before it is tried without one: where the
    // word ends does not depend on it, for a contraction's apostrophe is in none of the sets.
    for (const Sequence& contraction : contractions(true)) {
      pattern.push_back({word});
      auto& sequence = pattern.back().sequence;
      sequence.insert(sequence.end(), contraction.begin(), contraction.end());
    }
    pattern.push_back({word});
  }
  pattern.push_back({{{number, 1, 3}}});
  const auto line_end = [](char32_t v, CharClass) { return v == '\r' || v == '\n' || v == '/'; };
  pattern.push_back({{{blank, 0, 1}, {symbol, 1, kMany}, {line_end, 0, kMany}}});
  add_space_alternatives(pattern);
  return pattern;
}

std::vector<std::size_t> split_fast(SplitPattern pattern, std::string_view text) {
  std::vector<std::size_t> ends;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    at = piece_end(pattern, at, end);
    ends.push_back(static_cast<std::size_t>(at - text.data()));
  }
  return ends;
}

// Texts of the characters on which the patterns turn.
std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> atoms = {
      "a",
      "b",
      "s",
      "S",
      "t",
      "l",
      "L",
      "ve",
      "Re",
      "d",
      "M",
      "Z",
      "'",
      "'",
      "''",
      "1",
      "2",
      "34",
      " ",
      " ",
      "  ",
      "\t",
      "\n",
      "\r",
      "\r\n",
      "\v",
      "\x1C",
      "!",
      ".",
      "/",
      "#",
      "-",
      "\xC2\x85",
      "\xC2\xA0",
      "\xE3\x80\x80",
      "\xE2\x80\x8B",  // U+0085, U+00A0, U+3000; U+200B is no space
      "\xC3\xA9",
      "\xC3\x89",
      "\xC7\x85",
      "\xCA\xB0",  // Ll, Lu, Lt, Lm
      "\xE4\xB8\xAD",
      "\xE6\x96\x87",
      "\xCC\x80",
      "\xCC\x81",  // Lo, Lo, M, M
      "\xC5\xBF",
      "\xC2\xB2",
      "\xE2\x85\xA3",
      "\xF0\x9F\x98\x81",
      "\xF0\x9D\x9F\x98",
      "\xFF",
      "\x80",
      "\xE4\xB8",
      "\xC0\xAF",
      "\xED\xA0\x80"};  // invalid UTF-8
  std::string text;
  for (auto count = 1 + random() % 14; count > 0; --count) text += atoms[random() % atoms.size()];
  return text;
}

void expect_equal(SplitPattern which, const Pattern& pattern) {
  std::mt19937 random(7);
  for (int i = 0; i < 60000; ++i) {
    const std::string text = random_text(random);
    ASSERT_EQ(split_fast(which, text), split_by_pattern(pattern, text))
        << ::testing::PrintToString(text);
  }
}

TEST(Split, Gpt2EqualsItsPattern) { expect_equal(SplitPattern::kGpt2, gpt2_pattern()); }
TEST(Split, Cl100kEqualsItsPattern) { expect_equal(SplitPattern::kCl100k, cl100k_pattern()); }
TEST(Split, O200kEqualsItsPattern) { expect_equal(SplitPattern::kO200k, o200k_pattern()); }

// ASCII on which the patterns turn, with another character at times: blocks of all kinds.
std::string random_ascii(std::mt19937& random) {
  static const std::string kBytes = "aabstlvedmrSTLVEDMRZ''''1234    \t\n\n\r!./-";
  std::string text;
  for (auto count = 1 + random() % 200; count > 0; --count) {
    switch (random() % 40) {
      case 0:
        text += random_text(random);
        break;
      case 1:
        text.append(1 + random() % 80, kBytes[random() % kBytes.size()]);
        break;
      default:
        text.push_back(kBytes[random() % kBytes.size()]);
    }
  }
  return text;
}

// The splitter of whole texts, whose blocks of 64 bytes must not show, on every instruction set.
template <SplitPattern kPattern>
void expect_blocks_equal(const Pattern& pattern) {
  std::mt19937 random(8);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 70, "x '1"[i % 4]);
    for (auto parts = 1 + random() % 3; parts > 0; --parts) text += random_ascii(random);
    const std::vector<std::size_t> expected = split_by_pattern(pattern, text);
    for (const MaskIsa isa : kMaskIsas) {
      if (!has_mask_isa(isa)) continue;
      std::vector<std::size_t> ends;
      const char* expected_begin = text.data();
      const auto visit = [&](const char* begin, const char* end) {
        ASSERT_EQ(begin, expected_begin);
        expected_begin = end;
        ends.push_back(static_cast<std::size_t>(end - text.data()));
      };
      for_each_piece<kPattern>(text, visit, isa);
      ASSERT_EQ(ends, expected) << mask_isa_name(isa) << ": " << ::testing::PrintToString(text);
    }
  }
}

TEST(Split, Gpt2BlocksEqualItsPattern) { expect_blocks_equal<SplitPattern::kGpt2>(gpt2_pattern()); }
TEST(Split, Cl100kBlocksEqualItsPattern) {
  expect_blocks_equal<SplitPattern::kCl100k>(cl100k_pattern());
}
TEST(Split, O200kBlocksEqualItsPattern) {
  expect_blocks_equal<SplitPattern::kO200k>(o200k_pattern());
}

TEST(AsciiMasks, AreTheSameOnEveryIsa) {
  std::mt19937 random(9);
  int found = 0;
  for (const MaskIsa isa : kMaskIsas) {
    if (!has_mask_isa(isa) || isa == MaskIsa::kScalar) continue;
    ++found;
    for (int i = 0; i < 2000; ++i) {
      char block[kMaskBytes];
      for (std::size_t byte = 0; byte < kMaskBytes; ++byte) {
        block[byte] = static_cast<char>(i < 4 ? 64 * static_cast<std::size_t>(i) + byte : random());
      }
      AsciiMasks expected, masks;
      read_ascii_masks(MaskIsa::kScalar, block, expected);
      read_ascii_masks(isa, block, masks);
      ASSERT_EQ(std::memcmp(&masks, &expected, sizeof masks), 0) << mask_isa_name(isa) << " " << i;
    }
  }
  EXPECT_GE(found, 1) << "only the scalar way was there to be tested";
}

std::vector<std::string> pieces(SplitPattern pattern, const std::string& text) {
  std::vector<std::string> all;
  std::size_t begin = 0;
  for (const std::size_t end : split_fast(pattern, text)) {
    all.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return all;
}

TEST(Split, ContractionsAreLowercaseAndAtTheStartOfAPiece) {
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces(SplitPattern::kGpt2, "don't"), (Pieces{"don", "'t"}));
  EXPECT_EQ(pieces(SplitPattern::kGpt2, "''s"), (Pieces{"''", "s"}));
  EXPECT_EQ(pieces(SplitPattern::kGpt2, "DON'T"), (Pieces{"DON", "'", "T"}));
  EXPECT_EQ(pieces(SplitPattern::kCl100k, "DON'T"), (Pieces{"DON", "'T"}));
  EXPECT_EQ(pieces(SplitPattern::kO200k, "DON'T"), (Pieces{"DON'T"}));
}

TEST(Split, ARunOfSpacesLeavesItsLastToTheNextPiece) {
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces(SplitPattern::kGpt2, "a   b  "), (Pieces{"a", "  ", " b", "  "}));
  EXPECT_EQ(pieces(SplitPattern::kGpt2, "a\n\nb"), (Pieces{"a", "\n", "\n", "b"}));
  EXPECT_EQ(pieces(SplitPattern::kCl100k, "a\n\nb"), (Pieces{"a", "\n\n", "b"}));
}

}  // namespace
}  // namespace glassgpt::tokenizer
