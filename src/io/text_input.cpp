#include "io/text_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "glassgpt/error.h"
#include "io/json.h"

namespace glassgpt::io {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 16;

std::string at_line(const std::string& file, std::uint64_t number) {
  return file + ":" + std::to_string(number);
}

}  // namespace

struct LineReader::State {
  std::string name;
  std::size_t max_line_bytes;
  int descriptor = -1;
  std::string chunk;
  std::size_t used = 0;  // bytes of the chunk that were handed out
  bool ended = false;
  std::uint64_t number = 0;

  State(std::string the_name, std::size_t limit)
      : name(std::move(the_name)), max_line_bytes(limit) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (descriptor > STDIN_FILENO) ::close(descriptor);
  }

  [[noreturn]] void fail(int error) const {
    if (error == ENOENT || error == ENOTDIR) {
      throw Error(ErrorCode::kNotFound, name, std::generic_category().message(ENOENT),
                  "check the path");
    }
    throw Error(ErrorCode::kUnreadable, name,
                "cannot be read: " + std::generic_category().message(error));
  }

  void fill() {
    chunk.resize(kChunkBytes);
    used = 0;
    ssize_t got = -1;
    do {
      got = ::read(descriptor, chunk.data(), chunk.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) fail(errno);
    chunk.resize(static_cast<std::size_t>(got));
    ended = got == 0;
  }
};

LineReader::LineReader(const std::filesystem::path& file, std::size_t max_line_bytes)
    : state_(
          std::make_unique<State>(file == "-" ? "standard input" : file.string(), max_line_bytes)) {
  state_->descriptor = file == "-" ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (state_->descriptor < 0) state_->fail(errno);
}

LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

std::uint64_t LineReader::line_number() const noexcept { return state_->number; }

bool LineReader::next(std::string& line) {
  State& state = *state_;
  line.clear();
  bool any = false, complete = false;
  while (!complete) {
    if (state.used == state.chunk.size()) {
      if (!state.ended) state.fill();
      if (state.ended) break;
    }
    const std::size_t end = state.chunk.find('\n', state.used);
    complete = end != std::string::npos;
    const std::size_t stop = complete ? end : state.chunk.size();
    line.append(state.chunk, state.used, stop - state.used);
    state.used = complete ? end + 1 : stop;
    any = true;
    if (line.size() > state.max_line_bytes) {
      throw Error(ErrorCode::kOutOfRange, at_line(state.name, state.number + 1),
                  "the line is longer than " + std::to_string(state.max_line_bytes) + " bytes",
                  "split it");
    }
  }
  if (!any) return false;
  if (complete && line.ends_with('\r')) line.pop_back();
  ++state.number;
  return true;
}

TextItem parse_jsonl_text(std::string_view line, const std::string& file, std::uint64_t number) {
  const std::string where = at_line(file, number);
  const nlohmann::json value = parse_json(line, where);
  const auto text = value.is_object() ? value.find("text") : value.end();
  if (text == value.end() || !text->is_string()) {
    throw Error(ErrorCode::kMalformed, where, "has no string \"text\"",
                "each line is an object like {\"id\": \"a\", \"text\": \"...\"}");
  }
  TextItem item{std::to_string(number), text->get<std::string>()};
  const auto id = value.find("id");
  if (id == value.end() || id->is_null()) return item;
  if (id->is_string()) {
    item.id = id->get<std::string>();
  } else if (id->is_number_integer()) {
    item.id = id->dump();
  } else {
    throw Error(ErrorCode::kMalformed, where, "\"id\" is neither a string nor a whole number");
  }
  return item;
}

TextReader::TextReader(const std::filesystem::path& file)
    : name_(file.string()), is_jsonl_(file.extension() == ".jsonl"), lines_(file) {}

std::optional<TextItem> TextReader::next() {
  std::string line;
  while (lines_.next(line)) {
    const std::uint64_t number = lines_.line_number();
    if (!is_jsonl_) return TextItem{std::to_string(number), std::move(line)};
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    return parse_jsonl_text(line, name_, number);
  }
  return std::nullopt;
}

}  // namespace glassgpt::io
