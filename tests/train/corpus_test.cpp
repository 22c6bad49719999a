// Corpora, and the token file made of them.
#include "train/corpus.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "tests/train/tiny_run.h"
#include "train/hash.h"
#include "train/token_file.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;
using training::corpus_files;
using training::TokenFile;
using training::TokenFilePlan;

std::vector<std::string> documents(const fs::path& path) {
  std::vector<std::string> all;
  for (const training::CorpusFile& file : corpus_files(path)) {
    training::for_each_document(
        file, [&](std::string_view document, std::uint64_t) { all.emplace_back(document); });
  }
  return all;
}

TEST(Corpus, BlankLinesSeparateDocuments) {
  const TemporaryDirectory directory;
  io::write_file(directory / "a.txt", "\n\none\ntwo\n\n \t\r\nthree\r\n\nfour");
  EXPECT_EQ(documents(directory / "a.txt"),
            (std::vector<std::string>{"one\ntwo", "three\r", "four"}));
  io::write_file(directory / "empty.txt", "");
  EXPECT_TRUE(documents(directory / "empty.txt").empty());
}

TEST(Corpus, JsonLinesGiveTheirText) {
  const TemporaryDirectory directory;
  io::write_file(directory / "a.jsonl",
                 "{\"id\": 1, \"text\": \"one\\n\\nstill one\"}\n\n{\"text\": \"\"}\n"
                 "{\"text\": \"\\u732b\"}");
  EXPECT_EQ(documents(directory / "a.jsonl"),
            (std::vector<std::string>{"one\n\nstill one", "\xE7\x8C\xAB"}));
  for (const char* bad : {"[1]", "{\"texts\": \"x\"}", "{\"text\": 1}", "{\"text\": \"x\"", "7"}) {
    io::write_file(directory / "bad.jsonl", std::string("{\"text\": \"x\"}\n") + bad + "\n");
    expect_error([&] { documents(directory / "bad.jsonl"); }, ErrorCode::kMalformed, "bad.jsonl:2");
  }
}

TEST(Corpus, FoldersAreReadInTheOrderOfTheirNames) {
  const TemporaryDirectory directory;
  fs::create_directories(directory / "b");
  io::write_file(directory / "c.txt", "third");
  io::write_file(directory / "b" / "x.jsonl", "{\"text\": \"second\"}");
  io::write_file(directory / "a.txt", "first");
  io::write_file(directory / "readme.md", "not this");
  EXPECT_EQ(documents(directory.path()), (std::vector<std::string>{"first", "second", "third"}));
  const TemporaryDirectory empty;
  expect_error([&] { corpus_files(empty.path()); }, ErrorCode::kNotFound, "no .txt or .jsonl");
  expect_error([&] { corpus_files(empty / "nothing"); }, ErrorCode::kNotFound, "no such file");
}

// Root may read everything.
class AsNobody {
 public:
  AsNobody() {
    if (was_root_) become(65534);
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (was_root_) become(0);
  }

 private:
  static void become(uid_t user) { EXPECT_EQ(::seteuid(user), 0); }

  const bool was_root_ = ::geteuid() == 0;
};

TEST(Corpus, AFolderThatCannotBeLookedIntoIsNamed) {
  const TemporaryDirectory directory;
  fs::permissions(directory.path(), fs::perms::all);
  fs::create_directories(directory / "corpus" / "closed");
  fs::create_directories(directory / "corpus" / "open");
  io::write_file(directory / "corpus" / "open" / "a.txt", "first");
  const fs::path closed = directory / "corpus" / "closed";
  {
    fs::permissions(closed, fs::perms::none);
    const AsNobody nobody;
    // access() asks for the real user, this for the one that it has become.
    if (::faccessat(AT_FDCWD, directory.path().c_str(), R_OK | X_OK, AT_EACCESS) != 0)
      GTEST_SKIP() << "the folder for temporary files is closed to the user nobody";
    expect_error([&] { corpus_files(directory / "corpus"); }, ErrorCode::kUnreadable,
                 "Permission denied", closed.string());
    expect_error([&] { corpus_files(closed); }, ErrorCode::kUnreadable, "Permission denied",
                 closed.string());
  }
  fs::permissions(closed, fs::perms::owner_all);
  EXPECT_EQ(corpus_files(directory / "corpus").size(), 1u);
}

TEST(Corpus, SourcesHaveWeights) {
  EXPECT_EQ(parse_corpus_source("a/b.txt").path, "a/b.txt");
  EXPECT_EQ(parse_corpus_source("a/b.txt").weight, 1.0);
  EXPECT_EQ(parse_corpus_source("a/b.txt:2.5").path, "a/b.txt");
  EXPECT_EQ(parse_corpus_source("a/b.txt:2.5").weight, 2.5);
  for (const char* bad : {"a:", "a:x", "a:-1", "a:0", "a:1e999", "a:inf", "a:nan", "a:1x"})
    EXPECT_THROW(parse_corpus_source(bad), std::invalid_argument) << bad;
  const TemporaryDirectory directory;
  io::write_file(directory / "odd:3", "x");
  EXPECT_EQ(parse_corpus_source((directory / "odd:3").string()).path, directory / "odd:3");
}

class TokenFileTest : public ::testing::Test {
 protected:
  TokenFile make(double fraction, int threads = 1) {
    TokenFilePlan plan{{run_.directory() / "corpus.txt"}, {}, fraction};
    return TokenFile::open_or_make(directory_ / "tokens.bin", plan, tokenizer_, threads, nullptr);
  }
  std::string text(const TokenFile& file, std::size_t stream) {
    std::vector<TokenId> ids(file.streams()[stream].count);
    file.read(stream, 0, ids);
    return tokenizer_.decode(ids);
  }

  TemporaryDirectory directory_;
  TinyRun run_{directory_.path()};
  Tokenizer tokenizer_ = Tokenizer::load(directory_ / "tokenizer");
};

// "<|endoftext|>document<|endoftext|>document<|endoftext|>" back to documents.
std::vector<std::string> split_documents(const std::string& text) {
  const std::string separator = "<|endoftext|>";
  std::vector<std::string> parts;
  EXPECT_EQ(text.rfind(separator, 0), 0u);
  for (std::size_t at = separator.size(); at < text.size();) {
    const std::size_t end = text.find(separator, at);
    if (end == std::string::npos) {
      ADD_FAILURE() << "the stream does not end with a separator";
      return parts;
    }
    parts.push_back(text.substr(at, end - at));
    at = end + separator.size();
  }
  return parts;
}

TEST_F(TokenFileTest, HoldsEveryDocumentOnceWithSeparators) {
  const TokenFile file = make(0.2);
  ASSERT_EQ(file.streams().size(), 2u);
  const std::vector<std::string> train = split_documents(text(file, 0));
  const std::vector<std::string> valid = split_documents(text(file, 1));
  EXPECT_GT(valid.size(), 20u);
  EXPECT_LT(valid.size(), 60u);
  const std::vector<std::string> all = documents(directory_ / "corpus.txt");
  EXPECT_EQ(train.size() + valid.size(), all.size());
  const std::set<std::string> held_out(valid.begin(), valid.end());
  auto next_train = train.begin();
  auto next_valid = valid.begin();
  for (const std::string& document : all) {
    EXPECT_EQ(document, held_out.contains(document) ? *next_valid++ : *next_train++);
  }
}

TEST_F(TokenFileTest, TheSplitDependsOnTheDocumentsAlone) {
  const TokenFile file = make(0.2);
  const std::vector<std::string> before = split_documents(text(file, 1));
  const std::string corpus = io::read_file(directory_ / "corpus.txt");
  io::write_file(directory_ / "corpus.txt", "A new document.\n\n" + corpus);
  const TokenFile longer = make(0.2);
  EXPECT_NE(longer.key(), file.key());
  std::vector<std::string> after = split_documents(text(longer, 1));
  std::erase(after, "A new document.");
  EXPECT_EQ(before, after);
}

TEST_F(TokenFileTest, SameBytesForAnyNumberOfThreads) {
  make(0.2, 1);
  const std::string expected = io::read_file(directory_ / "tokens.bin");
  fs::remove(directory_ / "tokens.bin");
  make(0.2, 4);
  EXPECT_EQ(io::read_file(directory_ / "tokens.bin"), expected);
}

// Which file it is: times are too coarse to tell two that follow each other.
ino_t file_number(const fs::path& file) {
  struct stat status = {};
  EXPECT_EQ(::stat(file.c_str(), &status), 0);
  return status.st_ino;
}

TEST_F(TokenFileTest, IsMadeOnceAndAgainWhenTheCorpusChanges) {
  make(0.2);
  const ino_t made = file_number(directory_ / "tokens.bin");
  make(0.2);
  EXPECT_EQ(file_number(directory_ / "tokens.bin"), made);
  make(0.1);
  EXPECT_NE(file_number(directory_ / "tokens.bin"), made);
}

TEST_F(TokenFileTest, OneLongDocumentGivesItsEndForValidation) {
  std::string document;
  for (int i = 0; i < 3000; ++i) document += "The cat sits on the mat and sings.\n";
  io::write_file(directory_ / "corpus.txt", document);
  const TokenFile file = make(1e-9);
  EXPECT_EQ(file.streams()[1].count, 1024u);
  EXPECT_EQ(text(file, 0) + text(file, 1),
            "<|endoftext|>" + document.substr(0, document.size() - 1) + "<|endoftext|>");
}

TEST_F(TokenFileTest, AnOnlyDocumentIsLearnedFromEvenIfTheDrawTakesIt) {
  std::string document;
  for (int i = 0; i < 3000; ++i) document += "The cat sits on the mat and sings.\n";
  document.pop_back();
  io::write_file(directory_ / "corpus.txt", document);
  const TokenFile file = make(1 - 1e-9);
  EXPECT_GT(file.streams()[0].count, 9 * file.streams()[1].count - 10);
  EXPECT_GT(file.streams()[1].count, 1000u);
  EXPECT_EQ(text(file, 0) + text(file, 1), "<|endoftext|>" + document + "<|endoftext|>");
}

TEST_F(TokenFileTest, TheDrawNeverTakesMostOfTheText) {
  int drawn = 0;
  for (int number = 0; number < 20; ++number) {
    // The second document is nearly all of the text.
    std::string longest = "Number " + std::to_string(number);
    for (int i = 0; i < 3000; ++i) longest += " The cat sits on the mat and sings.";
    io::write_file(directory_ / "corpus.txt",
                   "A short one.\n\n" + longest + "\n\nWho has seen the wind?\n");
    fs::remove(directory_ / "tokens.bin");
    const TokenFile file = make(0.3);
    EXPECT_GE(file.streams()[0].count, file.streams()[1].count) << number;
    const std::string all = text(file, 0) + text(file, 1);
    for (const char* part : {"<|endoftext|>A short one.", "<|endoftext|>Number ",
                             "<|endoftext|>Who has seen the wind?"})
      EXPECT_NE(all.find(part), std::string::npos) << number << " " << part;
    for (const std::size_t stream : {0, 1})
      EXPECT_EQ(text(file, stream).find("<|endoftext|><|endoftext|>"), std::string::npos) << number;
    if (static_cast<double>(training::Hasher().add(longest).value()) < 0.3 * 0x1p64) ++drawn;
  }
  EXPECT_GT(drawn, 0);
}

TEST_F(TokenFileTest, ADocumentLongerThanABatchIsEncodedInPartsWithTheIdsOfTheWhole) {
  constexpr std::size_t kLength = std::size_t{20} << 20;
  const std::string sentence = "The cat sits on the mat.  \xE7\x8C\xAB\xE5\x9D\x90 12345 rain";
  for (const char* end : {"", "\n"}) {
    std::string document;
    while (document.size() < kLength) document += sentence + end;
    io::write_file(directory_ / "corpus.txt", document);
    fs::remove(directory_ / "tokens.bin");
    std::vector<std::uint64_t> progress;
    const TokenFile file =
        TokenFile::open_or_make(directory_ / "tokens.bin", {{directory_ / "corpus.txt"}, {}, 0.0},
                                tokenizer_, 2, [&](std::uint64_t done, std::uint64_t total) {
                                  EXPECT_EQ(total, document.size());
                                  EXPECT_LE(done, total);
                                  progress.push_back(done);
                                });
    EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
    // No batch is much larger than its 8 MiB.
    for (std::size_t i = 1; i < progress.size(); ++i)
      EXPECT_LT(progress[i] - progress[i - 1], std::size_t{9} << 20);
    ASSERT_GE(progress.size(), 3u);
    EXPECT_LT(progress[0], std::size_t{9} << 20);

    std::vector<TokenId> ids(file.streams()[0].count);
    file.read(0, 0, ids);
    if (*end != '\0') document.pop_back();  // the last line's end is none of the document's
    std::vector<TokenId> expected = tokenizer_.encode(document);
    expected.insert(expected.begin(), *tokenizer_.special_id("<|endoftext|>"));
    expected.push_back(expected.front());
    EXPECT_TRUE(ids == expected) << ids.size() << " " << expected.size();
  }
}

TEST_F(TokenFileTest, DamageIsFoundAndMended) {
  make(0.2);
  const fs::path file = directory_ / "tokens.bin";
  const std::string good = io::read_file(file);
  const std::size_t vocab = tokenizer_.vocab_size();
  for (std::size_t size = 0; size < good.size(); size += 1 + size / 8) {
    io::write_file(file, good.substr(0, size));
    expect_error([&] { TokenFile(file, vocab); }, ErrorCode::kMalformed, "", file.string());
  }
  for (std::size_t at = 0; at < good.size(); at += at < 64 ? 1 : 997) {
    if (at >= 16 && at < 64) continue;  // the key and the zeros: another key is another file
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    io::write_file(file, bad);
    EXPECT_THROW(TokenFile(file, vocab), Error) << at;
  }
  io::write_file(file, good);
  EXPECT_NO_THROW(TokenFile(file, vocab));
  expect_error([&] { TokenFile(file, 5); }, ErrorCode::kOutOfRange, "is not below 5");
  io::write_file(file, good.substr(0, good.size() / 2));
  make(0.2);
  EXPECT_EQ(io::read_file(file), good);
}

}  // namespace
}  // namespace glassgpt::testing
