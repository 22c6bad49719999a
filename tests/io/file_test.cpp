#include "io/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <numeric>
#include <utility>

#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;
using Names = std::vector<std::string>;

std::string some_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  return bytes;
}

// Files of this process may not grow beyond `bytes` while this lives; writing on gives EFBIG.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(ReadFile, GivesTheExactBytes) {
  const TemporaryDirectory directory;
  for (const std::size_t size : {0u, 1u, 65535u, 65536u, 65537u, 300000u}) {
    const std::string bytes = some_bytes(size);
    write_file(directory / "f", bytes);
    EXPECT_EQ(read_file(directory / "f"), bytes) << size;
  }
}

TEST(ReadFile, ReadsWhatSaysItHasNoSize) {
  EXPECT_NE(read_file("/proc/self/status").find("VmPeak"), std::string::npos);
}

TEST(ReadFile, NamesWhatIsMissingUnreadableOrTooLong) {
  const TemporaryDirectory directory;
  const auto missing = directory / "missing";
  expect_error([&] { read_file(missing); }, ErrorCode::kNotFound, "No such file", missing.string());
  expect_error([&] { read_file(directory.path()); }, ErrorCode::kUnreadable, "Is a directory",
               directory.path().string());
  write_file(directory / "f", "12345");
  expect_error([&] { read_file(directory / "f" / "g"); }, ErrorCode::kNotFound, "No such file");
  EXPECT_EQ(read_file(directory / "f", 5), "12345");
  expect_error([&] { read_file(directory / "f", 4); }, ErrorCode::kOutOfRange, "4 bytes");
  expect_error([&] { read_file("/proc/self/status", 10); }, ErrorCode::kOutOfRange, "10 bytes");
}

TEST(MappedFile, ShowsTheBytesAndSurvivesMovesAndReplacement) {
  const TemporaryDirectory directory;
  const auto file = directory / "f";
  write_file(file, "old content");
  MappedFile first(file);
  MappedFile map(std::move(first));
  EXPECT_TRUE(first.bytes().empty());
  write_file(file, "new");
  const auto text = [](const MappedFile& mapped) {
    return std::string(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size());
  };
  EXPECT_EQ(text(map), "old content");
  map = MappedFile(file);
  EXPECT_EQ(text(map), "new");
}

TEST(MappedFile, TakesAnEmptyFileAndRefusesWhatCannotBeMapped) {
  const TemporaryDirectory directory;
  write_file(directory / "empty", "");
  EXPECT_TRUE(MappedFile(directory / "empty").bytes().empty());
  expect_error([&] { MappedFile(directory / "none"); }, ErrorCode::kNotFound, "No such file");
  expect_error([&] { MappedFile{directory.path()}; }, ErrorCode::kUnreadable, "directory");
  expect_error([] { MappedFile("/dev/null"); }, ErrorCode::kUnreadable, "not a regular file");
}

TEST(AtomicFile, AppearsOnlyAtCommitAndLeavesNoTemporaryFile) {
  const TemporaryDirectory directory;
  {
    AtomicFile file(directory / "f");
    file.write("abc");
    file.write(some_bytes(200000));
    file.overwrite(1, "X");
    file.write("end");
    EXPECT_FALSE(std::filesystem::exists(directory / "f"));
    file.commit();
  }
  EXPECT_EQ(directory.names(), Names{"f"});
  EXPECT_EQ(read_file(directory / "f"), "aXc" + some_bytes(200000) + "end");
}

TEST(AtomicFile, WithoutCommitKeepsTheOldContentAndNothingElse) {
  const TemporaryDirectory directory;
  write_file(directory / "f", "old");
  {
    AtomicFile file(directory / "f");
    file.write(some_bytes(200000));
    EXPECT_EQ(read_file(directory / "f"), "old");
  }
  EXPECT_EQ(directory.names(), Names{"f"});
  EXPECT_EQ(read_file(directory / "f"), "old");
}

TEST(AtomicFile, AKilledProcessLeavesNothing) {
  const TemporaryDirectory directory;
  const int unnamed = ::open(directory.path().c_str(), O_TMPFILE | O_RDWR, 0600);
  if (unnamed < 0) GTEST_SKIP() << "this file system has no files without a name (O_TMPFILE)";
  ::close(unnamed);
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(directory / "f");
    file.write(some_bytes(200000));
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_GT(child, 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(directory.names(), Names{});
}

TEST(AtomicFile, ADiskThatFillsUpKeepsTheOldContentAndNothingElse) {
  const TemporaryDirectory directory;
  const auto target = directory / "f";
  write_file(target, "old");
  // Once where write() itself meets the limit, once where the bytes wait in the buffer until
  // commit().
  for (const std::size_t size : {1000000u, 5000u}) {
    const FileSizeLimit limit(4096);
    expect_error(
        [&] {
          AtomicFile file(target);
          file.write(some_bytes(size));
          file.commit();
        },
        ErrorCode::kUnwritable, "cannot be written: File too large", target.string());
    EXPECT_EQ(read_file(target), "old");
    EXPECT_EQ(directory.names(), Names{"f"});
  }
  write_file(target, "new");
  EXPECT_EQ(read_file(target), "new");
}

TEST(AtomicFile, SaysTheSystemsReasonOfAFullDevice) {
  expect_error([] { write_file("/dev/full", "abc"); }, ErrorCode::kUnwritable,
               "/dev/full: cannot be written: No space left on device; free some space");
}

TEST(AtomicFile, NeverReplacesADeviceOrAPipe) {
  const TemporaryDirectory directory;
  const auto pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  // Opened for both, so that neither side waits for the other.
  std::fstream other(pipe, std::ios::in | std::ios::out);
  write_file(pipe, "through\n");
  std::string line;
  std::getline(other, line);
  EXPECT_EQ(line, "through");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  write_file("/dev/null", "gone");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(AtomicFile, ReplacesTheFileBehindASymbolicLink) {
  const TemporaryDirectory directory;
  write_file(directory / "real", "old");
  std::filesystem::create_symlink("real", directory / "link");
  write_file(directory / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_EQ(read_file(directory / "real"), "new");
  EXPECT_EQ(directory.names(), (Names{"link", "real"}));
}

TEST(AtomicFile, RefusesADirectoryAndAMissingOrUnwritableParent) {
  const TemporaryDirectory directory;
  expect_error([&] { AtomicFile{directory.path()}; }, ErrorCode::kUnwritable, "Is a directory");
  expect_error([&] { AtomicFile(directory / "none" / "f"); }, ErrorCode::kUnwritable,
               "No such file or directory; make its directory first");
  write_file(directory / "f", "x");
  expect_error([&] { AtomicFile(directory / "f" / "g"); }, ErrorCode::kUnwritable,
               "Not a directory");
  expect_error([] { AtomicFile("/proc/f"); }, ErrorCode::kUnwritable, "cannot be written");
}

TEST(AtomicFile, SaysThatADirectoryMayNotBeWrittenTo) {
  const TemporaryDirectory directory;
  using std::filesystem::perms;
  std::filesystem::permissions(directory.path(), perms::owner_read | perms::owner_exec |
                                                     perms::others_read | perms::others_exec);
  // Root may write anywhere, so it becomes another user for a moment.
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  expect_error([&] { AtomicFile(directory / "g"); }, ErrorCode::kUnwritable,
               "cannot be written: Permission denied", (directory / "g").string());
  expect_error([&] { make_directories(directory / "d"); }, ErrorCode::kUnwritable,
               "Permission denied", (directory / "d").string());
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
}

TEST(AtomicFile, HasThePermissionsOfAnOrdinaryNewFile) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0027);
  write_file(directory / "f", "x");
  ::umask(before);
  struct stat status = {};
  ASSERT_EQ(::stat((directory / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(AtomicFile, TakesAFileNameAsLongAsTheSystemAllows) {
  const TemporaryDirectory directory;
  const std::string name(255, 'n');
  write_file(directory / name, "x");
  EXPECT_EQ(directory.names(), Names{name});
  expect_error([&] { write_file(directory / (name + "n"), "x"); }, ErrorCode::kUnwritable,
               "File name too long");
  EXPECT_EQ(directory.names(), Names{name});
}

TEST(MakeDirectories, MakesParentsAndIsContentWithWhatIsThere) {
  const TemporaryDirectory directory;
  make_directories(directory / "a" / "b");
  make_directories(directory / "a" / "b");
  EXPECT_TRUE(std::filesystem::is_directory(directory / "a" / "b"));
}

TEST(MakeDirectories, RefusesAFileInTheWay) {
  const TemporaryDirectory directory;
  write_file(directory / "f", "x");
  expect_error([&] { make_directories(directory / "f"); }, ErrorCode::kUnwritable, "directory");
  expect_error([&] { make_directories(directory / "f" / "g"); }, ErrorCode::kUnwritable,
               "directory");
}

}  // namespace
}  // namespace glassgpt::io
