#include "cli/display.h"

#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <cstdint>

#include "cli/utf8.h"

namespace glassgpt::cli {
namespace {

// The C library's own table of widths, whatever locale the user is in.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", static_cast<locale_t>(nullptr))) {}
  int width(char32_t code_point) const {
    if (locale_ == static_cast<locale_t>(nullptr)) return 1;
    const locale_t before = ::uselocale(locale_);
    const int columns = ::wcwidth(static_cast<wchar_t>(code_point));
    ::uselocale(before);
    return columns;
  }

 private:
  locale_t locale_;
};

int width_of(char32_t code_point) {
  if (code_point >= 0x20 && code_point < 0x7F) return 1;
  static const Utf8Locale locale;
  return locale.width(code_point);
}

// Characters that would change the terminal's state or the reading direction, or that nobody sees.
bool is_invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xE0000 && c <= 0xE0FFF) || width_of(c) < 0;
}

std::string escaped(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\t') return "\\t";
  if (c == '\r') return "\\r";
  return fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(c));
}

std::string hex_bytes(std::string_view bytes) {
  std::string out = "<";
  for (const char byte : bytes) {
    out += fmt::format("{}{:02X}", out.size() > 1 ? " " : "", static_cast<unsigned char>(byte));
  }
  return out + ">";
}

// Calls piece(text, is_bytes) for each character and each run of bytes that are none.
template <class Piece>
void for_each_readable(std::string_view bytes, Piece piece) {
  std::size_t invalid = 0;
  const auto flush = [&](std::string_view from) {
    if (invalid > 0) piece(hex_bytes(from.substr(0, invalid)), true);
    invalid = 0;
  };
  std::string_view rest = bytes;
  std::string_view run = bytes;
  while (!rest.empty()) {
    const Utf8Step step = next_utf8(rest);
    if (step.valid) {
      flush(run);
      piece(is_invisible(step.code_point) ? escaped(step.code_point)
                                          : std::string(rest.substr(0, step.bytes)),
            false);
    } else {
      if (invalid == 0) run = rest;
      invalid += step.bytes;
    }
    rest.remove_prefix(step.bytes);
  }
  flush(run);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    columns += static_cast<std::size_t>(std::max(0, step.valid ? width_of(step.code_point) : 1));
    text.remove_prefix(step.bytes);
  }
  return columns;
}

std::string readable_token(std::string_view bytes) {
  std::string out;
  bool any_character = bytes.empty();
  for_each_readable(bytes, [&](std::string_view piece, bool is_bytes) {
    if (piece == "\"" || piece == "\\") out += '\\';
    out += piece;
    any_character = any_character || !is_bytes;
  });
  return any_character ? '"' + out + '"' : out;
}

std::string readable_excerpt(std::string_view bytes, std::size_t columns) {
  std::string out;
  std::size_t used = 0;
  bool cut = false;
  for_each_readable(bytes.substr(0, 8 * columns), [&](std::string_view piece, bool) {
    const std::size_t width = display_width(piece);
    cut = cut || used + width > columns;
    if (cut) return;
    out += piece;
    used += width;
  });
  return cut || bytes.size() > 8 * columns ? out + "…" : out;
}

void Table::add_row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

std::string Table::to_string(std::string_view indent) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    out += indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - display_width(row[i]), ' ');
      const bool last = i + 1 == row.size();
      if (columns_[i] == Align::kRight) out += blanks;
      out += row[i];
      if (columns_[i] == Align::kLeft && !last) out += blanks;
      if (!last) out += "  ";
    }
    out += '\n';
  }
  return out;
}

}  // namespace glassgpt::cli
