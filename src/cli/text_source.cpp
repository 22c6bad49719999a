#include "cli/text_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "cli/command.h"
#include "cli/output.h"
#include "glassgpt/error.h"
#include "io/json.h"

namespace glassgpt::cli {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 18;
constexpr std::size_t kLongestText = std::size_t{1} << 30;

std::string reason() { return std::generic_category().message(errno); }

int open_for_reading(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kUnreadable, file,
                "cannot open it for reading: " + reason(), missing ? "check its name" : "");
  }
  return descriptor;
}

// 0 at the end. Interrupted reads look for a signal and go on.
std::size_t read_some(int descriptor, const std::string& name, char* out, std::size_t bytes) {
  for (;;) {
    throw_if_interrupted();
    const ssize_t got = ::read(descriptor, out, bytes);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw Error(ErrorCode::kUnreadable, name, "cannot read it: " + reason());
  }
}

std::string read_rest(int descriptor, const std::string& name, std::string bytes) {
  for (;;) {
    if (bytes.size() > kLongestText) {
      throw Error(ErrorCode::kOutOfRange, name, "a text of more than 1 GiB", "cut it into parts");
    }
    const std::size_t size = bytes.size();
    bytes.resize(size + kBlockBytes);
    const std::size_t got = read_some(descriptor, name, bytes.data() + size, kBlockBytes);
    bytes.resize(size + got);
    if (got == 0) return bytes;
  }
}

// The characters of the number that is the object's "id": a double may not have them all.
class IdNumber final : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::string& text() const noexcept { return text_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t& text) override {
    if (is_id_ && depth_ == 1) text_ = text;
    return true;
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return ++depth_ > 0; }
  bool start_array(std::size_t) override { return ++depth_ > 0; }
  bool end_object() override { return depth_-- > 0; }
  bool end_array() override { return depth_-- > 0; }
  bool key(string_t& key) override {
    if (depth_ == 1) is_id_ = key == "id";
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  std::string text_;
  int depth_ = 0;
  bool is_id_ = false;  // the value of the object's last key
};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

void TextOptions::add_to(CLI::App& app) {
  app.add_option(
         "-i,--input", input,
         "texts from a file: .jsonl with {\"id\":…, \"text\":…} a line, anything else one text a "
         "line; - is standard input")
      ->check(not_empty())
      ->type_name("FILE");
  app.add_option(
         "--input-format", format,
         "how --input or standard input is cut into texts: lines, documents (a blank line ends "
         "one), jsonl, or whole (all of it is one text, byte for byte)")
      ->check(one_of({"auto", "lines", "documents", "jsonl", "whole"}))
      ->capture_default_str();
}

TextSource::TextSource(const TextOptions& options, const std::vector<std::string>& arguments,
                       bool after_separator) {
  const bool dash = arguments.size() == 1 && arguments[0] == "-" && !after_separator;
  if (!arguments.empty() && !dash) {
    if (!options.input.empty()) {
      throw UsageError("texts come as arguments or from --input, not both");
    }
    if (options.format != "auto") {
      throw UsageError(
          "--input-format is about --input and standard input; texts given as "
          "arguments are taken as they are");
    }
    arguments_ = arguments;
    from_arguments_ = true;
    return;
  }
  if (dash && !options.input.empty() && options.input != "-") {
    throw UsageError("'-' and --input both name a source of texts; give one of them");
  }
  if (options.input.empty() || options.input == "-") {
    if (!dash && options.input.empty() && ::isatty(STDIN_FILENO) == 1) {
      throw UsageError("no text: give it as arguments, by --input FILE, or on standard input");
    }
    name_ = "standard input";
    descriptor_ = STDIN_FILENO;
  } else {
    name_ = options.input;
    descriptor_ = open_for_reading(options.input);
    struct stat status = {};
    if (::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
      bytes_total_ = static_cast<std::uint64_t>(status.st_size);
    }
  }
  if (options.format == "jsonl" || (options.format == "auto" && ends_with(name_, ".jsonl"))) {
    format_ = Format::kJsonLines;
  } else if (options.format == "whole") {
    format_ = Format::kWhole;
  } else if (options.format == "documents") {
    format_ = Format::kDocuments;
  }
}

TextSource::~TextSource() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

bool TextSource::read_block() {
  if (at_end_) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  if (buffer_.size() > kLongestText) {
    throw Error(ErrorCode::kOutOfRange, name_,
                fmt::format("line {} has more than 1 GiB", line_ + 1), "cut it into parts");
  }
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kBlockBytes);
  const std::size_t got = read_some(descriptor_, name_, buffer_.data() + size, kBlockBytes);
  buffer_.resize(size + got);
  bytes_fetched_ += got;
  at_end_ = got == 0;
  return !at_end_;
}

void TextSource::only_in(std::vector<Stretch> stretches) {
  restricted_ = true;
  stretches_.assign(stretches.begin(), stretches.end());
  // As far as it will be read.
  if (!stretches_.empty()) bytes_total_ = std::min(bytes_total_, stretches_.back().end);
}

bool TextSource::is_wanted(std::uint64_t begin) {
  text_begin_ = begin;
  if (!restricted_) return true;
  while (!stretches_.empty() && stretches_.front().end <= begin) stretches_.pop_front();
  return !stretches_.empty() && stretches_.front().begin <= begin;
}

// Editors of Windows put one before a text file; it belongs to no line.
void TextSource::skip_byte_order_mark() {
  while (buffer_.size() < kByteOrderMark.size() && kByteOrderMark.starts_with(buffer_)) {
    if (!read_block()) break;
  }
  if (buffer_.starts_with(kByteOrderMark)) begin_ = kByteOrderMark.size();
}

bool TextSource::next_line(std::string& line) {
  if (line_ == 0) skip_byte_order_mark();
  line_begin_ = bytes_read();
  std::size_t searched = begin_;
  std::size_t end;
  while ((end = buffer_.find('\n', searched)) == std::string::npos) {
    searched =
        buffer_.size() - begin_;  // as it will be after read_block() moved the rest to the front
    if (!read_block()) {
      if (begin_ == buffer_.size()) return false;
      line.assign(buffer_, begin_);
      begin_ = buffer_.size();
      ++line_;
      return true;
    }
  }
  std::size_t length = end - begin_;
  if (length > 0 && buffer_[end - 1] == '\r') --length;
  line.assign(buffer_, begin_, length);
  begin_ = end + 1;
  ++line_;
  return true;
}

bool TextSource::next_json(Text& text) {
  std::string line;
  for (;; ++index_) {
    do {
      if (nothing_left() || !next_line(line)) return false;
    } while (line.find_first_not_of(" \t") == std::string::npos);
    if (is_wanted(line_begin_)) break;
  }
  text.where = fmt::format("{}: line {}", name_, line_);
  const nlohmann::json object = io::parse_json(line, text.where);
  const auto found = object.is_object() ? object.find("text") : object.end();
  if (!object.is_object() || found == object.end() || !found->is_string()) {
    throw Error(ErrorCode::kMalformed, text.where, "expected an object with a string \"text\"",
                R"(each line looks like {"id": 1, "text": "…"})");
  }
  text.bytes = found->get<std::string>();
  const auto id = object.find("id");
  if (id == object.end()) {
    text.id = fmt::format("{}", index_);
  } else {
    text.id = id->dump();
    if (id->is_number_float()) {
      IdNumber number;
      nlohmann::json::sax_parse(line, &number);
      text.id = number.text();
    }
    text.where += fmt::format(" (id {})", text.id);
  }
  ++index_;
  return true;
}

bool TextSource::next_document(Text& text, bool& wanted) {
  text.bytes.clear();
  std::string line;
  std::uint64_t first = 0, begin = 0;
  while (next_line(line)) {
    if (line.find_first_not_of(" \t") != std::string::npos) {
      if (first == 0) {
        first = line_;
        begin = line_begin_;
      }
      if (!text.bytes.empty()) text.bytes += '\n';
      text.bytes += line;
    } else if (first != 0) {
      break;
    }
  }
  if (first == 0) return false;
  text.where = fmt::format("{}: document {} from line {}", name_, index_, first);
  text.id = fmt::format("{}", index_++);
  wanted = is_wanted(begin);
  return true;
}

bool TextSource::next(Text& text) {
  throw_if_interrupted();
  if (from_arguments_) {
    if (index_ == arguments_.size()) return false;
    text.bytes = arguments_[index_];
    text.where = fmt::format("text {}", index_);
    text.id = fmt::format("{}", index_++);
    return true;
  }
  if (format_ == Format::kJsonLines) return next_json(text);
  if (format_ == Format::kDocuments) {
    bool wanted = false;
    while (!wanted) {
      if (nothing_left() || !next_document(text, wanted)) return false;
    }
    return true;
  }
  if (format_ == Format::kWhole) {
    if (index_ > 0 || !is_wanted(0)) return false;
    text.bytes = read_rest(descriptor_, name_, {});
    bytes_fetched_ = text.bytes.size();
    text.where = name_;
  } else {
    for (;; ++index_) {
      if (nothing_left() || !next_line(text.bytes)) return false;
      if (is_wanted(line_begin_)) break;
    }
    text.where = fmt::format("{}: line {}", name_, line_);
  }
  text.id = fmt::format("{}", index_++);
  return true;
}

std::string read_all(const std::string& file) {
  if (file == "-") return read_rest(STDIN_FILENO, "standard input", {});
  const int descriptor = open_for_reading(file);
  try {
    std::string bytes = read_rest(descriptor, file, {});
    ::close(descriptor);
    return bytes;
  } catch (...) {
    ::close(descriptor);
    throw;
  }
}

}  // namespace glassgpt::cli
