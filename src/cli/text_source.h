// The texts of a command line: arguments, a file, or standard input, one after the other.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace glassgpt::cli {

struct Text {
  std::string id;     // as JSON: the "id" of a .jsonl line, numbers as they were written, else the
                      // text's number, from 0
  std::string bytes;  // any bytes
  std::string where;  // for messages: "text 0", "FILE: line 3", "FILE: line 3 (id "x")"
};

struct TextOptions {
  std::string input;
  std::string format = "auto";

  void add_to(CLI::App& app);
};

// UTF-8's, with which editors of Windows begin a text file.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Reads on demand: memory holds one text, not the file. A .txt file (and standard input) has a text
// a line; the line's end ("\n" or "\r\n") is not part of it, nor is a byte order mark before the
// first; an empty line is an empty text. A .jsonl file has an object with "text" and, if it likes,
// "id" a line; blank lines are skipped. Throws Error with path and line.
class TextSource {
 public:
  // An argument "-" alone is standard input, unless it stood behind "--". UsageError when there are
  // both arguments and --input, or neither and standard input is a terminal.
  TextSource(const TextOptions& options, const std::vector<std::string>& arguments,
             bool after_separator);
  ~TextSource();

  bool next(Text& text);

  // From now on only texts that begin in one of these stretches of the input, which ascend and do
  // not overlap; what lies between them is counted, but not looked into. Not for arguments.
  struct Stretch {
    std::uint64_t begin, end;  // bytes
  };
  void only_in(std::vector<Stretch> stretches);
  // Where in the input the last text began.
  std::uint64_t text_begin() const noexcept { return text_begin_; }

  std::uint64_t bytes_read() const noexcept {  // of the texts so far
    return bytes_fetched_ - (buffer_.size() - begin_);
  }
  std::uint64_t bytes_total() const noexcept { return bytes_total_; }  // 0: not known

 private:
  enum class Format { kLines, kJsonLines, kDocuments, kWhole };

  void skip_byte_order_mark();
  bool next_line(std::string& line);
  bool read_block();
  bool next_json(Text& text);
  bool next_document(Text& text, bool& wanted);
  bool is_wanted(std::uint64_t begin);
  bool nothing_left() const noexcept { return restricted_ && stretches_.empty(); }

  std::vector<std::string> arguments_;
  bool from_arguments_ = false;
  Format format_ = Format::kLines;
  std::string name_;
  int descriptor_ = -1;
  std::string buffer_;
  std::size_t begin_ = 0;
  bool at_end_ = false;
  std::uint64_t index_ = 0, line_ = 0, bytes_fetched_ = 0, bytes_total_ = 0;
  std::uint64_t line_begin_ = 0, text_begin_ = 0;
  bool restricted_ = false;
  std::deque<Stretch> stretches_;  // those not yet passed
};

// The whole of standard input or a file ("-"), for commands that do not read texts.
std::string read_all(const std::string& file);

}  // namespace glassgpt::cli
