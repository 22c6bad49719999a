#include "io/json.h"

#include "io/file.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

// The independent reader of the same library, which builds its values by itself.
TEST(Json, BuildsTheSameValueAsThePlainParser) {
  for (const char* text :
       {"null", "true", "0", "-7", "18446744073709551615", "1.5e-3", "\"\"", "[]", "{}",
        "[[],{},[[1,[2]],3],\"x\",null]", "{\"a\":{\"b\":[1,{\"c\":2}],\"d\":{}},\"e\":[],\"\":0}",
        "\"\\u4f60\\ud83d\\ude00\\n\"", " [ 1 , 2 ]\n", "\xef\xbb\xbf[1]"}) {
    EXPECT_EQ(parse_json(text, "n"), nlohmann::json::parse(text)) << text;
  }
}

TEST(Json, KeepsNumbersAsTheyAre) {
  EXPECT_TRUE(parse_json("1", "n").is_number_unsigned());
  EXPECT_FALSE(parse_json("-1", "n").is_number_unsigned());
  EXPECT_FALSE(parse_json("1.0", "n").is_number_unsigned());
  EXPECT_FALSE(parse_json("18446744073709551616", "n").is_number_unsigned());
}

TEST(Json, SaysWhereAndWhyTextIsNotJson) {
  const auto fails = [](const std::string& text, const std::string& part) {
    expect_error([&] { parse_json(text, "some/file.json"); }, ErrorCode::kMalformed, part,
                 "some/file.json");
  };
  fails("", "at byte 1 (unexpected end of input)");
  fails("[1,", "at byte 4 (unexpected end of input)");
  fails("{a}", "at byte 2 (invalid literal)");
  fails("[1] 2", "at byte 5");
  fails("[1e999]", "at byte 6");
  fails("\"\xff\"", "at byte 2");
  fails(std::string("\"a\0b\"", 5), "at byte 3 (a zero byte)");
  fails(std::string("[1]\0trailing", 12), "at byte 4 (a zero byte)");
  fails("[\"" + std::string(100000, 'x') + "\n\"]", "at byte");
  fails("{\"a\":1,\"b\":2,\"a\":3}", "the key \"a\" stands twice");
  fails("[{\"k\\n\":1,\"k\\n\":1}]", "the key \"k\\n\" stands twice");
}

TEST(Json, RefusesWhatIsNestedTooDeepWithoutTouchingTheStack) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(64), "n"));
  expect_error([&] { parse_json(nested(65), "n"); }, ErrorCode::kOutOfRange, "deeper than 64");
  expect_error([&] { parse_json(std::string(50'000'000, '['), "n"); }, ErrorCode::kOutOfRange,
               "deeper than 64");
  std::string objects;
  for (int i = 0; i < 100; ++i) objects += "{\"a\":";
  expect_error([&] { parse_json(objects, "n"); }, ErrorCode::kOutOfRange, "deeper than 64");
  // Even where the limit lets it through, building and destroying do not recurse.
  EXPECT_NO_THROW(parse_json(nested(1'000'000), "n", {.max_depth = 2'000'000}));
}

TEST(Json, RefusesTooManyBytesAndTooManyValues) {
  expect_error([] { parse_json("[1,2]", "n", {.max_bytes = 4}); }, ErrorCode::kOutOfRange,
               "4 bytes");
  EXPECT_NO_THROW(parse_json("[1,2]", "n", {.max_values = 3}));
  expect_error([] { parse_json("[1,2]", "n", {.max_values = 2}); }, ErrorCode::kOutOfRange,
               "more than 2 values");
  expect_error([] { parse_json("{\"a\":1}", "n", {.max_values = 2}); }, ErrorCode::kOutOfRange,
               "more than 2 values");
  const TemporaryDirectory directory;
  write_file(directory / "j", "[1,2]");
  EXPECT_EQ(read_json(directory / "j").size(), 2u);
  expect_error([&] { read_json(directory / "j", {.max_bytes = 4}); }, ErrorCode::kOutOfRange,
               "4 bytes", (directory / "j").string());
  expect_error([&] { read_json(directory / "k"); }, ErrorCode::kNotFound, "No such file");
}

TEST(QuoteName, StaysOnOneShortLineWhateverTheBytes) {
  EXPECT_EQ(quote_name("wte.weight"), "\"wte.weight\"");
  EXPECT_EQ(quote_name("a\n\"\t\x01"), "\"a\\n\\\"\\t\\u0001\"");
  EXPECT_EQ(quote_name("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_LT(quote_name(std::string(100000, '\x01')).size(), 600u);
}

}  // namespace
}  // namespace glassgpt::io
