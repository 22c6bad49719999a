// Streams give what the whole gives, for any cut.
#include <gtest/gtest.h>

#include <random>

#include "glassgpt/tokenizer.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/parts.h"
#include "tokenizer/unicode.h"

namespace glassgpt {
namespace {

using testing::shared_data;

// All bytes, and the merges of a few words: the pattern decides more than the table here.
Tokenizer small_tokenizer(SplitPattern pattern) {
  tokenizer::Definition definition;
  definition.pattern = pattern;
  for (unsigned byte = 0; byte < 256; ++byte) {
    definition.tokens.push_back({byte, std::string(1, static_cast<char>(byte))});
  }
  TokenId next = 256;
  const auto merge = [&](TokenId left, TokenId right) {
    definition.merges.push_back(
        {left, right, next, static_cast<std::uint32_t>(definition.merges.size())});
    definition.tokens.push_back(
        {next, definition.tokens[left].bytes + definition.tokens[right].bytes});
    return next++;
  };
  for (const char c : {' ', '\n', 'a', 'A', '\'', '1', '/', '!'}) {
    const auto byte = static_cast<TokenId>(c);
    TokenId run = merge(byte, byte);
    run = merge(run, run);
    if (c != ' ') merge(' ', byte);
    merge(run, '\n');
    merge(byte, 's');
  }
  definition.added = {
      {next, "<|end|>", true}, {next + 1, "<|end|>!", true}, {next + 2, "AA+", false}};
  return Tokenizer(tokenizer::build_parts(std::move(definition), "test"));
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> atoms = {"a",
                                                 "A",
                                                 "s",
                                                 "'s",
                                                 "'LL",
                                                 "'",
                                                 " ",
                                                 "  ",
                                                 "\t",
                                                 "\n",
                                                 "\r\n",
                                                 "1",
                                                 "/",
                                                 "!",
                                                 "aaaa",
                                                 "AAAA",
                                                 "<|end|>",
                                                 "<|end|>!",
                                                 "<|end",
                                                 "AA+",
                                                 "\xE4\xB8\xAD",
                                                 "\xE4",
                                                 "\xFF",
                                                 "\xCC\x81",
                                                 "\xE3\x80\x80",
                                                 "\xF0\x9F\x98\x81",
                                                 "\xF0\x9F",
                                                 "\xC5\xBF"};
  std::string text;
  for (auto count = random() % 60; count > 0; --count) {
    const std::string& atom = atoms[random() % atoms.size()];
    for (auto times = random() % 12 == 0 ? random() % 60 : 1; times > 0; --times) text += atom;
  }
  return text;
}

std::vector<TokenId> encode_in_parts(StreamingEncoder& encoder, std::mt19937& random,
                                     const std::string& text) {
  const std::size_t largest = 1 + (random() % 3 == 0 ? 0 : random() % 50);
  std::vector<TokenId> ids;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::min<std::size_t>(random() % (largest + 1), text.size() - at);
    encoder.push(std::string_view(text).substr(at, length), ids);
    at += length;
  }
  encoder.finish(ids);
  return ids;
}

TEST(Streaming, EncodingInAnyPartsIsThatOfTheWhole) {
  for (const auto pattern : {SplitPattern::kGpt2, SplitPattern::kCl100k, SplitPattern::kO200k}) {
    const Tokenizer tokenizer = small_tokenizer(pattern);
    std::mt19937 random(11);
    for (const auto special : {SpecialTokens::kNone, SpecialTokens::kAll}) {
      StreamingEncoder encoder(tokenizer, special);
      for (int i = 0; i < 6000; ++i) {
        const std::string text = random_text(random);
        ASSERT_EQ(encode_in_parts(encoder, random, text), tokenizer.encode(text, special))
            << ::testing::PrintToString(text);
      }
    }
  }
}

TEST(Streaming, EncodingGivesIdsBeforeTheEnd) {
  const Tokenizer tokenizer = small_tokenizer(SplitPattern::kGpt2);
  StreamingEncoder encoder(tokenizer);
  std::vector<TokenId> ids;
  for (int i = 0; i < 1000; ++i) encoder.push("a word ", ids);
  EXPECT_GT(tokenizer.decode(ids).size(), 6500u);
}

TEST(Streaming, ALongPieceInSmallPartsIsLinear) {
  const Tokenizer tokenizer = small_tokenizer(SplitPattern::kCl100k);
  StreamingEncoder encoder(tokenizer);
  const std::string text(3000000, ' ');
  std::vector<TokenId> ids;
  // Were the whole piece looked at each time, this would be a thousand times as much work.
  for (std::size_t at = 0; at < text.size(); at += 100) encoder.push(text.substr(at, 100), ids);
  encoder.finish(ids);
  EXPECT_EQ(ids, tokenizer.encode(text));
}

TEST(Streaming, ASpecialTokenAcrossPartsIsAnErrorWithItsOffset) {
  const Tokenizer tokenizer = small_tokenizer(SplitPattern::kGpt2);
  StreamingEncoder encoder(tokenizer, SpecialTokens::kError);
  std::vector<TokenId> ids;
  std::string message;
  try {
    for (const char c : std::string(100, 'a') + " <|end|> b") encoder.push({&c, 1}, ids);
    encoder.finish(ids);
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  EXPECT_NE(message.find("offset 101"), std::string::npos) << message;
}

TEST(Streaming, DecodingGivesTheBytesAndNeverHalfACharacter) {
  const Tokenizer tokenizer = small_tokenizer(SplitPattern::kGpt2);
  std::mt19937 random(12);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = random_text(random);
    const std::vector<TokenId> ids = tokenizer.encode(text);
    StreamingDecoder decoder(tokenizer);
    std::string joined;
    for (std::size_t at = 0; at < ids.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 3, ids.size() - at);
      joined += decoder.push(std::span(ids).subspan(at, count));
      // Characters of the text so far and of the rest are those of the whole.
      const std::string_view whole = text;
      ASSERT_EQ(tokenizer::count_characters(whole.substr(0, joined.size())) +
                    tokenizer::count_characters(whole.substr(joined.size())),
                tokenizer::count_characters(whole));
      at += count;
    }
    ASSERT_EQ(joined + decoder.finish(), text);
  }
}

TEST(Streaming, IncompleteTailsAreThoseThatABytesCanComplete) {
  const std::pair<std::string, std::size_t> cases[] = {{"", 0},
                                                       {"a", 0},
                                                       {"\xE4", 1},
                                                       {"a\xE4\xB8", 2},
                                                       {"\xE4\xB8\xAD", 0},
                                                       {"\xF0\x9F\x98", 3},
                                                       {"\xED\xA0", 0},
                                                       {"\xE0\x80", 0},
                                                       {"\xF4\x90", 0},
                                                       {"\xF4\x8F\xBF", 3},
                                                       {"\xF0\x8F", 0},
                                                       {"\xC1", 0},
                                                       {"\xF5", 0},
                                                       {"\xFF", 0},
                                                       {"\xC3", 1},
                                                       {"\x80\x80\x80", 0}};
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(tokenizer::incomplete_tail(text), expected) << ::testing::PrintToString(text);
  }
}

TEST(Streaming, RealVocabulariesInAnyParts) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::string blns = testing::read_text(shared_data() / "blns.txt");
  const std::pair<const char*, SplitPattern> vocabularies[] = {
      {"r50k_base.tiktoken", SplitPattern::kGpt2},
      {"cl100k_base.tiktoken", SplitPattern::kCl100k},
      {"o200k_base.tiktoken", SplitPattern::kO200k}};
  std::mt19937 random(13);
  for (const auto& [file, pattern] : vocabularies) {
    const Tokenizer tokenizer = Tokenizer::load(shared_data() / file, pattern);
    StreamingEncoder encoder(tokenizer);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(encode_in_parts(encoder, random, blns), tokenizer.encode(blns)) << file;
    }
  }
}

}  // namespace
}  // namespace glassgpt
