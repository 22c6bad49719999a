// Running the real glassgpt program from a test, with a tiny model of random weights.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../io/temporary_directory.h"

namespace glassgpt::testing {

// Whether these tests, and the program with them, are built with the address or thread sanitizer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

struct ProgramRun {
  int code = -1;  // exit code; 128 + signal if a signal ended it
  std::string out, err;
  std::uint64_t peak_bytes = 0;  // of its memory, or of the test's when it was started, if more
};

struct RunOptions {
  std::string input;                     // what its standard input holds
  std::size_t piece = 0;                 // 0: written to it as it takes it; else in such pieces
  std::vector<std::string> environment;  // "NAME=VALUE", added to this process's own
  // kUnread: nobody reads it, and `when` is asked only once the program waits for a reader.
  enum class Out { kPipe, kUnread, kClosed, kClosedPipe, kFull } out = Out::kPipe;
  double interrupt_after = 0;  // seconds from when it listens to SIGINT until SIGINT; 0: none
  // Asked again and again while it runs. Once true, the program gets `signal` (0: none); until then
  // its standard input stays open.
  std::function<bool()> when;
  int signal = 0;
  std::uint64_t file_limit = 0;  // bytes that a file may have; 0: no limit
};

ProgramRun run_glassgpt(const std::vector<std::string>& arguments, const RunOptions& options = {});
inline ProgramRun run_with_input(const std::vector<std::string>& arguments,
                                 const std::string& input) {
  RunOptions options;
  options.input = input;
  return run_glassgpt(arguments, options);
}

// Exit code 0 and nothing but the result; its standard output.
std::string output_of(const std::vector<std::string>& arguments, const std::string& input = {});
// The same, parsed: one JSON value a line.
std::vector<nlohmann::json> json_of(const std::vector<std::string>& arguments,
                                    const std::string& input = {});
nlohmann::json one_json_of(const std::vector<std::string>& arguments,
                           const std::string& input = {});

// One line "glassgpt: error: …" with `part` in it, no standard output, and this exit code.
void expect_failure(const ProgramRun& run, int code, const std::string& part);

// A directory for the test, with a model of three layers, width 24, context 32 in model/ (random
// weights, a tokenizer of 320 ids trained on a few English and Chinese sentences). GLASSGPT_MODEL
// names it.
class Program : public ::testing::Test {
 protected:
  static constexpr std::size_t kLayers = 3, kWidth = 24, kHeads = 3, kContext = 32;

  void SetUp() override;

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string model() const { return path("model"); }
  std::string write(const std::string& name, const std::string& bytes) const;
  std::string read(const std::string& name) const;
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }

  TemporaryDirectory directory_;
};

}  // namespace glassgpt::testing
