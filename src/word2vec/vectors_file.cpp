// word2vec's text and binary files. What is read is hostile until checked.
#include <charconv>
#include <cstring>
#include <limits>

#include "glassgpt/error.h"
#include "glassgpt/word2vec.h"
#include "io/file.h"

namespace glassgpt {
namespace {

constexpr const char* kHint =
    "expected word2vec's format: a line \"WORDS DIM\", then each word with its DIM numbers";

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file)
      : file_(file),
        text_(reinterpret_cast<const char*>(file_.bytes().data()), file_.bytes().size()) {}

  WordVectors read() {
    read_header();
    // Numbers where a text file has them are a text file: four bytes of a float32 that look so for
    // a whole line do not happen.
    const std::size_t body = at_;
    std::string_view first = next_line(), word;
    std::vector<float> numbers(words_ == 0 ? 0 : dim_);
    const bool is_text = words_ == 0 || parse_line(first, word, numbers.data());
    at_ = body;
    return is_text ? read_text() : read_binary();
  }

 private:
  [[noreturn]] void fail(const std::string& detail) const {
    throw Error(ErrorCode::kMalformed, file_.path().string(), detail, kHint);
  }

  std::string_view next_line() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view line = text_.substr(at_, end - at_);
    at_ = std::min(end + 1, text_.size());
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }

  void read_header() {
    if (text_.empty()) fail("the file is empty");
    const std::string_view line = next_line();
    const std::size_t blank = std::min(line.find(' '), line.size());
    const auto number = [&](std::string_view digits) {
      std::size_t value = 0;
      const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (code != std::errc() || end != digits.data() + digits.size()) {
        fail("the first line is not \"WORDS DIM\"");
      }
      return value;
    };
    words_ = number(line.substr(0, blank));
    std::string_view rest = line.substr(std::min(blank + 1, line.size()));
    while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
    dim_ = number(rest);
    if (dim_ == 0) fail("vectors of no numbers");
    // Of a word there are at least two bytes of each number, or four. So the product below fits.
    const std::size_t left = text_.size() - at_;
    if (words_ > left || (words_ > 0 && dim_ > left / words_)) {
      fail(std::to_string(words_) + " words of " + std::to_string(dim_) +
           " numbers are announced, but only " + std::to_string(left) + " bytes follow");
    }
    if (words_ > std::numeric_limits<std::uint32_t>::max()) fail("more than 2^32 words");
    list_.reserve(words_);
    values_.reserve(words_ * dim_);
  }

  // "WORD NUMBER ... NUMBER", the numbers taken from the end, for a word may have blanks in it.
  bool parse_line(std::string_view line, std::string_view& word, float* numbers) const {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    for (std::size_t i = dim_; i-- > 0;) {
      const std::size_t blank = line.find_last_of(" \t");
      if (blank == std::string_view::npos || blank == 0) return false;
      const char* const begin = line.data() + blank + 1;
      const char* const end = line.data() + line.size();
      const auto [stop, code] = std::from_chars(begin, end, numbers[i]);
      // Beyond float's range: what is too small is 0, what is too large no number.
      if (code == std::errc::result_out_of_range && stop == end) {
        numbers[i] = too_small(begin, end) ? 0.0f : std::numeric_limits<float>::infinity();
      } else if (code != std::errc() || stop != end) {
        return false;
      }
      line = line.substr(0, blank);
    }
    word = line;
    return true;
  }

  static bool too_small(const char* begin, const char* end) {
    double value = 0;
    const auto result = std::from_chars(begin, end, value);
    return result.ec != std::errc() || (value < 1 && value > -1);
  }

  WordVectors read_text() {
    for (std::size_t i = 0; i < words_; ++i) {
      if (at_ == text_.size()) fail_short(i);
      const std::string_view line = next_line();
      values_.resize((i + 1) * dim_);
      std::string_view word;
      if (!parse_line(line, word, values_.data() + i * dim_)) {
        fail("line " + std::to_string(i + 2) + " is not a word and " + std::to_string(dim_) +
             " numbers");
      }
      list_.emplace_back(word);
    }
    if (text_.find_first_not_of(" \t\r\n", at_) != std::string_view::npos) {
      fail("there is more after the " + std::to_string(words_) + " words announced");
    }
    return {std::move(list_), dim_, std::move(values_)};
  }

  WordVectors read_binary() {
    const std::size_t bytes = dim_ * sizeof(float);
    for (std::size_t i = 0; i < words_; ++i) {
      // The line end after a vector may be missing.
      if (i > 0 && at_ < text_.size() && text_[at_] == '\n') ++at_;
      const std::size_t blank = text_.find(' ', at_);
      if (blank == std::string_view::npos || text_.size() - blank - 1 < bytes) fail_short(i);
      list_.emplace_back(text_.substr(at_, blank - at_));
      if (list_.back().empty() || list_.back().find('\n') != std::string::npos) {
        fail("word " + std::to_string(i + 1) + " is none");
      }
      values_.resize((i + 1) * dim_);
      std::memcpy(values_.data() + i * dim_, text_.data() + blank + 1, bytes);
      at_ = blank + 1 + bytes;
    }
    if (text_.size() - at_ > 1) {
      fail("there is more after the " + std::to_string(words_) + " words announced");
    }
    return {std::move(list_), dim_, std::move(values_)};
  }

  [[noreturn]] void fail_short(std::size_t words) const {
    fail("the file ends after " + std::to_string(words) + " of " + std::to_string(words_) +
         " words");
  }

  io::MappedFile file_;
  std::string_view text_;
  std::size_t at_ = 0, words_ = 0, dim_ = 0;
  std::vector<std::string> list_;
  std::vector<float> values_;
};

std::string header(const WordVectors& vectors) {
  return std::to_string(vectors.size()) + " " + std::to_string(vectors.dim()) + "\n";
}

}  // namespace

WordVectors WordVectors::load(const std::filesystem::path& file) { return Reader(file).read(); }

void WordVectors::save_text(const std::filesystem::path& file) const {
  io::AtomicFile out(file);
  out.write(header(*this));
  std::string line;
  for (std::size_t i = 0; i < size(); ++i) {
    line = word(i);
    for (const float value : vector(i)) {
      char digits[32];
      const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
      line.append(" ").append(digits, end);
    }
    line += '\n';
    out.write(line);
  }
  out.commit();
}

void WordVectors::save_binary(const std::filesystem::path& file) const {
  static_assert(sizeof(float) == 4);
  io::AtomicFile out(file);
  out.write(header(*this));
  for (std::size_t i = 0; i < size(); ++i) {
    out.write(word(i) + " ");
    out.write(vector(i).data(), dim_ * sizeof(float));
    out.write("\n");
  }
  out.commit();
}

}  // namespace glassgpt
