// Tokenizers in GGUF: what llama.cpp is told, and that the same tokenizer comes back.
#include "tokenizer/gguf_vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "tests/io/gguf_bytes.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/temporary_directory.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/files.h"

namespace glassgpt::tokenizer {
namespace {

using testing::as_bytes;
using testing::expect_error;
using testing::gguf_string;
using testing::gguf_value;
using testing::GgufParts;
using testing::raw;
using testing::shared_data;

// 256 bytes, "he" (256), "hel" (257), a special token (258), one found in any text (260).
Definition small_definition() {
  Definition definition;
  for (TokenId i = 0; i < 256; ++i) {
    definition.tokens.push_back({i, std::string(1, static_cast<char>(alphabet()[i]))});
  }
  definition.tokens.push_back({256, "he"});
  definition.tokens.push_back({257, "hel"});
  const auto id = [](char byte) {
    const auto& order = alphabet();
    return static_cast<TokenId>(
        std::find(order.begin(), order.end(), static_cast<std::uint8_t>(byte)) - order.begin());
  };
  definition.merges = {{id('h'), id('e'), 256, 0}, {256, id('l'), 257, 1}};
  definition.added = {{258, "<|endoftext|>", true}, {260, "<tool>", false}};
  return definition;
}

Tokenizer built(Definition definition) {
  return Tokenizer(build_parts(std::move(definition), "definition"));
}

// The keys as the bytes of a file without tensors.
std::string file_of(const io::GgufMetadata& keys) {
  const testing::TemporaryDirectory directory;
  io::GgufWriter(directory / "f", keys, {}).finish();
  return io::read_file(directory / "f");
}

// What is in the file, by key.
struct Written {
  Written(const Tokenizer& tokenizer, std::size_t rows)
      : bytes(file_of(gguf_vocabulary(tokenizer, rows, "tokenizer"))),
        file(io::parse_gguf(as_bytes(bytes), "file")) {}
  std::string bytes;
  io::GgufContents file;
};

Tokenizer there_and_back(const Tokenizer& tokenizer) {
  const Written written(tokenizer, tokenizer.vocab_size() + 3);
  std::optional<Tokenizer> back = read_gguf_vocabulary(written.file);
  EXPECT_TRUE(back);
  return std::move(*back);
}

TEST(GgufVocabulary, TokensTypesAndMergesAreThoseThatLlamaCppReads) {
  const Written written(built(small_definition()), 262);
  const io::GgufContents& file = written.file;
  EXPECT_EQ(file.text("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.text("tokenizer.ggml.pre"), "gpt-2");
  const auto tokens = file.texts("tokenizer.ggml.tokens").value();
  const auto types = file.whole_numbers("tokenizer.ggml.token_type").value();
  ASSERT_EQ(tokens.size(), 262u);
  ASSERT_EQ(types.size(), 262u);
  EXPECT_EQ(tokens[0], "!");
  EXPECT_EQ(tokens[220], "\xC4\xA0");  // the blank's stand-in, U+0120
  EXPECT_EQ(tokens[257], "hel");
  EXPECT_EQ(tokens[258], "<|endoftext|>");
  EXPECT_EQ(tokens[259], "[PAD259]");
  EXPECT_EQ(tokens[260], "<tool>");
  EXPECT_EQ(tokens[261], "[PAD261]");
  EXPECT_EQ(types[257], 1u);  // normal
  EXPECT_EQ(types[258], 3u);  // control
  EXPECT_EQ(types[259], 5u);  // unused
  EXPECT_EQ(types[260], 4u);  // user defined
  EXPECT_EQ(types[261], 5u);
  EXPECT_EQ(file.texts("tokenizer.ggml.merges"), (std::vector<std::string_view>{"h e", "he l"}));
  EXPECT_EQ(file.whole_number("tokenizer.ggml.bos_token_id"), 258u);
  EXPECT_EQ(file.whole_number("tokenizer.ggml.eos_token_id"), 258u);
  EXPECT_EQ(file.flag("tokenizer.ggml.add_bos_token"), false);
}

TEST(GgufVocabulary, ATokenizerComesBackWithTheSameIds) {
  for (const auto pattern : {SplitPattern::kGpt2, SplitPattern::kCl100k, SplitPattern::kO200k}) {
    Definition definition = small_definition();
    definition.pattern = pattern;
    const Tokenizer tokenizer = built(std::move(definition));
    const Tokenizer back = there_and_back(tokenizer);
    EXPECT_EQ(back.pattern(), pattern);
    EXPECT_EQ(back.vocab_size(), tokenizer.vocab_size());
    EXPECT_EQ(back.special_id("<|endoftext|>"), 258u);
    EXPECT_EQ(tokenizer_json(back.parts()), tokenizer_json(tokenizer.parts()));
    for (const std::string text :
         {"hello hell <tool>he<|endoftext|>", "it's 1234\r\n\xE4\xB8\xAD\xFF"}) {
      for (const auto special : {SpecialTokens::kNone, SpecialTokens::kAll}) {
        EXPECT_EQ(back.encode(text, special), tokenizer.encode(text, special)) << text;
      }
    }
  }
}

TEST(GgufVocabulary, PublishedVocabulariesComeBackWithTheIdsOfTheirPeers) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::tuple<const char*, SplitPattern, const char*, const char*> vocabularies[] = {
      {"vocab.bpe", SplitPattern::kGpt2, "gpt-2", "gpt2_cases.jsonl"},
      {"r50k_base.tiktoken", SplitPattern::kGpt2, "gpt-2", "gpt2_cases.jsonl"},
      {"cl100k_base.tiktoken", SplitPattern::kCl100k, "dbrx", "cl100k_cases.jsonl"},
      {"o200k_base.tiktoken", SplitPattern::kO200k, "gpt-4o", "o200k_cases.jsonl"}};
  for (const auto& [file, pattern, name, cases] : vocabularies) {
    const Tokenizer tokenizer = Tokenizer::load(shared_data() / file, pattern);
    const Written written(tokenizer, tokenizer.vocab_size());
    EXPECT_EQ(written.file.text("tokenizer.ggml.pre"), name);
    const std::optional<Tokenizer> back = read_gguf_vocabulary(written.file);
    ASSERT_TRUE(back);
    for (const testing::Case& expected : testing::read_cases(shared_data() / cases)) {
      EXPECT_EQ(back->encode(expected.text), expected.ids) << file << ": " << expected.text;
    }
  }
}

TEST(GgufVocabulary, TokensThatOnlyWholePiecesLeadToNeedASplitThatTakesThem) {
  Definition definition = small_definition();
  definition.whole_piece_first = true;
  EXPECT_EQ(Written(built(definition), 261).file.text("tokenizer.ggml.pre"), "gpt-2");
  definition.tokens.push_back({261, "hi"});  // no merge leads to it
  const Tokenizer unreachable = built(definition);
  expect_error([&] { gguf_vocabulary(unreachable, 262, "tokenizer"); }, ErrorCode::kUnsupported,
               "no merges lead to", "tokenizer");
  definition.pattern = SplitPattern::kCl100k;
  const Tokenizer whole = built(definition);
  EXPECT_EQ(Written(whole, 262).file.text("tokenizer.ggml.pre"), "llama-bpe");
  EXPECT_EQ(there_and_back(whole).encode("hi"), std::vector<TokenId>{261});
}

TEST(GgufVocabulary, WhatCannotBeWrittenIsNamed) {
  const Tokenizer tokenizer = built(small_definition());
  expect_error([&] { gguf_vocabulary(tokenizer, 260, "tokenizer"); }, ErrorCode::kOutOfRange,
               "261 ids, the model's embedding table only 260 rows", "tokenizer");
  Definition definition = small_definition();
  definition.added.push_back({262, "hel", true});
  const Tokenizer twice = built(definition);
  expect_error([&] { gguf_vocabulary(twice, 263, "tokenizer"); }, ErrorCode::kUnsupported,
               "two tokens are both written \"hel\"", "tokenizer");
}

// A file with the keys that the reader needs, each replaced or left out by its test.
class WrongVocabulary : public ::testing::Test {
 protected:
  static std::string strings(const std::vector<std::string>& list) {
    std::string bytes = raw(std::uint32_t{8}) + raw(std::uint64_t{list.size()});
    for (const std::string& text : list) bytes += gguf_string(text);
    return bytes;
  }
  static std::string numbers(const std::vector<std::int32_t>& list) {
    std::string bytes = raw(std::uint32_t{5}) + raw(std::uint64_t{list.size()});
    for (const std::int32_t number : list) bytes += raw(number);
    return bytes;
  }

  WrongVocabulary() {
    values_["model"] = {8, gguf_string("gpt2")};
    values_["pre"] = {8, gguf_string("gpt-2")};
    values_["tokens"] = {9, strings({"a", "b", "ab", "<end>"})};
    values_["token_type"] = {9, numbers({1, 1, 1, 3})};
    values_["merges"] = {9, strings({"a b"})};
  }

  std::optional<Tokenizer> read() {
    GgufParts parts;
    for (const auto& [key, value] : values_) {
      parts.values.push_back(gguf_value("tokenizer.ggml." + key, value.first, value.second));
    }
    const std::string bytes = parts.bytes();
    return read_gguf_vocabulary(io::parse_gguf(as_bytes(bytes), "file"));
  }

  void expect_refused(ErrorCode code, const std::string& part) {
    expect_error([&] { read(); }, code, part, "file");
  }

  std::map<std::string, std::pair<std::uint32_t, std::string>> values_;
};

TEST_F(WrongVocabulary, WithoutAFaultIsRead) {
  EXPECT_EQ(read()->encode("aba"), (std::vector<TokenId>{2, 0}));
  EXPECT_EQ(read()->special_id("<end>"), 3u);
  values_.erase("pre");  // files from before the key existed
  EXPECT_EQ(read()->pattern(), SplitPattern::kGpt2);
  values_.erase("token_type");
  EXPECT_FALSE(read()->is_special(3));
  values_["model"] = {8, gguf_string("no_vocab")};
  EXPECT_FALSE(read());
  values_.erase("model");
  EXPECT_FALSE(read());
}

TEST_F(WrongVocabulary, OtherKindsOfTokenizersAreNamed) {
  values_["model"] = {8, gguf_string("llama")};
  expect_refused(ErrorCode::kUnsupported, "the tokenizer \"llama\" is not supported");
  values_["model"] = {8, gguf_string("gpt2")};
  values_["pre"] = {8, gguf_string("deepseek-llm")};
  expect_refused(ErrorCode::kUnsupported, "the split \"deepseek-llm\"");
  values_["pre"] = {8, gguf_string("gpt-2")};
  values_["add_space_prefix"] = {7, raw(std::uint8_t{1})};
  expect_refused(ErrorCode::kUnsupported, "add_space_prefix");
  values_["add_space_prefix"] = {7, raw(std::uint8_t{0})};
  values_["token_type"] = {9, numbers({1, 6, 1, 3})};
  expect_refused(ErrorCode::kUnsupported, "token 1 of type 6");
}

TEST_F(WrongVocabulary, ListsThatDoNotFitEachOtherAreNamed) {
  values_["token_type"] = {9, numbers({1, 1, 1})};
  expect_refused(ErrorCode::kMalformed, "has 3 elements for 4 tokens");
  values_["token_type"] = {9, numbers({1, 1, 1, -3})};
  expect_refused(ErrorCode::kMalformed, "token_type\" is not a whole number from 0 on");
  values_["token_type"] = {9, numbers({1, 1, 1, 3})};
  values_["tokens"] = {9, strings({"a", "b", "ab", "b"})};
  expect_refused(ErrorCode::kMalformed, "token 3 repeats \"b\"");
  values_["tokens"] = {9, strings({"a", "b", "ab", "<\xFF>"})};
  expect_refused(ErrorCode::kMalformed, "token 3 is special and not UTF-8");
  values_["tokens"] = {9, strings({"a", "b", "abc", "<end>"})};
  expect_refused(ErrorCode::kMalformed, "needs the token \"ab\"");
  values_["tokens"] = {9, strings({"a", "b", "ab", "<end>"})};
  values_["merges"] = {9, strings({"a b", "ab"})};
  expect_refused(ErrorCode::kMalformed, "merge 1 is not two tokens");
  values_.erase("merges");
  expect_refused(ErrorCode::kMalformed, "tokenizer.ggml.merges is missing");
  values_.erase("tokens");
  expect_refused(ErrorCode::kMalformed, "tokenizer.ggml.tokens is missing");
}

TEST_F(WrongVocabulary, NothingButUnusedTokensIsNoVocabulary) {
  values_["token_type"] = {9, numbers({5, 5, 5, 5})};
  values_["merges"] = {9, strings({})};
  expect_refused(ErrorCode::kMalformed, "the vocabulary is empty");
}

}  // namespace
}  // namespace glassgpt::tokenizer
