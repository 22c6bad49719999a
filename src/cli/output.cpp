#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <system_error>

#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
constexpr double kTerminalSeconds = 0.2;
constexpr double kPlainSeconds = 10;

void write_standard_output(std::string_view bytes) {
  while (!bytes.empty()) {
    // A signal ends a write that waits for a reader.
    throw_if_interrupted();
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorCode::kUnwritable, "standard output",
                  "cannot write: " + std::generic_category().message(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void write_standard_error(std::string_view text) {
  // Nothing sensible is left to do when this fails.
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
  std::fflush(stderr);
}

std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "it is set by a signal handler");

void on_signal(int) { g_interrupted.store(true); }

}  // namespace

Output::Output(const std::string& file) {
  if (!file.empty()) file_ = std::make_unique<io::AtomicFile>(file);
}

Output::~Output() = default;

void Output::write(std::string_view text) {
  buffer_.append(text);
  if (buffer_.size() >= kBufferBytes) flush();
}

void Output::flush() {
  throw_if_interrupted();
  if (file_ != nullptr) {
    file_->write(buffer_);
  } else {
    write_standard_output(buffer_);
  }
  buffer_.clear();
}

void Output::finish() {
  flush();
  if (file_ != nullptr) file_->commit();
}

// Nothing is shown of what takes only a moment.
Progress::Progress(bool quiet)
    : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1), last_(seconds_now()) {}

Progress::~Progress() { clear(); }

bool Progress::due() const {
  if (quiet_) return false;
  return seconds_now() - last_ >= (terminal_ ? kTerminalSeconds : kPlainSeconds);
}

void Progress::update(std::string_view line) {
  if (!due()) return;
  last_ = seconds_now();
  if (terminal_) {
    write_standard_error(fmt::format("\r\x1b[K{}", line));
    dirty_ = true;
  } else {
    write_standard_error(fmt::format("{}\n", line));
  }
}

void Progress::line(std::string_view text) {
  if (quiet_) return;
  clear();
  write_standard_error(fmt::format("{}\n", text));
}

void Progress::clear() {
  if (dirty_) write_standard_error("\r\x1b[K");
  dirty_ = false;
}

void warn(std::string_view text) {
  write_standard_error(fmt::format("glassgpt: warning: {}\n", text));
}

std::string clock_time(double seconds) {
  if (!(seconds >= 0) || seconds > 1e8) return "?";
  const long total = std::lround(seconds);
  const long hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, rest);
  return fmt::format("{}:{:02}", minutes, rest);
}

std::string short_count(double count) {
  if (count >= 999.5e6) return fmt::format("{:.1f}G", count / 1e9);
  if (count >= 999.5e3) return fmt::format("{:.1f}M", count / 1e6);
  if (count >= 9999.5) return fmt::format("{:.0f}k", count / 1e3);
  if (count >= 999.5) return fmt::format("{:.1f}k", count / 1e3);
  return fmt::format("{:.0f}", count);
}

std::string byte_count(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  if (bytes >= 1e3) return fmt::format("{:.1f} kB", bytes / 1e3);
  return fmt::format("{:.0f} bytes", bytes);
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void install_interrupt_handler() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  // No SA_RESTART: a read from standard input must return. SA_RESETHAND: the second Ctrl-C ends the
  // process the usual way.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept { return g_interrupted.load(); }

const std::atomic<bool>& interrupt_flag() noexcept { return g_interrupted; }

void throw_if_interrupted(const char* hint) {
  if (interrupted()) throw Error(ErrorCode::kInterrupted, "", "interrupted", hint);
}

}  // namespace glassgpt::cli
