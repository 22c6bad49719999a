// What a caller relies on: round trips, spans, special tokens, replayed merges.
#include <gtest/gtest.h>

#include <random>

#include "glassgpt/error.h"
#include "glassgpt/tokenizer.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/unicode.h"

namespace glassgpt {
namespace {

using testing::read_text;
using testing::shared_data;

namespace fs = std::filesystem;

const Tokenizer& gpt2() {
  static const Tokenizer tokenizer = Tokenizer::load(shared_data());
  return tokenizer;
}

std::string random_bytes(std::mt19937& random, std::size_t length) {
  std::string bytes;
  for (std::size_t i = 0; i < length; ++i) {
    // Half of the bytes come from a valid three-byte character, so that valid and invalid sequences
    // mix.
    if (random() % 2 == 0) {
      bytes += "\xE4\xB8\xAD";
      if (random() % 3 == 0) bytes.pop_back();
    } else {
      bytes.push_back(static_cast<char>(random()));
    }
  }
  return bytes;
}

TEST(Encoding, AnyBytesComeBack) {
  SKIP_WITHOUT_SHARED_DATA();
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    const std::string bytes = random_bytes(random, random() % 60);
    ASSERT_EQ(gpt2().decode(gpt2().encode(bytes)), bytes);
  }
  EXPECT_TRUE(gpt2().encode("").empty());
  EXPECT_EQ(gpt2().decode({}), "");
  const std::string zero("\0", 1);
  EXPECT_EQ(gpt2().decode(gpt2().encode(zero)), zero);
}

TEST(Encoding, EveryLanguageComesBack) {
  SKIP_WITHOUT_SHARED_DATA();
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(shared_data() / "udhr")) {
    const std::string text = read_text(entry.path());
    ASSERT_EQ(gpt2().decode(gpt2().encode(text)), text) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 500u);
}

TEST(Encoding, TextIsThePiecesOneAfterTheOther) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::string text = "It's  12 caf\xC3\xA9s.\n\n \xE4\xB8\xAD\xE6\x96\x87 \xFF";
  std::string joined;
  std::vector<TokenId> ids;
  for (const std::string_view piece : gpt2().split(text)) {
    joined += piece;
    for (const TokenId id : gpt2().encode(piece)) ids.push_back(id);
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(ids, gpt2().encode(text));
}

// The index of the character that each byte belongs to.
std::vector<std::size_t> character_of_byte(std::string_view text) {
  std::vector<std::size_t> index;
  for (std::size_t at = 0, character = 0; at < text.size(); ++character) {
    const auto length = tokenizer::character_at(text.data() + at, text.data() + text.size()).length;
    index.insert(index.end(), length, character);
    at += length;
  }
  return index;
}

void expect_right_spans(const std::string& text, SpecialTokens special) {
  const Encoding encoding = gpt2().encode_with_spans(text, special);
  ASSERT_EQ(encoding.ids, gpt2().encode(text, special));
  ASSERT_EQ(encoding.spans.size(), encoding.ids.size());
  const auto character = character_of_byte(text);
  std::size_t at = 0;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const TokenSpan& span = encoding.spans[i];
    ASSERT_EQ(span.byte_begin, at);
    ASSERT_EQ(text.substr(at, span.byte_end - at), gpt2().token_bytes(encoding.ids[i]));
    ASSERT_EQ(span.char_begin, character[span.byte_begin]);
    ASSERT_EQ(span.char_end, character[span.byte_end - 1] + 1);
    at = span.byte_end;
  }
  ASSERT_EQ(at, text.size());
}

TEST(Spans, CoverTheTextInBytesAndCharacters) {
  SKIP_WITHOUT_SHARED_DATA();
  std::mt19937 random(2);
  for (int i = 0; i < 2000; ++i) {
    std::string text = random_bytes(random, random() % 30) + " caf\xC3\xA9 \xF0\x9F\x98\x81";
    if (random() % 4 == 0) text += "<|endoftext|>" + random_bytes(random, random() % 9);
    expect_right_spans(text, SpecialTokens::kNone);
    expect_right_spans(text, SpecialTokens::kAll);
  }
}

TEST(Spans, TokensThatSplitACharacterShareItsSpan) {
  SKIP_WITHOUT_SHARED_DATA();
  const Encoding encoding = gpt2().encode_with_spans("a\xF0\x9F\xA6\x99");  // a, U+1F999
  ASSERT_GT(encoding.ids.size(), 2u);
  for (std::size_t i = 1; i < encoding.ids.size(); ++i) {
    EXPECT_EQ(encoding.spans[i].char_begin, 1u);
    EXPECT_EQ(encoding.spans[i].char_end, 2u);
  }
}

TEST(SpecialTokens, AreTextOrAnIdOrAnError) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::string text = "Hi<|endoftext|><|endoftext|> <|endoftext";
  const auto none = gpt2().encode(text, SpecialTokens::kNone);
  EXPECT_EQ(std::count(none.begin(), none.end(), 50256u), 0);
  EXPECT_EQ(gpt2().decode(none), text);
  const auto all = gpt2().encode(text, SpecialTokens::kAll);
  EXPECT_EQ(std::count(all.begin(), all.end(), 50256u), 2);
  EXPECT_EQ(gpt2().decode(all), text);
  EXPECT_EQ(gpt2().encode("<|endoftext|>", SpecialTokens::kAll), std::vector<TokenId>{50256});
  try {
    gpt2().encode(text, SpecialTokens::kError);
    FAIL() << "the special token went through";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("\"<|endoftext|>\" at byte offset 2"),
              std::string::npos);
  }
  EXPECT_EQ(gpt2().encode("<|endoftext", SpecialTokens::kError),
            gpt2().encode("<|endoftext", SpecialTokens::kNone));
}

TEST(SpecialTokens, CanBeAskedFor) {
  SKIP_WITHOUT_SHARED_DATA();
  EXPECT_TRUE(gpt2().is_special(50256));
  EXPECT_FALSE(gpt2().is_special(0));
  EXPECT_FALSE(gpt2().is_special(4000000000u));
  EXPECT_EQ(gpt2().special_id("<|endoftext|>"), 50256u);
  EXPECT_EQ(gpt2().special_id("the"), std::nullopt);
  EXPECT_EQ(gpt2().id_of("<|endoftext|>"), std::nullopt);
  EXPECT_EQ(gpt2().token_bytes(50256), "<|endoftext|>");
}

TEST(SpecialTokens, OfOpenAisRankFilesAreKnown) {
  SKIP_WITHOUT_SHARED_DATA();
  const Tokenizer cl100k =
      Tokenizer::load(shared_data() / "cl100k_base.tiktoken", SplitPattern::kCl100k);
  EXPECT_EQ(cl100k.encode("<|fim_prefix|>a<|endofprompt|>", SpecialTokens::kAll),
            (std::vector<TokenId>{100258, 64, 100276}));
  EXPECT_EQ(cl100k.vocab_size(), 100277u);
  EXPECT_THROW(cl100k.token_bytes(100256), Error);  // nobody has this id
  const Tokenizer r50k = Tokenizer::load(shared_data() / "r50k_base.tiktoken");
  EXPECT_EQ(r50k.special_id("<|endoftext|>"), 50256u);
}

TEST(Vocabulary, NamesTokensBothWays) {
  SKIP_WITHOUT_SHARED_DATA();
  EXPECT_EQ(gpt2().vocab_size(), 50257u);
  for (TokenId id = 0; id < 256; ++id) {
    const std::string byte(1, static_cast<char>(tokenizer::alphabet()[id]));
    EXPECT_EQ(gpt2().token_bytes(id), byte);
    EXPECT_EQ(gpt2().id_of(byte), id);
  }
  EXPECT_EQ(gpt2().id_of(" the"), 262u);
  EXPECT_EQ(gpt2().id_of("no such token"), std::nullopt);
  EXPECT_EQ(gpt2().id_of(""), std::nullopt);
}

TEST(Vocabulary, AnIdOutsideIsAnError) {
  SKIP_WITHOUT_SHARED_DATA();
  for (const TokenId id : {50257u, 4294967295u}) {
    try {
      gpt2().decode(std::vector<TokenId>{262, id});
      FAIL() << id;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kOutOfRange);
      EXPECT_NE(std::string(error.what()).find(std::to_string(id)), std::string::npos);
    }
  }
}

TEST(MergeSteps, ReplayLeadsToTheTokens) {
  SKIP_WITHOUT_SHARED_DATA();
  for (const std::string piece :
       {" tokenization", "a", "", " \xE4\xB8\xAD\xE6\x96\x87", "aaaaaaa"}) {
    std::vector<TokenId> tokens;
    for (const char byte : piece) tokens.push_back(*gpt2().id_of({&byte, 1}));
    std::size_t last_rank = 0;
    for (const MergeStep& step : gpt2().merge_steps(piece)) {
      ASSERT_LT(step.position + 1, tokens.size());
      EXPECT_EQ(tokens[step.position], step.left);
      EXPECT_EQ(tokens[step.position + 1], step.right);
      EXPECT_EQ(
          std::string(gpt2().token_bytes(step.left)) + std::string(gpt2().token_bytes(step.right)),
          gpt2().token_bytes(step.merged));
      EXPECT_EQ(step.merged, 256 + step.rank);  // so it is in GPT-2
      EXPECT_GE(step.rank, last_rank);
      last_rank = step.rank;
      tokens[step.position] = step.merged;
      tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(step.position) + 1);
    }
    EXPECT_EQ(tokens, gpt2().encode(piece));
  }
}

}  // namespace
}  // namespace glassgpt
