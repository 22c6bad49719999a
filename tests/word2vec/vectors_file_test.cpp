// word2vec's files: what is written reads back, here and in gensim and fastText, and what is broken
// is refused.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>

#include "../io/python.h"
#include "../io/temporary_directory.h"
#include "glassgpt/word2vec.h"
#include "tests/io/small_disk.h"

namespace glassgpt::testing {
namespace {

namespace fs = std::filesystem;

class WordVectorsFile : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
    return directory_ / name;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(directory_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  TemporaryDirectory directory_;
};

WordVectors odd_vectors() {
  const std::vector<std::string> words = {"river",      "北京", "1.5",  "don’t",
                                          "\"quoted\"", "🙂", "#",    "é",
                                          "e\xcc\x81",  "-",    "</s>", "0x10"};
  std::vector<float> values;
  for (std::size_t i = 0; i < 3 * words.size(); ++i) {
    values.push_back(std::sin(static_cast<float>(i)) * std::pow(10.0f, static_cast<float>(i) - 18));
  }
  values[0] = 0.0f;
  values[1] = -0.0f;
  values[2] = std::numeric_limits<float>::denorm_min();
  values[3] = std::numeric_limits<float>::max();
  values[4] = 1.0f;
  return {words, 3, values};
}

void expect_same(const WordVectors& a, const WordVectors& b) {
  ASSERT_EQ(a.size(), b.size());
  ASSERT_EQ(a.dim(), b.dim());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a.word(i), b.word(i));
    for (std::size_t c = 0; c < a.dim(); ++c) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(a.vector(i)[c]),
                std::bit_cast<std::uint32_t>(b.vector(i)[c]))
          << a.word(i) << " " << c;
    }
  }
}

TEST_F(WordVectorsFile, TextAndBinaryReadBackBitForBit) {
  const WordVectors vectors = odd_vectors();
  vectors.save_text(directory_ / "text");
  expect_same(WordVectors::load(directory_ / "text"), vectors);
  vectors.save_binary(directory_ / "binary");
  expect_same(WordVectors::load(directory_ / "binary"), vectors);
}

TEST_F(WordVectorsFile, AreLaidOutAsWord2vecDoes) {
  const WordVectors vectors({"a", "北"}, 2, {1.0f, -0.5f, 0.1f, 2e30f});
  vectors.save_text(directory_ / "text");
  EXPECT_EQ(read("text"), "2 2\na 1 -0.5\n北 0.1 2e+30\n");
  vectors.save_binary(directory_ / "binary");
  std::string expected = "2 2\na ";
  const float values[] = {1.0f, -0.5f, 0.1f, 2e30f};
  expected.append(reinterpret_cast<const char*>(values), 8).append("\n北 ");
  expected.append(reinterpret_cast<const char*>(values + 2), 8).append("\n");
  EXPECT_EQ(read("binary"), expected);
}

TEST_F(WordVectorsFile, ReadsWhatOthersWrite) {
  // fastText ends lines with a blank; words may hold blanks; numbers may leave float's range.
  const WordVectors text =
      WordVectors::load(write("text", "3 2\r\nnew york 1 2 \r\nx 1e-60 -1e60\r\ny 3 4"));
  EXPECT_EQ(text.word(0), "new york");
  EXPECT_EQ(text.vector(1)[0], 0.0f);
  EXPECT_TRUE(std::isinf(text.vector(1)[1]));
  EXPECT_EQ(text.vector(2)[1], 4.0f);
  // gensim writes no line ends between binary vectors.
  const float values[] = {1.0f, -0.5f};
  std::string bytes = "2 1\na ";
  bytes.append(reinterpret_cast<const char*>(values), 4).append("b ");
  bytes.append(reinterpret_cast<const char*>(values + 1), 4);
  const WordVectors binary = WordVectors::load(write("binary", bytes));
  EXPECT_EQ(binary.word(1), "b");
  EXPECT_EQ(binary.vector(1)[0], -0.5f);
  EXPECT_EQ(WordVectors::load(write("none", "0 5\n")).size(), 0u);
  EXPECT_EQ(WordVectors::load(write("none", "0 9223372036854775807\n")).size(), 0u);
  // The first of two equal words is found.
  EXPECT_EQ(WordVectors::load(write("twice", "2 1\na 1\na 2\n")).find("a"), 0u);
}

TEST_F(WordVectorsFile, RefusesWhatIsBroken) {
  const auto refused = [&](const std::string& bytes, const std::string& part) {
    const fs::path file = write("broken", bytes);
    expect_error([&] { WordVectors::load(file); }, ErrorCode::kMalformed, part, file.string());
  };
  refused("", "empty");
  refused("hello\n", "first line");
  refused("2\n", "first line");
  refused("-1 2\na 1 2\n", "first line");
  refused("1 2 3\na 1 2\n", "first line");
  refused("99999999999999999999 2\n", "first line");
  refused("2 0\na\nb\n", "no numbers");
  refused("18446744073709551615 18446744073709551615\na 1\n", "are announced");
  refused("4294967296 4294967296\na 1\n", "are announced");
  refused("3 2\na 1 2\nb 1 2\n", "ends after 2 of 3");
  refused("2 2\na 1 2\nb 1 x\n", "line 3 is not");
  refused("2 2\na 1 2\nb 1\n", "line 3 is not");
  refused("2 2\na 1 2\nb 1 2\nc 3 4\n", "more after the 2");
  refused(std::string("\x7f"
                      "ELF\x02\x01\x01\0\0\0\0",
                      11),
          "first line");
  refused("2 1\na \1\2\3\4\nb \1\2", "ends after 1 of 2");
  refused("1 1\na \1\2\3\4xyz", "more after");
  refused(std::string("1 2\n\nx \1\2\3\4\5\6\7\0", 15), "word 1 is none");
  expect_error([&] { WordVectors::load(directory_ / "none"); }, ErrorCode::kNotFound, "none");
}

// Each beginning of a good file is refused or read, never more than is there.
TEST_F(WordVectorsFile, EveryTruncationIsRefused) {
  const WordVectors vectors({"aa", "bb"}, 2, {1.25f, -0.5f, 3.75f, 2e30f});
  vectors.save_text(directory_ / "text");
  vectors.save_binary(directory_ / "binary");
  for (const char* name : {"text", "binary"}) {
    const std::string whole = read(name);
    for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
      try {
        const WordVectors some = WordVectors::load(write("cut", whole.substr(0, length)));
        // Cut digits of the last number are a number too: text cannot tell.
        EXPECT_STREQ(name, "text");
        EXPECT_GT(length, whole.size() - 6);
        EXPECT_EQ(some.size(), 2u);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kMalformed);
      }
    }
  }
}

TEST_F(WordVectorsFile, AFullDiskIsAnErrorAndLeavesNothing) {
  const SmallDisk small(directory_ / "disk", "64k");
  if (!small.mounted()) GTEST_SKIP() << "no tmpfs can be mounted here: " << small.why();
  const fs::path& disk = small.path();
  std::vector<std::string> words;
  for (int i = 0; i < 1000; ++i) words.push_back("word" + std::to_string(i));
  const WordVectors vectors(words, 100, std::vector<float>(100000, 0.125f));
  expect_error([&] { vectors.save_text(disk / "text"); }, ErrorCode::kUnwritable, "text");
  expect_error([&] { vectors.save_binary(disk / "binary"); }, ErrorCode::kUnwritable, "binary");
  EXPECT_TRUE(fs::is_empty(disk));
}

// gensim as a genuine peer, where it is installed.
TEST_F(WordVectorsFile, GensimReadsBothAndOursReadsGensims) {
  int status = 0;
  run_python("import gensim", status);
  if (status != 0) GTEST_SKIP() << "needs gensim for /usr/bin/python3 (python3-gensim)";
  const WordVectors vectors = odd_vectors();
  vectors.save_text(directory_ / "text.vec");
  vectors.save_binary(directory_ / "binary.bin");
  const std::string place = directory_.path().string() + "/";
  const std::string printed = run_python(
      "from gensim.models import KeyedVectors as K\n"
      "for name, binary in ((\"text.vec\", False), (\"binary.bin\", True)):\n"
      "  v = K.load_word2vec_format(\"" +
          place +
          "\" + name, binary=binary)\n"
          "  print(len(v), v.vector_size)\n"
          "  for word in v.index_to_key:\n"
          "    print(word.encode().hex(), v[word].astype(\"<f4\").tobytes().hex())\n"
          "  v.save_word2vec_format(\"" +
          place + "again\" + name, binary=binary)\n",
      status);
  ASSERT_EQ(status, 0) << printed;
  const auto hex = [](const void* data, std::size_t bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes; ++i) {
      text += "0123456789abcdef"[static_cast<const unsigned char*>(data)[i] >> 4];
      text += "0123456789abcdef"[static_cast<const unsigned char*>(data)[i] & 15];
    }
    return text;
  };
  std::string expected = std::to_string(vectors.size()) + " 3\n";
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    expected += hex(vectors.word(i).data(), vectors.word(i).size()) + " " +
                hex(vectors.vector(i).data(), 12) + "\n";
  }
  EXPECT_EQ(printed, expected + expected);
  expect_same(WordVectors::load(directory_ / "againbinary.bin"), vectors);
  EXPECT_EQ(WordVectors::load(directory_ / "againtext.vec").size(), vectors.size());
}

// fastText takes text files as pretrained vectors: trained for no epochs, it gives them back.
TEST_F(WordVectorsFile, FastTextReadsText) {
  int status = 0;
  run_python("import subprocess; subprocess.run([\"fasttext\"], capture_output=True)", status);
  if (status != 0) GTEST_SKIP() << "needs fastText's program (fasttext)";
  const WordVectors vectors({"river", "北京", "don’t"}, 3,
                            {0.5f, -1.25f, 3.0f, 1e-3f, 2.0f, -8.0f, 0.25f, 0.125f, 42.0f});
  vectors.save_text(directory_ / "words.vec");
  write("corpus", "river 北京 don’t\nriver 北京 don’t\n");
  const std::string place = directory_.path().string() + "/";
  const std::string printed = run_python(
      "import subprocess\n"
      "subprocess.run([\"fasttext\", \"skipgram\", \"-input\", \"" +
          place + "corpus\", \"-output\", \"" + place +
          "out\", \"-dim\", \"3\", \"-epoch\", \"0\", \"-minCount\", \"1\", \"-minn\", \"0\", "
          "\"-maxn\", \"0\", \"-thread\", \"1\", \"-pretrainedVectors\", \"" +
          place +
          "words.vec\"], "
          "check=True, capture_output=True)\n"
          "print(subprocess.run([\"fasttext\", \"print-word-vectors\", \"" +
          place +
          "out.bin\"], "
          "input=\"river 北京 don’t\".encode(), check=True, capture_output=True).stdout.decode(), "
          "end=\"\")\n",
      status);
  ASSERT_EQ(status, 0) << printed;
  EXPECT_EQ(printed, "river 0.5 -1.25 3 \n北京 0.001 2 -8 \ndon’t 0.25 0.125 42 \n");
}

TEST(WordVectorsSearch, NearestByCosineWithoutTheLeftOut) {
  const WordVectors vectors({"east", "north", "west", "also east", "none"}, 2,
                            {1, 0, 0, 2, -3, 0, 5, 0, 0, 0});
  const std::size_t left_out[] = {0};
  const auto found = vectors.nearest(vectors.vector(0), 10, left_out);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].word, 3u);
  EXPECT_FLOAT_EQ(found[0].cosine, 1.0f);
  EXPECT_EQ(found[1].word, 1u);  // before "none", which is as far
  EXPECT_EQ(found[2].word, 4u);
  EXPECT_EQ(found[3].word, 2u);
  EXPECT_FLOAT_EQ(found[3].cosine, -1.0f);
  EXPECT_EQ(vectors.nearest(vectors.vector(0), 1).front().word, 0u);
  const float wrong[] = {1, 2, 3};
  EXPECT_THROW(vectors.nearest(wrong, 1), std::invalid_argument);
  EXPECT_EQ(vectors.find("west"), 2u);
  EXPECT_FALSE(vectors.find("wes").has_value());
  EXPECT_FALSE(vectors.find("zzz").has_value());
  EXPECT_THROW(WordVectors({"a"}, 2, {1.0f}), std::invalid_argument);
}

TEST(WordVectorsSearch, AnalogyAddsDirectionsAndLeavesTheGivenOut) {
  // Lengths differ: only directions count.
  const WordVectors vectors({"man", "king", "woman", "queen", "other"}, 3,
                            {1, 0, 0, 1, 0, 1, 0, 10, 0, 0, 0.1f, 0.1f, 1, -1, -1});
  const auto found = vectors.analogy(0, 1, 2, 5);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(vectors.word(found[0].word), "queen");
}

}  // namespace
}  // namespace glassgpt::testing
