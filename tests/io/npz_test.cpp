#include "io/npz.h"

#include <cstring>

#include "glassgpt/error.h"
#include "tests/io/python.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::as_bytes;
using testing::expect_error;
using testing::run_python;
using testing::TemporaryDirectory;

// Members a.npy of [2, 3] and notes.txt, and a comment.
std::string written_file(const std::filesystem::path& file) {
  NpzWriter writer(file);
  const float values[] = {1, 2, 3, 4, 5, 6};
  const std::uint64_t shape[] = {2, 3};
  writer.add("a", values, shape);
  writer.add_bytes("notes.txt", "some text");
  writer.set_comment("a comment");
  writer.finish();
  return read_file(file);
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Where the archive's directory and its end begin.
std::size_t directory_of(const std::string& bytes) { return bytes.find("PK\x01\x02"); }
std::size_t end_of(const std::string& bytes) { return bytes.find("PK\x05\x06"); }

template <class T>
std::string patched(std::string bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

void expect_refused(const std::string& bytes, ErrorCode code, const std::string& part) {
  expect_error([&] { parse_npz(as_bytes(bytes), "f"); }, code, part, "f");
}

TEST(NpzArchive, WhatIsWrittenIsReadBack) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f");
  EXPECT_TRUE(begins_like_npz(as_bytes(bytes)));
  const NpzContents contents = parse_npz(as_bytes(bytes), "f");
  ASSERT_EQ(contents.members.size(), 2u);
  EXPECT_EQ(contents.comment, "a comment");
  EXPECT_EQ(text_of(contents.members.at("notes.txt")), "some text");
  const NpyArray array = parse_npy(contents.members.at("a.npy"), "a");
  EXPECT_EQ(array.shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(array.data, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  NpzWriter(directory / "empty").finish();
  const std::string empty = read_file(directory / "empty");
  EXPECT_TRUE(begins_like_npz(as_bytes(empty)));
  EXPECT_TRUE(parse_npz(as_bytes(empty), "f").members.empty());
}

TEST(NpzArchive, NumpyReadsArraysAndBytes) {
  GLASSGPT_NEEDS_NUMPY();
  const TemporaryDirectory directory;
  written_file(directory / "f.npz");
  int status = 0;
  const std::string output =
      run_python("z = np.load(\"" + (directory / "f.npz").string() +
                     "\")\nprint(z[\"a\"].tolist(), z[\"notes.txt\"].decode(), sorted(z.files))",
                 status);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(output, "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] some text ['a', 'notes.txt']\n");
}

TEST(NpzArchive, WhatNumpyWritesIsReadUnlessItIsCompressed) {
  GLASSGPT_NEEDS_NUMPY();
  const TemporaryDirectory directory;
  int status = 0;
  const std::string at = directory.path().string();
  run_python("a = np.arange(6, dtype=np.float32).reshape(3, 2)\nnp.savez(\"" + at +
                 "/s.npz\", a=a, b=a[0])\nnp.savez_compressed(\"" + at + "/c.npz\", a=a)",
             status);
  ASSERT_EQ(status, 0);
  const NpzFile stored(directory / "s.npz");
  ASSERT_EQ(stored.contents().members.size(), 2u);
  EXPECT_EQ(parse_npy(stored.contents().members.at("a.npy"), "a").data,
            (std::vector<float>{0, 1, 2, 3, 4, 5}));
  expect_error([&] { NpzFile compressed(directory / "c.npz"); }, ErrorCode::kUnsupported,
               "\"a.npy\" is compressed");
}

TEST(HostileNpz, AFileThatIsCutOffAtAnyByteOrGoesOnIsRefused) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    expect_refused(bytes.substr(0, size), ErrorCode::kMalformed, "");
  }
  expect_refused(bytes + '\0', ErrorCode::kMalformed, "no directory");
}

TEST(HostileNpz, AChangedByteOfAMemberIsFoundByItsChecksum) {
  const TemporaryDirectory directory;
  std::string bytes = written_file(directory / "f");
  const std::size_t text = bytes.find("some text");
  bytes[text] = 'S';
  expect_refused(bytes, ErrorCode::kMalformed, "\"notes.txt\" does not have the checksum");
}

TEST(HostileNpz, MembersThatDoNotLieWhereTheArchiveSaysAreNamed) {
  const TemporaryDirectory directory;
  const std::string bytes = written_file(directory / "f");
  const std::size_t first = directory_of(bytes), second = first + 46 + 5, end = end_of(bytes);
  ASSERT_EQ(bytes.substr(second, 4), "PK\x01\x02");
  ASSERT_EQ(bytes.substr(end, 4), "PK\x05\x06");
  const auto u16 = [](unsigned value) { return static_cast<std::uint16_t>(value); };
  const auto u32 = [](std::size_t value) { return static_cast<std::uint32_t>(value); };
  // Offsets: in the directory, of another member, beyond everything.
  expect_refused(patched(bytes, first + 42, u32(first)), ErrorCode::kMalformed,
                 "\"a.npy\" does not lie where");
  expect_refused(patched(bytes, first + 42, u32(0xFFFFFFF0)), ErrorCode::kMalformed,
                 "\"a.npy\" does not lie where");
  expect_refused(patched(bytes, second + 42, u32(0)), ErrorCode::kMalformed,
                 "\"notes.txt\" has two different names");
  // Sizes: longer than what is there, two that differ.
  const std::string longer = patched(bytes, first + 24, u32(1 << 20));
  expect_refused(longer, ErrorCode::kMalformed, "\"a.npy\" has two different sizes");
  expect_refused(patched(longer, first + 20, u32(1 << 20)), ErrorCode::kMalformed,
                 "\"a.npy\" of 1048576 bytes does not lie");
  const std::size_t into_next = 128 + 24 + 4;  // the header of notes.txt begins in it
  const std::string overlapping =
      patched(patched(bytes, first + 24, u32(into_next)), first + 20, u32(into_next));
  expect_refused(overlapping, ErrorCode::kMalformed, "\"notes.txt\" overlaps");
  // The directory itself.
  expect_refused(patched(bytes, end + 16, u32(first + 1)), ErrorCode::kMalformed, "directory");
  expect_refused(patched(patched(bytes, end + 8, u16(3)), end + 10, u16(3)), ErrorCode::kMalformed,
                 "after 2 of 3 members");
  expect_refused(patched(patched(bytes, end + 8, u16(1)), end + 10, u16(1)), ErrorCode::kMalformed,
                 "belong to no member");
  expect_refused(patched(bytes, first + 28, u16(60000)), ErrorCode::kMalformed,
                 "ends inside a member's name");
  expect_refused(patched(bytes, end + 10, u16(1)), ErrorCode::kUnsupported, "divided");
  expect_refused(patched(bytes, end + 16, u32(0xFFFFFFFF)), ErrorCode::kUnsupported, "4 GiB");
  expect_refused(patched(bytes, first + 8, u16(1)), ErrorCode::kUnsupported, "encrypted");
  expect_refused(patched(bytes, first + 10, u16(8)), ErrorCode::kUnsupported, "compressed");
}

TEST(HostileNpz, ANameThatStandsThereTwiceIsRefused) {
  const TemporaryDirectory directory;
  NpzWriter writer(directory / "f");
  writer.add_bytes("same", "1");
  writer.add_bytes("same", "2");
  writer.finish();
  expect_refused(read_file(directory / "f"), ErrorCode::kMalformed, "\"same\" stands there twice");
}

}  // namespace
}  // namespace glassgpt::io
