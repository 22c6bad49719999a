// Text for human eyes: tokens that can be read whatever their bytes are, columns that line up.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace glassgpt::cli {

// Columns that a terminal uses for valid UTF-8: 2 for most Chinese, Japanese and Korean characters,
// 0 for combining marks.
std::size_t display_width(std::string_view text);

// The token between double quotes; control and invisible characters escaped; bytes that are not
// whole characters as <E4 BD>. A token of nothing but such bytes stands without quotes.
std::string readable_token(std::string_view bytes);

// The same without quotes, cut to `columns` with an ellipsis.
std::string readable_excerpt(std::string_view bytes, std::size_t columns);

// Rows of cells as lines; columns as wide as their widest cell, two blanks between them.
class Table {
 public:
  enum class Align { kLeft, kRight };
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  void add_row(std::vector<std::string> cells);
  std::string to_string(std::string_view indent = "") const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace glassgpt::cli
