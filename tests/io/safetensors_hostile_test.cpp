// Files that only look like safetensors: one clear error each, whatever the bytes.
#include <limits>

#include "io/safetensors.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::as_bytes;
using testing::expect_error;
using testing::safetensors_bytes;
using testing::TemporaryDirectory;

void expect_refused(const std::string& bytes, const std::string& part,
                    ErrorCode code = ErrorCode::kMalformed) {
  SCOPED_TRACE(part);
  expect_error([&] { parse_safetensors(as_bytes(bytes), "bad.safetensors"); }, code, part,
               "bad.safetensors");
}

// A file with one tensor "t" of these members and this much data.
void expect_tensor_refused(const std::string& members, std::size_t data, const std::string& part,
                           ErrorCode code = ErrorCode::kMalformed) {
  expect_refused(safetensors_bytes("{\"t\":{" + members + "}}", std::string(data, '\0')), part,
                 code);
}

// Two tensors of four bytes each at these offsets, in a file with this much data.
std::string two_tensors(const std::string& first, const std::string& second, std::size_t data) {
  return safetensors_bytes(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
                               R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second +
                               "}}",
                           std::string(data, '\0'));
}

TEST(HostileSafetensors, AFileCutOffAtAnyByteIsRefused) {
  const TemporaryDirectory directory;
  const float values[] = {1, 2, 3};
  const TensorToWrite tensors[] = {{"a", {2}, values}, {"b", {1}, values + 2}};
  write_safetensors(directory / "f", tensors, DType::kF32, {{"format", "pt"}});
  const std::string whole = read_file(directory / "f");
  ASSERT_EQ(SafetensorsFile(directory / "f").tensors().size(), 2u);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    expect_refused(whole.substr(0, size), "the file is damaged or not safetensors");
  }
  write_file(directory / "cut", whole.substr(0, whole.size() - 1));
  expect_error([&] { SafetensorsFile(directory / "cut"); }, ErrorCode::kMalformed, "tensor \"b\"",
               (directory / "cut").string());
}

TEST(HostileSafetensors, AnyBitTurnedOverIsReadOrRefusedButNeverTrusted) {
  const std::string header = R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string whole = safetensors_bytes(header, std::string(8, '\0'));
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * (8 + header.size()); ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    try {
      const auto contents = parse_safetensors(as_bytes(bytes), "n");
      for (const auto& [name, tensor] : contents.tensors) {
        EXPECT_EQ(tensor.data.size(), 8u);
        EXPECT_EQ(static_cast<const void*>(tensor.data.data()), bytes.data() + 8 + header.size());
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 8 * header.size() / 2);
}

TEST(HostileSafetensors, AHeaderLengthBeyondTheFileOrTheLimitIsRefused) {
  expect_refused(safetensors_bytes("{}", "", 3), "the header claims 3 bytes, only 2 follow");
  expect_refused(safetensors_bytes("{}", "", 100'000'000), "only 2 follow");
  for (const std::uint64_t length : {std::uint64_t{100'000'001}, std::uint64_t{1} << 63,
                                     std::numeric_limits<std::uint64_t>::max()}) {
    expect_refused(safetensors_bytes("{}", "", length), "the limit is 100000000",
                   ErrorCode::kOutOfRange);
  }
}

TEST(HostileSafetensors, AHeaderThatIsNotAJsonObjectIsRefused) {
  expect_refused(safetensors_bytes("", ""), "does not begin with '{'");
  expect_refused(safetensors_bytes("[]", ""), "does not begin with '{'");
  expect_refused(safetensors_bytes(" {}", ""), "does not begin with '{'");
  expect_refused(safetensors_bytes("{\"a\":", ""), "is not valid JSON at byte");
  expect_refused(safetensors_bytes("{}{}", ""), "is not valid JSON at byte 3");
  expect_refused(safetensors_bytes(std::string("{}\0\0", 4), ""), "is not valid JSON at byte 3");
  expect_refused(safetensors_bytes("{\"\xff\":1}", ""), "is not valid JSON");
}

TEST(HostileSafetensors, DeepJsonIsRefusedWithoutTouchingTheStack) {
  std::string deep = "{\"t\":";
  deep.append(10'000'000, '[');
  expect_refused(safetensors_bytes(deep, ""), "nested deeper than 3", ErrorCode::kOutOfRange);
}

TEST(HostileSafetensors, DuplicateKeysAreRefused) {
  const std::string entry = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_refused(safetensors_bytes("{" + entry + "," + entry + "}", "1234"),
                 "the key \"a\" stands twice");
  expect_tensor_refused(R"("dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4])", 4,
                        "the key \"dtype\" stands twice");
}

TEST(HostileSafetensors, EntriesThatLackAMemberOrHaveAnotherTypeAreRefused) {
  expect_refused(safetensors_bytes("{\"t\":1}", ""), "tensor \"t\" is not an object");
  expect_tensor_refused(R"("shape":[1],"data_offsets":[0,4])", 4, "has no dtype");
  expect_tensor_refused(R"("dtype":1,"shape":[1],"data_offsets":[0,4])", 4, "has no dtype");
  expect_tensor_refused(R"("dtype":"F32","data_offsets":[0,4])", 4, "has no list shape");
  expect_tensor_refused(R"("dtype":"F32","shape":1,"data_offsets":[0,4])", 4, "has no list shape");
  expect_tensor_refused(R"("dtype":"F32","shape":[1])", 4, "has no list data_offsets");
  expect_tensor_refused(R"("dtype":"F32","shape":[1],"data_offsets":[0])", 4, "not two numbers");
  expect_tensor_refused(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,4])", 4,
                        "not two numbers");
}

TEST(HostileSafetensors, UnknownTypesAreUnsupported) {
  for (const char* type : {"F31", "f32", "", "F32\\n"}) {
    expect_tensor_refused(
        "\"dtype\":\"" + std::string(type) + R"(","shape":[1],"data_offsets":[0,4])", 4,
        "unknown dtype", ErrorCode::kUnsupported);
  }
}

TEST(HostileSafetensors, SizesThatAreNotWholeNumbersAreRefused) {
  for (const char* size : {"-1", "1.0", "1e0", "\"1\"", "null", "true", "18446744073709551616"}) {
    expect_tensor_refused(
        R"("dtype":"F32","data_offsets":[0,4],"shape":[)" + std::string(size) + "]", 4,
        "shape holds what is not a whole number");
    expect_tensor_refused(
        R"("dtype":"F32","shape":[1],"data_offsets":[0,)" + std::string(size) + "]", 4,
        "data_offsets holds what is not a whole number");
  }
}

TEST(HostileSafetensors, ShapesThatDoNotMatchTheBytesAreRefused) {
  expect_tensor_refused(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", 4,
                        "of dtype F32 needs 8 bytes by its shape, its data_offsets hold 4");
  expect_tensor_refused(R"("dtype":"F16","shape":[1],"data_offsets":[0,4])", 4, "needs 2 bytes");
  expect_tensor_refused(R"("dtype":"F32","shape":[],"data_offsets":[0,0])", 0, "needs 4 bytes");
  expect_tensor_refused(R"("dtype":"F32","shape":[0],"data_offsets":[0,4])", 4, "needs 0 bytes");
}

TEST(HostileSafetensors, ShapesWhoseProductOverflowsAreRefused) {
  expect_tensor_refused(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])", 0,
                        "size overflows");
  // 2^62 elements of four bytes are 2^64 bytes: 0 if nobody looks.
  expect_tensor_refused(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])", 0,
                        "size overflows");
  expect_tensor_refused(R"("dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0])",
                        0, "size overflows");
  std::string ones = "1";
  for (int i = 0; i < 32; ++i) ones += ",1";
  expect_tensor_refused(R"("dtype":"U8","data_offsets":[0,1],"shape":[)" + ones + "]", 1,
                        "has 33 dimensions");
}

TEST(HostileSafetensors, OffsetsOutsideTheDataAreRefused) {
  expect_tensor_refused(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])", 3,
                        "do not lie in the file's 3 bytes of data");
  expect_tensor_refused(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])", 4, "do not lie in");
  expect_tensor_refused(
      R"("dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615])", 4,
      "do not lie in");
}

TEST(HostileSafetensors, OverlappingTensorsAreRefused) {
  expect_refused(two_tensors("[0,4]", "[0,4]", 4), "\"b\" at 0 overlaps");
  expect_refused(two_tensors("[0,4]", "[2,6]", 6), "\"b\" at 2 overlaps");
  expect_refused(two_tensors("[3,7]", "[0,4]", 7), "\"a\" at 3 overlaps");
}

TEST(HostileSafetensors, BytesThatBelongToNoTensorAreRefused) {
  expect_refused(two_tensors("[0,4]", "[5,9]", 9), "bytes 4 to 5 of the data belong to no tensor");
  expect_refused(two_tensors("[1,5]", "[5,9]", 9), "bytes 0 to 1 of the data belong to no tensor");
  expect_refused(two_tensors("[0,4]", "[4,8]", 9), "1 bytes after the last tensor");
  expect_refused(safetensors_bytes("{}", "x"), "1 bytes after the last tensor");
}

TEST(HostileSafetensors, MetadataMustBeAnObjectOfStrings) {
  expect_refused(safetensors_bytes(R"({"__metadata__":[]})", ""), "__metadata__ is not an object");
  expect_refused(safetensors_bytes(R"({"__metadata__":{"step":7}})", ""),
                 "__metadata__: \"step\" is not a string");
}

TEST(HostileSafetensors, NamesAreShownOnOneShortLine) {
  expect_refused(safetensors_bytes("{\"" + std::string(50000, 'n') + "\\n\":1}", ""), "nnn\"...");
  expect_refused(safetensors_bytes(R"({"a\nb\u001b[31m":1})", ""), R"("a\nb\u001b[31m")");
}

TEST(HostileSafetensors, WhatIsNoFileIsNamed) {
  const TemporaryDirectory directory;
  expect_error([&] { SafetensorsFile(directory / "none.safetensors"); }, ErrorCode::kNotFound,
               "No such file");
  expect_error([&] { SafetensorsFile{directory.path()}; }, ErrorCode::kUnreadable, "directory");
  write_file(directory / "empty", "");
  expect_error([&] { SafetensorsFile(directory / "empty"); }, ErrorCode::kMalformed,
               "is 0 bytes long");
}

}  // namespace
}  // namespace glassgpt::io
