// The parts of the command line that have promises of their own.
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "cli/display.h"
#include "cli/embed_writers.h"
#include "cli/json_text.h"
#include "cli/sha256.h"
#include "cli/utf8.h"
#include "glassgpt/error.h"
#include "io/npz.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::cli {
namespace {

std::string as_json(float value) {
  std::string out;
  append_json_float(out, value);
  return out;
}

TEST(JsonText, FloatsReadBackAsTheSameBits) {
  std::uint32_t bits = 1;
  for (int i = 0; i < 100000; ++i, bits += 42949) {
    float value, back;
    std::memcpy(&value, &bits, 4);
    if (!std::isfinite(value)) continue;
    back = nlohmann::json::parse(as_json(value)).get<float>();
    EXPECT_EQ(std::memcmp(&value, &back, 4), 0) << as_json(value);
  }
  EXPECT_EQ(as_json(-0.0f), "-0.0");
  EXPECT_EQ(as_json(0.1f), "0.1");
  EXPECT_EQ(as_json(16777216.0f), "16777216.0");
}

TEST(JsonText, WhatJsonHasNoNumberForBecomesNull) {
  const float values[] = {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), 1.0f,
                          -std::numeric_limits<float>::infinity()};
  std::string out;
  EXPECT_EQ(append_json_floats(out, values, 4), 3u);
  EXPECT_EQ(out, "[null,null,1.0,null]");
}

TEST(JsonText, StringsAreValidJsonWhateverTheBytes) {
  for (int a = 0; a < 256; ++a) {
    for (const char* tail : {"", "x", "\x80", "\xBF\xBF", "\x9F\x80\x80"}) {
      const std::string bytes = std::string(1, static_cast<char>(a)) + tail;
      const auto parsed = nlohmann::json::parse(json_string(bytes), nullptr, false);
      ASSERT_FALSE(parsed.is_discarded()) << a;
    }
  }
  EXPECT_EQ(json_string("a\"\\\n\t\r\x01\x7f猫"), "\"a\\\"\\\\\\n\\t\\r\\u0001\\u007f猫\"");
  // As Python's bytes.decode("utf-8", "replace") does.
  EXPECT_EQ(json_string("\xe4\xbd"
                        "a\xff\xf0\x9f\x98"),
            "\"\uFFFDa\uFFFD\uFFFD\"");
  EXPECT_EQ(json_string("\xed\xa0\x80"), "\"\uFFFD\uFFFD\uFFFD\"");  // a surrogate
  EXPECT_EQ(json_string("\xc0\xaf"), "\"\uFFFD\uFFFD\"");            // overlong
}

TEST(Utf8, IncompleteTailsAreHeldBack) {
  EXPECT_EQ(complete_utf8_prefix("a猫"), 4u);
  EXPECT_EQ(complete_utf8_prefix("a\xe7\x8c"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xf0\x9f\x98"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\x80\x80"), 3u);  // nothing can complete these
  EXPECT_EQ(complete_utf8_prefix("\xe0\x80"), 2u);   // overlong: no more bytes can help
  EXPECT_EQ(complete_utf8_prefix(""), 0u);
}

TEST(Display, ChineseCharactersAreTwoColumnsWide) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("猫坐"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  Table table({Table::Align::kLeft, Table::Align::kRight});
  table.add_row({"猫", "1"});
  table.add_row({"cat", "22"});
  EXPECT_EQ(table.to_string(), "猫    1\ncat  22\n");
}

TEST(Display, TokensAreReadableAndHarmless) {
  EXPECT_EQ(readable_token(" cat"), "\" cat\"");
  EXPECT_EQ(readable_token("\xe4\xbd"), "<E4 BD>");
  EXPECT_EQ(readable_token("猫\xe4\xbd"), "\"猫<E4 BD>\"");
  EXPECT_EQ(readable_token("\n\x1b[2J"), "\"\\n\\u{1b}[2J\"");
  EXPECT_EQ(readable_token("\u202e"), "\"\\u{202e}\"");
  EXPECT_EQ(readable_token("a\"b\\"), "\"a\\\"b\\\\\"");
}

TEST(Sha256, MatchesThePublishedExamples) {
  const auto hash = [](std::string_view text) {
    return sha256(std::as_bytes(std::span(text.data(), text.size())));
  };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(NpzResult, IsRefusedAsSoonAsItPassesTheFormatsLimit) {
  const testing::TemporaryDirectory directory;
  constexpr std::size_t kCols = 1024, kRows = std::size_t{1} << 20;  // 4 GiB
  EmbedTarget target{(directory / "v.npz").string(),
                     {{Stage::kFinal, 0, "final", "final", kCols}},
                     false,
                     nullptr,
                     {}};
  const std::vector<float> row(kCols);
  const auto writer = make_npz_writer(target);
  writer->on_rows(0, row.data(), 1, kCols);
  EXPECT_THROW(writer->on_rows(0, row.data(), kRows, 0), Error);
  target.half = true;
  const auto half = make_npz_writer(target);
  EXPECT_THROW(half->on_rows(0, row.data(), 2 * kRows, 0), Error);
}

TEST(Crc32, MatchesTheCheckValue) {
  EXPECT_EQ(io::crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(io::crc32("6789", io::crc32("12345")), 0xCBF43926u);
}

}  // namespace
}  // namespace glassgpt::cli
