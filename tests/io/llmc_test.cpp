#include "io/llmc.h"

#include <array>
#include <cstring>
#include <numeric>

#include "io/half.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::as_bytes;
using testing::expect_error;
using testing::TemporaryDirectory;

// Two layers of width 2: 3 positions, 5 tokens padded to 6.
constexpr LlmcHeader kHeader{
    .positions = 3, .vocab = 5, .layers = 2, .heads = 1, .width = 2, .padded_vocab = 6};
// Counted by hand: tables; per layer 4 norms, c_attn, c_proj, c_fc and the last c_proj with their
// biases; the last norm.
constexpr std::size_t kFloats = 6 * 2 + 3 * 2 + 2 * (4 * 2 + 12 + 6 + 4 + 2 + 16 + 8 + 16 + 2) + 4;

std::string written_file(const std::filesystem::path& file, DType type) {
  LlmcHeader header = kHeader;
  header.type = type;
  LlmcWriter writer(file, header);
  std::vector<float> numbers(kFloats);
  std::iota(numbers.begin(), numbers.end(), 0.0f);
  std::size_t at = 0;
  for (const LlmcTensor& tensor : llmc_tensors(header)) {
    writer.add(numbers.data() + at);
    at += *tensor_bytes(tensor.shape, 1);
  }
  EXPECT_EQ(at, kFloats);
  writer.finish();
  return read_file(file);
}

std::string with_number(std::string bytes, std::size_t index, std::int32_t value) {
  std::memcpy(bytes.data() + 4 * index, &value, sizeof value);
  return bytes;
}

TEST(LlmcCheckpoint, TheHeaderAndTheOrderAreTheFormats) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f", DType::kF32);
  ASSERT_EQ(bytes.size(), 1024 + 4 * kFloats);
  std::array<std::int32_t, 256> header;
  std::memcpy(header.data(), bytes.data(), sizeof header);
  std::array<std::int32_t, 256> expected{};
  const std::int32_t first[] = {20240326, 3, 3, 5, 2, 1, 2, 6};
  std::copy(std::begin(first), std::end(first), expected.begin());
  EXPECT_EQ(header, expected);
  // What was added first comes first, and a kind's layers lie side by side.
  float value = 0;
  std::memcpy(&value, bytes.data() + 1024 + 4 * 17, sizeof value);
  EXPECT_EQ(value, 17.0f);
  std::vector<std::string> kinds;
  for (const LlmcTensor& tensor : llmc_tensors(kHeader)) {
    kinds.push_back(tensor.kind + std::to_string(tensor.layer));
  }
  EXPECT_EQ(kinds,
            (std::vector<std::string>{
                "wte0",  "wpe0",     "ln1w0",    "ln1w1",     "ln1b0",     "ln1b1",     "qkvw0",
                "qkvw1", "qkvb0",    "qkvb1",    "attprojw0", "attprojw1", "attprojb0", "attprojb1",
                "ln2w0", "ln2w1",    "ln2b0",    "ln2b1",     "fcw0",      "fcw1",      "fcb0",
                "fcb1",  "fcprojw0", "fcprojw1", "fcprojb0",  "fcprojb1",  "lnfw0",     "lnfb0"}));
}

TEST(LlmcCheckpoint, WhatIsWrittenIsReadBackInBothTypes) {
  const TemporaryDirectory directory;
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const std::string bytes = written_file(directory / "f", type);
    EXPECT_EQ(bytes.size(), 1024 + element_bytes(type) * kFloats);
    EXPECT_TRUE(begins_like_llmc(as_bytes(bytes)));
    const LlmcContents contents = parse_llmc(as_bytes(bytes), "f");
    EXPECT_EQ(contents.header.type, type);
    EXPECT_EQ(contents.header.padded_vocab, 6u);
    EXPECT_EQ(contents.header.vocab, 5u);
    ASSERT_EQ(contents.views.size(), contents.tensors.size());
    float expected = 0;
    for (const TensorView& view : contents.views) {
      std::vector<float> values(view.elements());
      to_float(view, values.data());
      for (const float value : values) {
        EXPECT_EQ(value,
                  type == DType::kF32 ? expected : bfloat16_to_float(float_to_bfloat16(expected)));
        ++expected;
      }
    }
    EXPECT_EQ(static_cast<std::size_t>(expected), kFloats);
    EXPECT_EQ(contents.views[6].shape, (std::vector<std::uint64_t>{6, 2}));   // qkvw: [3C, C]
    EXPECT_EQ(contents.views[22].shape, (std::vector<std::uint64_t>{2, 8}));  // fcprojw: [C, 4C]
  }
}

TEST(LlmcCheckpoint, AFileThatIsCutOffAtAnyByteOrGoesOnIsRefused) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f", DType::kBF16);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    expect_error([&] { parse_llmc(as_bytes(cut), "f"); }, ErrorCode::kMalformed, "bytes", "f");
  }
  const std::string longer = bytes + '\0';
  expect_error([&] { parse_llmc(as_bytes(longer), "f"); }, ErrorCode::kMalformed,
               "the file has " + std::to_string(longer.size() - 1024), "f");
}

TEST(LlmcCheckpoint, HeadersThatCannotBeAreNamed) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f", DType::kF32);
  const auto refused = [&](std::size_t index, std::int32_t value, ErrorCode code,
                           const std::string& part) {
    const std::string wrong = with_number(bytes, index, value);
    expect_error([&] { parse_llmc(as_bytes(wrong), "f"); }, code, part, "f");
  };
  refused(0, 1, ErrorCode::kMalformed, "magic number");
  refused(0, 20240328, ErrorCode::kUnsupported, "tokenizer");
  refused(0, 20240327, ErrorCode::kUnsupported, "debug state");
  refused(1, 1, ErrorCode::kUnsupported, "version 1");
  refused(1, -3, ErrorCode::kUnsupported, "version -3");
  for (std::size_t index = 2; index < 8; ++index) {
    for (const std::int32_t value : {0, -1}) {
      refused(index, value, ErrorCode::kMalformed, " is " + std::to_string(value));
    }
    if (index != 5) {  // any number of heads may be right for the bytes
      refused(index, 2147483647, index == 4 ? ErrorCode::kOutOfRange : ErrorCode::kMalformed, "");
    }
  }
  refused(7, 4, ErrorCode::kMalformed, "is padded to 4");
  // So many bytes that 64 bits cannot count them.
  std::string huge = bytes;
  for (const std::size_t index : {2, 6, 7}) huge = with_number(huge, index, 2147483647);
  huge = with_number(huge, 4, 16384);
  expect_error([&] { parse_llmc(as_bytes(huge), "f"); }, ErrorCode::kMalformed, "more than 2^64");
}

TEST(LlmcWriter, WithoutItsTensorsOrWithAnotherTypeThereIsNoFile) {
  const TemporaryDirectory directory;
  {
    LlmcWriter writer(directory / "f", kHeader);
    EXPECT_THROW(writer.finish(), std::invalid_argument);
  }
  LlmcHeader header = kHeader;
  header.type = DType::kF16;
  EXPECT_THROW(LlmcWriter(directory / "f", header), std::invalid_argument);
  header = kHeader;
  header.positions = std::uint64_t{1} << 31;
  EXPECT_THROW(LlmcWriter(directory / "f", header), std::invalid_argument);
  EXPECT_TRUE(directory.names().empty());
}

TEST(LlmcTokenizer, HasAHeaderAndEachTokensLengthAndBytes) {
  const TemporaryDirectory directory;
  const std::vector<std::string> tokens = {"<|endoftext|>", "a", std::string(255, 'z'), "\xE4"};
  write_llmc_tokenizer(directory / "f", tokens, 0);
  const std::string bytes = read_file(directory / "f");
  ASSERT_EQ(bytes.size(), 1024u + 4 + 13 + 1 + 255 + 1);
  std::array<std::int32_t, 5> header;
  std::memcpy(header.data(), bytes.data(), sizeof header);
  EXPECT_EQ(header, (std::array<std::int32_t, 5>{20240328, 2, 4, 0, 0}));
  EXPECT_EQ(bytes.substr(1024, 17), std::string("\x0D<|endoftext|>\x01"
                                                "a\xFFz",
                                                17));
  EXPECT_EQ(bytes.substr(bytes.size() - 3), "z\x01\xE4");
  for (const std::string& wrong : {std::string(), std::string(256, 'z')}) {
    const std::string list[] = {wrong};
    EXPECT_THROW(write_llmc_tokenizer(directory / "g", list, 0), std::invalid_argument);
  }
  EXPECT_EQ(directory.names(), std::vector<std::string>{"f"});
}

}  // namespace
}  // namespace glassgpt::io
