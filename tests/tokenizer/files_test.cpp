// Tokenizer files: what is written comes back, what peers write is read, and what is wrong is
// named.
#include <gtest/gtest.h>

#include <fstream>

#include "glassgpt/tokenizer.h"
#include "tests/io/temporary_directory.h"
#include "tests/tokenizer/shared_data.h"
#include "tokenizer/byte_alphabet.h"

namespace glassgpt {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::read_text;
using testing::shared_data;

namespace fs = std::filesystem;

class TokenizerFiles : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return directory_ / name;
  }
  fs::path write(const json& root) { return write("tokenizer.json", root.dump()); }

  void expect_refused(const json& root, ErrorCode code, const std::string& part) {
    const fs::path file = write(root);
    expect_error([&] { Tokenizer::load(file); }, code, part, file.string());
  }
  void expect_malformed(const json& root, const std::string& part) {
    expect_refused(root, ErrorCode::kMalformed, part);
  }
  void expect_unsupported(const json& root, const std::string& part) {
    expect_refused(root, ErrorCode::kUnsupported, part);
  }

  testing::TemporaryDirectory directory_;
};

// 256 bytes, "he" (256), "hel" (257) and a special token (258).
json small_tokenizer() {
  json vocab = json::object();
  for (unsigned i = 0; i < 256; ++i) {
    const char byte = static_cast<char>(tokenizer::alphabet()[i]);
    vocab[tokenizer::to_stand_ins({&byte, 1})] = i;
  }
  vocab["he"] = 256;
  vocab["hel"] = 257;
  return {{"version", "1.0"},
          {"added_tokens", {{{"id", 258}, {"content", "<end>"}, {"special", true}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"h e", "he l"}}}}};
}

TEST_F(TokenizerFiles, TokenizerJsonIsReadWithMergesInBothForms) {
  json root = small_tokenizer();
  const Tokenizer first = Tokenizer::load(write(root));
  EXPECT_EQ(first.decode(first.encode("hello<end>", SpecialTokens::kAll)), "hello<end>");
  EXPECT_EQ(first.encode("hello").front(), 257u);
  EXPECT_EQ(first.special_id("<end>"), 258u);
  EXPECT_EQ(first.pattern(), SplitPattern::kGpt2);
  root["model"]["merges"] = json::array({json::array({"h", "e"}), json::array({"he", "l"})});
  EXPECT_EQ(Tokenizer::load(write(root)).encode("hello"), first.encode("hello"));
}

TEST_F(TokenizerFiles, IgnoreMergesTakesAWholePieceFirst) {
  json root = small_tokenizer();
  root["model"]["vocab"]["hi"] = 259;  // no merge leads to it
  EXPECT_EQ(Tokenizer::load(write(root)).encode("hi").size(), 2u);
  root["model"]["ignore_merges"] = true;
  EXPECT_EQ(Tokenizer::load(write(root)).encode("hi"), std::vector<TokenId>{259});
}

TEST_F(TokenizerFiles, AddedTokensThatAreNotSpecialAreAlwaysFound) {
  json root = small_tokenizer();
  root["added_tokens"].push_back({{"id", 259}, {"content", "hello"}, {"special", false}});
  const Tokenizer tokenizer = Tokenizer::load(write(root));
  for (const auto mode : {SpecialTokens::kNone, SpecialTokens::kAll, SpecialTokens::kError}) {
    EXPECT_EQ(tokenizer.encode("hello", mode), std::vector<TokenId>{259});
  }
  EXPECT_FALSE(tokenizer.is_special(259));
}

TEST_F(TokenizerFiles, TheLongestAddedTokenIsFound) {
  json root = small_tokenizer();
  root["added_tokens"].push_back({{"id", 259}, {"content", "<end>>"}, {"special", true}});
  root["added_tokens"].push_back({{"id", 260}, {"content", "nd"}, {"special", true}});
  const Tokenizer tokenizer = Tokenizer::load(write(root));
  EXPECT_EQ(tokenizer.encode("<end>><end>nd", SpecialTokens::kAll),
            (std::vector<TokenId>{259, 258, 260}));
}

TEST_F(TokenizerFiles, SavedTokenizersEncodeTheSame) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::string text = read_text(shared_data() / "blns.txt");
  const std::pair<const char*, SplitPattern> sources[] = {
      {"", SplitPattern::kGpt2},
      {"r50k_base.tiktoken", SplitPattern::kGpt2},
      {"cl100k_base.tiktoken", SplitPattern::kCl100k}};
  for (const auto& [source, pattern] : sources) {
    const Tokenizer original = Tokenizer::load(shared_data() / source, pattern);
    const fs::path file = directory_ / "tokenizer.json";
    original.save(file);
    const Tokenizer again = Tokenizer::load(file);
    EXPECT_EQ(again.pattern(), pattern);
    EXPECT_EQ(again.vocab_size(), original.vocab_size());
    EXPECT_EQ(again.encode(text), original.encode(text));
    EXPECT_EQ(again.special_id("<|endoftext|>"), original.special_id("<|endoftext|>"));
    const std::string bytes = read_text(file);
    again.save(file);
    EXPECT_EQ(read_text(file), bytes);
  }
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"tokenizer.json"});
}

TEST_F(TokenizerFiles, EveryFormOfAPathIsFound) {
  write("tokenizer.json", small_tokenizer().dump());
  EXPECT_EQ(Tokenizer::load(directory_.path()).vocab_size(), 259u);
  EXPECT_EQ(Tokenizer::load(directory_ / "tokenizer.json").vocab_size(), 259u);
  fs::remove(directory_ / "tokenizer.json");
  expect_error([&] { Tokenizer::load(directory_.path()); }, ErrorCode::kNotFound,
               "neither tokenizer.json nor vocab.json");
  expect_error([&] { Tokenizer::load(directory_ / "missing"); }, ErrorCode::kNotFound, "no such");
  json vocab = small_tokenizer()["model"]["vocab"];
  vocab["<|endoftext|>"] = 258;
  write("vocab.json", vocab.dump());
  write("merges.txt", "#version: 0.2\r\nh e\r\nhe l\r\n");
  const Tokenizer pair = Tokenizer::load(directory_.path());
  EXPECT_EQ(pair.encode("hello").front(), 257u);
  EXPECT_EQ(pair.special_id("<|endoftext|>"), 258u);
  EXPECT_EQ(Tokenizer::load(directory_ / "vocab.json").vocab_size(), 259u);
}

TEST_F(TokenizerFiles, AMergeMayBeginWithAHash) {
  json vocab = small_tokenizer()["model"]["vocab"];
  vocab["##"] = 258;
  write("vocab.json", vocab.dump());
  write("merges.txt", "# #\nh e\n");
  EXPECT_EQ(Tokenizer::load(directory_.path()).encode("##"), std::vector<TokenId>{258});
}

TEST_F(TokenizerFiles, UnwritableOutputIsAnError) {
  const Tokenizer tokenizer = Tokenizer::load(write(small_tokenizer()));
  expect_error([&] { tokenizer.save(directory_ / "no" / "such" / "directory" / "t.json"); },
               ErrorCode::kUnwritable, "");
}

TEST_F(TokenizerFiles, WhatIsNotSupportedIsNamed) {
  const std::pair<const char*, json> changes[] = {
      {"/normalizer", {{"type", "NFC"}}},
      {"/truncation", {{"max_length", 5}}},
      {"/model/type", "WordPiece"},
      {"/model/end_of_word_suffix", "</w>"},
      {"/model/continuing_subword_prefix", "##"},
      {"/model/byte_fallback", true},
      {"/model/dropout", 0.1},
      {"/pre_tokenizer", {{"type", "Whitespace"}}},
      {"/pre_tokenizer", nullptr},
      {"/pre_tokenizer/add_prefix_space", true},
      {"/pre_tokenizer/use_regex", false},
      {"/decoder", {{"type", "WordPiece"}}},
      {"/post_processor", {{"type", "TemplateProcessing"}}},
      {"/added_tokens/0/lstrip", true},
  };
  for (const auto& [place, value] : changes) {
    json root = small_tokenizer();
    root[json::json_pointer(place)] = value;
    const std::string last = std::string(place).substr(std::string(place).rfind('/') + 1);
    const std::string named = value.is_object() && value.contains("type")
                                  ? value["type"].get<std::string>()
                              : last == "type" ? value.get<std::string>()
                                               : last;
    expect_unsupported(root, named);
  }
}

TEST_F(TokenizerFiles, AnUnknownSplitPatternIsRefusedNotRun) {
  json root = small_tokenizer();
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", "(a+)+$"}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  root["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}};
  expect_unsupported(root, "(a+)+$");
}

TEST_F(TokenizerFiles, BrokenVocabulariesAreRefused) {
  json root = small_tokenizer();
  root["model"]["vocab"]["he"] = 257;
  expect_malformed(root, "share the id 257");
  for (const json& id : {json(-1), json(1.5), json("1"), json(4294967296u), json(1u << 21)}) {
    root = small_tokenizer();
    root["model"]["vocab"]["he"] = id;
    expect_malformed(root, "the id of the token \"he\"");
  }
  root = small_tokenizer();
  root["added_tokens"][0]["id"] = 257;
  expect_malformed(root, "share the id 257");
  root = small_tokenizer();
  root["model"]["vocab"]["<end>"] = 300;
  expect_malformed(root, "\"<end>\"");
  root = small_tokenizer();
  root["model"]["vocab"] = json::object();
  root["model"]["merges"] = json::array();
  root["added_tokens"] = json::array();
  expect_malformed(root, "empty");
  root = small_tokenizer();
  root["model"].erase("vocab");
  expect_malformed(root, "vocab");
}

TEST_F(TokenizerFiles, AnAddedTokenOfManyBytesIsRefusedBeforeItCostsMemory) {
  json root = small_tokenizer();
  root["added_tokens"][0]["content"] = std::string(4096, 'x');
  EXPECT_EQ(Tokenizer::load(write(root)).encode(std::string(4096, 'x'), SpecialTokens::kAll),
            std::vector<TokenId>{258});
  root["added_tokens"][0]["content"] = std::string(4097, 'x');
  expect_refused(root, ErrorCode::kOutOfRange, "4097 bytes");
}

TEST_F(TokenizerFiles, ALongTokenOfTheVocabularyIsNoTrouble) {
  json root = small_tokenizer();
  root["model"]["vocab"][std::string(10000000, 'x')] = 259;  // no merge leads to it
  const Tokenizer tokenizer = Tokenizer::load(write(root));
  const std::string text(1000, 'x');
  EXPECT_EQ(tokenizer.encode(text).size(), text.size());
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{259}).size(), 10000000u);
}

TEST_F(TokenizerFiles, DirectoriesAndDevicesInPlaceOfFilesAreRefused) {
  fs::create_directories(directory_ / "a" / "tokenizer.json");
  fs::create_directories(directory_ / "b" / "vocab.json");
  fs::create_directories(directory_ / "b" / "merges.txt");
  for (const fs::path& path : {directory_ / "a", directory_ / "a" / "tokenizer.json",
                               directory_ / "b", fs::path("/dev/null")}) {
    EXPECT_THROW(Tokenizer::load(path), Error) << path;
  }
}

TEST_F(TokenizerFiles, BinaryDataIsRefusedInEveryFormat) {
  std::string bytes;
  for (unsigned i = 0; i < 4096; ++i) bytes.push_back(static_cast<char>(i * 131 >> 3));
  write("vocab.json", small_tokenizer()["model"]["vocab"].dump());
  write("merges.txt", bytes);
  expect_error([&] { Tokenizer::load(directory_.path()); }, ErrorCode::kMalformed, "merge");
  write("vocab.json", bytes);
  expect_error([&] { Tokenizer::load(directory_.path()); }, ErrorCode::kMalformed, "JSON");
  for (const char* name : {"x.tiktoken", "tokenizer.json"}) {
    const fs::path file = write(name, bytes);
    expect_error([&] { Tokenizer::load(file); }, ErrorCode::kMalformed, "", file.string());
  }
}

TEST_F(TokenizerFiles, BrokenMergesAreRefused) {
  const std::pair<json, std::string> cases[] = {
      {json::array({"h e", "x y"}), "merge 1 needs the token \"xy\""},
      {json::array({"unknown h"}), "merge 0 needs the token \"unknown\""},
      {json::array({"he"}), "merge 0"},
      {json::array({"h e l"}), "merge 0"},
      {json::array({json::array({"h"})}), "merge 0"},
      {json::array({5}), "merge 0"},
      {json::object(), "merges"},
  };
  for (const auto& [merges, part] : cases) {
    json root = small_tokenizer();
    root["model"]["merges"] = merges;
    expect_malformed(root, part);
  }
}

TEST_F(TokenizerFiles, GapsBetweenIdsAreAllowed) {
  json root = small_tokenizer();
  root["added_tokens"][0]["id"] = 1000;
  const Tokenizer tokenizer = Tokenizer::load(write(root));
  EXPECT_EQ(tokenizer.vocab_size(), 1001u);
  expect_error([&] { tokenizer.token_bytes(999); }, ErrorCode::kOutOfRange, "999");
}

TEST_F(TokenizerFiles, TruncatedAndDeepJsonIsRefused) {
  const std::string whole = small_tokenizer().dump();
  for (const double part : {0.1, 0.5, 0.9, 0.999}) {
    const fs::path file =
        write("tokenizer.json",
              whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
    expect_error([&] { Tokenizer::load(file); }, ErrorCode::kMalformed, "JSON", file.string());
  }
  const fs::path deep = write("tokenizer.json", "{\"model\":" + std::string(100000, '['));
  expect_error([&] { Tokenizer::load(deep); }, ErrorCode::kOutOfRange, "", deep.string());
  const fs::path invalid = write("tokenizer.json", "{\"model\": \"\xFF\"}");
  expect_error([&] { Tokenizer::load(invalid); }, ErrorCode::kMalformed, "", invalid.string());
  const fs::path empty = write("tokenizer.json", "");
  expect_error([&] { Tokenizer::load(empty); }, ErrorCode::kMalformed, "empty", empty.string());
  for (const char* root : {"{}", "{\"model\": []}", "{\"model\": 1}"}) {
    const fs::path file = write("tokenizer.json", root);
    EXPECT_THROW(Tokenizer::load(file), Error) << root;
  }
}

TEST_F(TokenizerFiles, BrokenRankFilesAreRefused) {
  for (const char* line : {"IQ= 0", "!!!! 0", "IQ==", "IQ== x", "IQ== -1", "IQ== 99999999999",
                           "IR== 0", "= 0", "IQ==  0", "\xFF\xFE 1", "IQ== 0 1"}) {
    const fs::path file = write("x.tiktoken", std::string("IA== 7\n") + line + "\n");
    expect_error([&] { Tokenizer::load(file); }, ErrorCode::kMalformed, "line 2", file.string());
  }
  const fs::path twice = write("x.tiktoken", "IA== 0\nIQ== 0\n");
  expect_error([&] { Tokenizer::load(twice); }, ErrorCode::kMalformed, "share the id 0");
  const fs::path same = write("x.tiktoken", "IA== 0\nIA== 1\n");
  expect_error([&] { Tokenizer::load(same); }, ErrorCode::kMalformed, "line 2");
  const std::string long_token(1u << 20, 'A');
  const fs::path huge = write("x.tiktoken", long_token + " 0\n");
  expect_error([&] { Tokenizer::load(huge); }, ErrorCode::kOutOfRange, "line 1");
}

TEST_F(TokenizerFiles, BrokenMergeFilesAreRefused) {
  write("vocab.json", small_tokenizer()["model"]["vocab"].dump());
  for (const char* merges : {"h e\nx y\n", "h\n", "h e l\n", "\xFF \xFE\n"}) {
    write("merges.txt", merges);
    expect_error([&] { Tokenizer::load(directory_.path()); }, ErrorCode::kMalformed, "merge");
  }
  write("merges.txt", "h e\n");
  write("vocab.json", "[1, 2]");
  expect_error([&] { Tokenizer::load(directory_.path()); }, ErrorCode::kMalformed, "not an object");
}

}  // namespace
}  // namespace glassgpt
