// Reading texts, where no command shows it: what the time left is told by.
#include "cli/text_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/io/temporary_directory.h"

namespace glassgpt::cli {
namespace {

TEST(TextSource, BytesReadEndWithTheLastTextThatWasHandedOut) {
  const testing::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "texts.txt";
  std::ofstream(file, std::ios::binary) << "ab\ncd\r\n\n" << std::string(600000, 'x') << "\nlast";
  TextSource source({.input = file.string()}, {}, false);
  EXPECT_EQ(source.bytes_total(), 600013U);
  Text text;
  for (const std::uint64_t end : {3U, 7U, 8U, 600009U, 600013U}) {
    ASSERT_TRUE(source.next(text));
    EXPECT_EQ(source.bytes_read(), end);
  }
  EXPECT_FALSE(source.next(text));
  EXPECT_EQ(source.bytes_read(), source.bytes_total());
}

}  // namespace
}  // namespace glassgpt::cli
