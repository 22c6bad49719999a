#include "io/gguf.h"

#include <limits>

#include "tests/io/gguf_bytes.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::as_bytes;
using testing::expect_error;
using testing::gguf_string;
using testing::gguf_tensor;
using testing::gguf_value;
using testing::GgufParts;
using testing::raw;
using testing::TemporaryDirectory;

const std::string kUint32 = raw(std::uint32_t{4}), kText = raw(std::uint32_t{8});

// A value of each kind that the writer knows, and two tensors.
std::string written_file(const std::filesystem::path& file) {
  GgufMetadata metadata, more;
  metadata.add_text("general.architecture", "gpt2");
  metadata.add_whole_number("a.number", 4000000000u);
  metadata.add_number("a.float", 1e-5f);
  metadata.add_flag("a.flag", true);
  const std::string texts[] = {"", "\xC4\xA0the", "b"};
  more.add_texts("some.texts", texts);
  const std::int32_t numbers[] = {3, 1, 2147483647};
  more.add_whole_numbers("some.numbers", numbers);
  metadata.append(more);
  GgufWriter writer(file, metadata,
                    {{.name = "m", .shape = {2, 3}, .type = DType::kF32},
                     {.name = "v", .shape = {3}, .type = DType::kBF16}});
  const float matrix[] = {1, 2, 3, 4, 5, 6}, vector[] = {-1, 0.5f, 0};
  writer.add(matrix);
  writer.add(vector);
  writer.finish();
  return read_file(file);
}

TEST(GgufFormat, AFileHasTheBytesThatTheFormatSays) {
  const TemporaryDirectory directory;
  GgufMetadata metadata;
  metadata.add_text("k", "v!");
  metadata.add_whole_number("n", 258);
  GgufWriter writer(directory / "f", metadata,
                    {{.name = "t", .shape = {2, 3}, .type = DType::kF16}});
  const float values[] = {1, 2, 3, 4, 5, -2};
  writer.add(values);
  writer.finish();
  const std::string expected(
      "GGUF\x03\0\0\0"                                     // magic, version
      "\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"               // one tensor, two values
      "\x01\0\0\0\0\0\0\0k\x08\0\0\0\x02\0\0\0\0\0\0\0v!"  // a string
      "\x01\0\0\0\0\0\0\0n\x04\0\0\0\x02\x01\0\0"          // an uint32
      "\x01\0\0\0\0\0\0\0t\x02\0\0\0"                      // the tensor, two dimensions,
      "\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"               // the fastest first,
      "\x01\0\0\0\0\0\0\0\0\0\0\0"                         // float16, at offset 0
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"     // up to a multiple of 32
      "\0\x3C\0\x40\0\x42\0\x44\0\x45\0\xC0"               // 1 2 3 4 5 -2
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",          // and again
      8 + 16 + 23 + 17 + 13 + 16 + 12 + 23 + 12 + 20);
  const std::string found = read_file(directory / "f");
  EXPECT_EQ(found.size() % 32, 0u);
  EXPECT_EQ(found, expected);
}

TEST(GgufFormat, WhatIsWrittenIsReadBack) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f");
  EXPECT_TRUE(begins_like_gguf(as_bytes(bytes)));
  const GgufContents file = parse_gguf(as_bytes(bytes), "f");
  EXPECT_EQ(file.text("general.architecture"), "gpt2");
  EXPECT_EQ(file.whole_number("a.number"), 4000000000u);
  EXPECT_EQ(file.number("a.float"), 1e-5f);
  EXPECT_EQ(file.flag("a.flag"), true);
  EXPECT_EQ(file.texts("some.texts"), (std::vector<std::string_view>{"", "\xC4\xA0the", "b"}));
  EXPECT_EQ(file.whole_numbers("some.numbers"), (std::vector<std::uint64_t>{3, 1, 2147483647}));
  EXPECT_EQ(file.metadata().size(), 6u);
  EXPECT_FALSE(file.text("another"));
  ASSERT_EQ(file.tensors().size(), 2u);
  const TensorView& matrix = *file.find("m");
  EXPECT_EQ(matrix.shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(matrix.dtype_name, "F32");
  std::vector<float> values(6);
  to_float(matrix, values.data());
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  values.resize(3);
  to_float(*file.find("v"), values.data());
  EXPECT_EQ(values, (std::vector<float>{-1, 0.5f, 0}));
  EXPECT_EQ(file.find("x"), nullptr);
}

TEST(GgufFormat, EveryTypeOfIntegerIsAWholeNumberUnlessItIsNegative) {
  GgufParts parts;
  parts.values = {gguf_value("u8", 0, raw(std::uint8_t{200})),
                  gguf_value("i8", 1, raw(std::int8_t{100})),
                  gguf_value("u16", 2, raw(std::uint16_t{60000})),
                  gguf_value("i16", 3, raw(std::int16_t{30000})),
                  gguf_value("i32", 5, raw(std::int32_t{7})),
                  gguf_value("u64", 10, raw(std::uint64_t{1} << 40)),
                  gguf_value("i64", 11, raw(std::int64_t{1} << 41)),
                  gguf_value("f64", 12, raw(0.5)),
                  gguf_value("minus8", 1, raw(std::int8_t{-1})),
                  gguf_value("minus64", 11, raw(std::int64_t{-1}))};
  const std::string bytes = parts.bytes();
  const GgufContents file = parse_gguf(as_bytes(bytes), "f");
  EXPECT_EQ(file.whole_number("u8"), 200u);
  EXPECT_EQ(file.whole_number("i8"), 100u);
  EXPECT_EQ(file.whole_number("u16"), 60000u);
  EXPECT_EQ(file.whole_number("i16"), 30000u);
  EXPECT_EQ(file.whole_number("i32"), 7u);
  EXPECT_EQ(file.whole_number("u64"), std::uint64_t{1} << 40);
  EXPECT_EQ(file.whole_number("i64"), std::uint64_t{1} << 41);
  EXPECT_EQ(file.number("f64"), 0.5f);
  for (const char* key : {"minus8", "minus64"}) {
    expect_error([&] { file.whole_number(key); }, ErrorCode::kMalformed, key, "f");
  }
}

TEST(GgufFormat, AValueOfAnotherKindIsNamed) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f");
  const GgufContents file = parse_gguf(as_bytes(bytes), "f");
  const auto refused = [&](const auto& get, const std::string& part) {
    expect_error(get, ErrorCode::kMalformed, part, "f");
  };
  refused([&] { file.whole_number("a.float"); }, "\"a.float\" is not a whole number");
  refused([&] { file.whole_number("some.numbers"); }, "\"some.numbers\" is not one value");
  refused([&] { file.number("a.number"); }, "\"a.number\" is not a number with a point");
  refused([&] { file.flag("a.number"); }, "\"a.number\" is not true or false");
  refused([&] { file.text("a.flag"); }, "\"a.flag\" is not a string");
  refused([&] { file.texts("general.architecture"); }, "is not an array");
  refused([&] { file.texts("some.numbers"); }, "\"some.numbers\" is not an array of strings");
  refused([&] { file.whole_numbers("some.texts"); }, "\"some.texts\" is not a whole number");
}

TEST(GgufFormat, ATruncatedFileIsRefusedAtEveryByte) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f");
  const std::size_t last_padding = 32 - 3 * 2;  // behind three bfloat16
  for (std::size_t size = 0; size < bytes.size() - last_padding; ++size) {
    const std::string cut = bytes.substr(0, size);
    expect_error([&] { parse_gguf(as_bytes(cut), "f"); }, ErrorCode::kMalformed, "", "f");
  }
  const std::string whole = bytes.substr(0, bytes.size() - last_padding);
  EXPECT_NO_THROW(parse_gguf(as_bytes(whole), "f"));
}

void expect_malformed(const GgufParts& parts, const std::string& part) {
  const std::string bytes = parts.bytes();
  expect_error([&] { parse_gguf(as_bytes(bytes), "f"); }, ErrorCode::kMalformed, part, "f");
}

TEST(HostileGguf, CountsBeyondTheFileTakeNoMemory) {
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  const GgufParts empty;
  for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{1} << 40, kHuge}) {
    for (const std::string& bytes : {empty.bytes(count, 0), empty.bytes(0, count)}) {
      expect_error([&] { parse_gguf(as_bytes(bytes), "f"); }, ErrorCode::kMalformed, "claims");
    }
  }
  for (const std::uint64_t count : {std::uint64_t{9}, std::uint64_t{1} << 61, kHuge}) {
    GgufParts parts;
    parts.values = {gguf_value("k", 9, kUint32 + raw(count) + "12345678")};
    expect_malformed(parts, "claims " + std::to_string(count) + " elements");
    parts.values = {gguf_value("k", 9, kText + raw(count) + std::string(40, '\0'))};
    expect_malformed(parts, "claims " + std::to_string(count) + " strings");
    parts.values = {gguf_value("k", 8, raw(count + 60))};
    expect_malformed(parts, "ends inside");
  }
}

TEST(HostileGguf, ValuesThatBreakTheFormatAreNamed) {
  GgufParts parts;
  parts.values = {gguf_value("twice", 4, kUint32), gguf_value("twice", 4, kUint32)};
  expect_malformed(parts, "\"twice\" stands there twice");
  parts.values = {gguf_value("k", 13, std::string(64, '\0'))};
  expect_malformed(parts, "\"k\" has the unknown type 13");
  parts.values = {gguf_value("k", 9, raw(std::uint32_t{77}) + std::string(64, '\0'))};
  expect_malformed(parts, "\"k\" has the unknown type 77");
  parts.values = {gguf_value(std::string(65536, 'k'), 4, kUint32)};
  expect_malformed(parts, "65536 bytes");
  for (const std::uint32_t alignment : {0u, 12u, 0x80000001u}) {
    parts.values = {gguf_value("general.alignment", 4, raw(alignment))};
    expect_malformed(parts, "expected a power of two");
  }
  parts.values = {gguf_value("general.alignment", 8, gguf_string("x"))};
  expect_malformed(parts, "\"general.alignment\" is not a whole number");
  parts.values = {gguf_value("k", 9, raw(std::uint32_t{9}) + raw(std::uint64_t{0}))};
  const std::string nested = parts.bytes();
  expect_error([&] { parse_gguf(as_bytes(nested), "f"); }, ErrorCode::kUnsupported,
               "an array of arrays");
}

TEST(HostileGguf, TensorsThatDoNotLieInTheFileAreNamed) {
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  GgufParts parts;
  parts.data = std::string(64, '\0');
  parts.tensors = {gguf_tensor("t", {16}, 0, 0)};
  EXPECT_NO_THROW(parse_gguf(as_bytes(parts.bytes()), "f"));
  parts.tensors = {gguf_tensor("t", {17}, 0, 0)};
  expect_malformed(parts, "\"t\" has 68 bytes at offset 0");
  parts.tensors = {gguf_tensor("t", {9}, 0, 32)};
  expect_malformed(parts, "\"t\" has 36 bytes at offset 32");
  parts.tensors = {gguf_tensor("t", {1}, 0, kHuge - 31)};
  expect_malformed(parts, "at offset");
  parts.tensors = {gguf_tensor("t", {4}, 0, 4)};
  expect_malformed(parts, "no multiple of 32");
  parts.tensors = {gguf_tensor("t", {kHuge, 2}, 0, 0)};
  expect_malformed(parts, "overflows");
  parts.tensors = {gguf_tensor("t", {1, 1, 1, 1, 1}, 0, 0)};
  expect_malformed(parts, "5 dimensions");
  parts.tensors = {gguf_tensor("t", {8}, 0, 0), gguf_tensor("t", {8}, 0, 32)};
  expect_malformed(parts, "\"t\" stands there twice");
  parts.tensors = {gguf_tensor("b", {8}, 0, 32), gguf_tensor("a", {16}, 0, 0)};
  expect_malformed(parts, "\"b\" at offset 32 overlaps");
  parts.tensors = {gguf_tensor("a", {1}, 0, 0), gguf_tensor("b", {1}, 0, 0)};
  expect_malformed(parts, "overlaps");
  parts.tensors = {gguf_tensor(std::string(64, 't'), {1}, 0, 0)};
  expect_malformed(parts, "a name of 64 bytes");
  parts.tensors = {gguf_tensor("", {1}, 0, 0)};
  expect_malformed(parts, "a name of 0 bytes");
}

TEST(HostileGguf, OtherVersionsAndByteOrdersSayWhatToDo) {
  GgufParts parts;
  EXPECT_NO_THROW(parse_gguf(as_bytes(parts.bytes()), "f"));
  parts.version = 2;
  EXPECT_NO_THROW(parse_gguf(as_bytes(parts.bytes()), "f"));
  const auto refused = [&](std::uint32_t version, const std::string& part) {
    parts.version = version;
    const std::string bytes = parts.bytes();
    expect_error([&] { parse_gguf(as_bytes(bytes), "f"); }, ErrorCode::kUnsupported, part, "f");
  };
  refused(1, "GGUF version 1");
  refused(4, "GGUF version 4");
  refused(0x03000000, "big endian");
  EXPECT_FALSE(begins_like_gguf(as_bytes(std::string("GGU"))));
  const std::string other = "GGMF" + std::string(60, '\0');
  expect_error([&] { parse_gguf(as_bytes(other), "f"); }, ErrorCode::kMalformed, "magic bytes");
}

TEST(HostileGguf, TypesThatAreNotReadKeepTheirNames) {
  GgufParts parts;
  parts.data = std::string(32, '\0');
  parts.tensors = {gguf_tensor("a", {256}, 12, 0), gguf_tensor("b", {32}, 8, 0),
                   gguf_tensor("c", {1}, 26, 4), gguf_tensor("d", {1}, 99, 0)};
  const std::string bytes = parts.bytes();
  const GgufContents file = parse_gguf(as_bytes(bytes), "f");
  const char* const names[] = {"Q4_K", "Q8_0", "I32", "number 99"};
  for (int i = 0; i < 4; ++i) {
    const TensorView& tensor = *file.find(std::string(1, static_cast<char>('a' + i)));
    EXPECT_EQ(tensor.dtype, DType::kOther);
    EXPECT_EQ(tensor.dtype_name, names[i]);
    EXPECT_TRUE(tensor.data.empty());
  }
}

TEST(GgufFormat, AnotherAlignmentIsKept) {
  GgufParts parts;
  parts.alignment = 256;
  parts.values = {gguf_value("general.alignment", 4, raw(std::uint32_t{256}))};
  parts.tensors = {gguf_tensor("t", {1}, 0, 256)};
  parts.data = std::string(256, '\0') + raw(2.5f);
  const std::string bytes = parts.bytes();
  const GgufContents file = parse_gguf(as_bytes(bytes), "f");
  float value = 0;
  to_float(*file.find("t"), &value);
  EXPECT_EQ(value, 2.5f);
}

TEST(GgufWriter, WithoutItsTensorsOrWithWrongOnesThereIsNoFile) {
  const TemporaryDirectory directory;
  const float big = 1e6f;
  {
    GgufWriter writer(directory / "f", {}, {{.name = "t", .shape = {1}, .type = DType::kF16}});
    EXPECT_THROW(writer.finish(), std::invalid_argument);
    EXPECT_THROW(writer.add(&big), std::invalid_argument);
    EXPECT_THROW(writer.add(&big), std::invalid_argument);  // one too many
  }
  const auto make = [&](GgufTensor tensor) {
    GgufWriter writer(directory / "f", {}, {std::move(tensor)});
  };
  EXPECT_THROW(make({.name = "", .shape = {1}, .type = DType::kF32}), std::invalid_argument);
  EXPECT_THROW(make({.name = std::string(64, 't'), .shape = {1}, .type = DType::kF32}),
               std::invalid_argument);
  EXPECT_THROW(make({.name = "t", .shape = {1, 1, 1, 1, 1}, .type = DType::kF32}),
               std::invalid_argument);
  EXPECT_THROW(make({.name = "t", .shape = {1}, .type = DType::kOther}), std::invalid_argument);
  EXPECT_TRUE(directory.names().empty());
}

}  // namespace
}  // namespace glassgpt::io
