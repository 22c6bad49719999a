// Texts from files of any size, one after the other: lines of .txt, objects of .jsonl, or standard
// input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace glassgpt::io {

// Lines without their end ("\n" or "\r\n"); a last line without one counts, an empty piece after
// the last "\n" does not. Memory does not grow with the file. Throws Error (kNotFound, kUnreadable;
// kOutOfRange for a line beyond max_line_bytes, with its number).
class LineReader {
 public:
  // "-" is standard input.
  explicit LineReader(const std::filesystem::path& file,
                      std::size_t max_line_bytes = std::size_t{1} << 28);
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;
  ~LineReader();
  bool next(std::string& line);
  std::uint64_t line_number() const noexcept;  // of the last line; the first is 1

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct TextItem {
  std::string id;  // a .jsonl object's "id" (string or whole number); else the line's number
  std::string text;
};

// One object of .jsonl: {"text": ..., "id": optional, others ignored}. Throws Error (kMalformed)
// naming `file` and the line.
TextItem parse_jsonl_text(std::string_view line, const std::string& file, std::uint64_t number);

// Texts of a file whose name ends in .jsonl (empty lines are skipped), or of any other file line by
// line.
class TextReader {
 public:
  explicit TextReader(const std::filesystem::path& file);
  std::optional<TextItem> next();

 private:
  std::string name_;
  bool is_jsonl_;
  LineReader lines_;
};

}  // namespace glassgpt::io
