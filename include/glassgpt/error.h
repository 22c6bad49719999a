// What goes wrong with files and formats, as one exception type that says what, where and what to
// do.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace glassgpt {

enum class ErrorCode {
  kNotFound,     // a file or directory is not there
  kUnreadable,   // it is there and cannot be read
  kUnwritable,   // it cannot be written (permission, disk full, not a directory)
  kMalformed,    // its bytes are not what its format promises
  kUnsupported,  // a valid file that asks for something glassgpt does not do
  kOutOfRange,   // an id, a length or an offset beyond its limit
  kInterrupted,  // stopped by the user; what was finished is kept
  kUnavailable,  // this machine cannot do it (an ISA, a data type)
};

// Thrown for files, formats and the machine; wrong arguments of a function are
// std::invalid_argument. what() is one line: "PATH: DETAIL; HINT" (PATH and HINT are left out where
// empty).
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string path, std::string detail, std::string hint = {})
      : std::runtime_error(compose(path, detail, hint)),
        code_(code),
        path_(std::move(path)),
        detail_(std::move(detail)),
        hint_(std::move(hint)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& path() const noexcept { return path_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  static std::string compose(std::string_view path, std::string_view detail,
                             std::string_view hint) {
    std::string line;
    if (!path.empty()) line.append(path).append(": ");
    line.append(detail);
    if (!hint.empty()) line.append("; ").append(hint);
    return line;
  }

  ErrorCode code_;
  std::string path_;
  std::string detail_;
  std::string hint_;
};

}  // namespace glassgpt
