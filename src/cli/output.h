// Where results go: standard output, or a file that appears whole or not at all.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/file.h"

namespace glassgpt::cli {

// Buffered. Every failure (closed pipe, full disk) is an Error (kUnwritable), never silent. Without
// finish() a file is not left behind.
class Output {
 public:
  Output() = default;                        // standard output
  explicit Output(const std::string& file);  // empty: standard output
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text);
  void flush();   // what is there now becomes visible (standard output only)
  void finish();  // everything was written

 private:
  std::string buffer_;
  std::unique_ptr<io::AtomicFile> file_;
};

// Progress and remarks on standard error: one line that renews itself on a terminal, plain lines
// now and then elsewhere, nothing with --quiet.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Renews the line; elsewhere than on a terminal a line now and then.
  void update(std::string_view line);
  // True when update() would show something now: lets callers skip composing the line.
  bool due() const;
  // A line that stays.
  void line(std::string_view text);

 private:
  void clear();
  bool quiet_, terminal_, dirty_ = false;
  double last_;
};

// A warning on standard error, also with --quiet.
void warn(std::string_view text);

// "3:05", "1:02:03"
std::string clock_time(double seconds);
// "812", "3.4k", "1.2M"
std::string short_count(double count);
// "512 bytes", "3.4 MB" (powers of 1000)
std::string byte_count(double bytes);
// "1 text", "2 texts"
std::string counted(std::uint64_t count, std::string_view noun);
double seconds_now();

// Set by SIGINT and SIGTERM; a second signal ends the process at once.
void install_interrupt_handler();
bool interrupted() noexcept;
const std::atomic<bool>& interrupt_flag() noexcept;
// Throws Error (kInterrupted) after a signal.
void throw_if_interrupted(const char* hint = "");

}  // namespace glassgpt::cli
