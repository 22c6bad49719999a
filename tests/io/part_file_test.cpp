// A file that more than one run writes.
#include "io/part_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "glassgpt/error.h"
#include "io/file.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::testing {
namespace {

using io::PartFile;

TEST(PartFile, StaysAsPartUntilCommit) {
  const TemporaryDirectory directory;
  const std::string large(200'000, 'x');
  {
    PartFile file(directory / "a");
    file.write("one");
    file.write(large);
    file.flush();
    EXPECT_EQ(file.bytes(), 3 + large.size());
  }
  EXPECT_EQ(io::read_file(directory / "a.part"), "one" + large);
  EXPECT_FALSE(std::filesystem::exists(directory / "a"));
  PartFile file(directory / "a", 3);
  file.write("two");
  file.overwrite(0, "O");
  file.sync();
  file.commit();
  EXPECT_EQ(io::read_file(directory / "a"), "Onetwo");
  EXPECT_FALSE(std::filesystem::exists(directory / "a.part"));
}

TEST(PartFile, OpenedAnewBeginsAnew) {
  const TemporaryDirectory directory;
  { PartFile(directory / "a").write("dropped: never flushed"); }
  EXPECT_EQ(io::read_file(directory / "a.part"), "");
  {
    PartFile file(directory / "a");
    file.write("old");
    file.flush();
  }
  PartFile file(directory / "a");
  file.commit();
  EXPECT_EQ(io::read_file(directory / "a"), "");
}

TEST(PartFile, ThatIsShorterThanItShouldBeIsAnError) {
  const TemporaryDirectory directory;
  io::write_file(directory / "a.part", "123");
  try {
    PartFile file(directory / "a", 4);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMalformed);
    EXPECT_NE(error.detail().find("has 3 bytes"), std::string::npos);
  }
  EXPECT_EQ(io::read_file(directory / "a.part"), "123");
}

TEST(PartFile, AfterAFailedWriteItCanStillBeCutBackToWhatIsGood) {
  const TemporaryDirectory directory;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  PartFile file(directory / "a");
  file.write("good");
  file.flush();
  const rlimit limit = {100, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  file.write(std::string(1000, 'x'));
  EXPECT_THROW(file.flush(), Error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  file.truncate(4);
  file.write(" again");
  file.commit();
  EXPECT_EQ(io::read_file(directory / "a"), "good again");
}

TEST(PartFile, SaysWhereItCannotBe) {
  const TemporaryDirectory directory;
  EXPECT_THROW(PartFile(directory / "none" / "a"), Error);
  std::filesystem::create_directory(directory / "d");
  EXPECT_THROW(PartFile(directory / "d"), Error);
}

}  // namespace
}  // namespace glassgpt::testing
