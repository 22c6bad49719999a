#include "io/json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "glassgpt/error.h"
#include "io/file.h"

namespace glassgpt::io {
namespace {

using nlohmann::json;

// Builds the value from the parser's events. The parser itself keeps its nesting on the heap, so no
// depth can overflow the stack.
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(const std::string& name, const JsonLimits& limits) : name_(name), limits_(limits) {}

  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }

  bool start_object(std::size_t /*elements*/) override { return open(json::value_t::object); }
  bool start_array(std::size_t /*elements*/) override { return open(json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    count();
    const auto [place, inserted] = open_.back()->emplace(key, nullptr);
    if (!inserted) {
      throw Error(ErrorCode::kMalformed, name_,
                  "the key " + quote_name(key) + " stands twice in one object");
    }
    member_ = &*place;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    throw Error(ErrorCode::kMalformed, name_,
                "is not valid JSON at byte " + std::to_string(position) + explain(error.what()));
  }

 private:
  void count() {
    if (++values_ > limits_.max_values) {
      throw Error(ErrorCode::kOutOfRange, name_,
                  "JSON of more than " + std::to_string(limits_.max_values) + " values");
    }
  }

  json* place(json value) {
    count();
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (member_ != nullptr) {
      *member_ = std::move(value);
      return std::exchange(member_, nullptr);
    }
    open_.back()->push_back(std::move(value));
    return &open_.back()->back();
  }

  bool add(json value) {
    place(std::move(value));
    return true;
  }

  bool open(json::value_t kind) {
    if (open_.size() >= limits_.max_depth) {
      throw Error(ErrorCode::kOutOfRange, name_,
                  "JSON nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    open_.push_back(place(json(kind)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  // The parser's sentence without its prefix and without the file's own bytes, which may be
  // anything.
  static std::string explain(std::string_view what) {
    const std::size_t end = std::min(
        {what.find("; last read"), what.find("; expected"), what.find(": '"), what.size()});
    const std::size_t begin = what.rfind(" - ", end);
    if (begin == std::string_view::npos) return {};
    return " (" + std::string(what.substr(begin + 3, end - begin - 3)) + ")";
  }

  const std::string& name_;
  const JsonLimits& limits_;
  json root_;
  std::vector<json*> open_;  // arrays and objects that have not ended, outermost first
  json* member_ = nullptr;   // where the value of the last key goes
  std::size_t values_ = 0;
};

}  // namespace

json parse_json(std::string_view text, const std::string& name, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(ErrorCode::kOutOfRange, name,
                "JSON of more than " + std::to_string(limits.max_bytes) + " bytes");
  }
  // The parser takes a zero byte for the end of the text and would not look at what follows.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(ErrorCode::kMalformed, name,
                "is not valid JSON at byte " + std::to_string(zero + 1) + " (a zero byte)");
  }
  Builder builder(name, limits);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

json read_json(const std::filesystem::path& file, const JsonLimits& limits) {
  return parse_json(read_file(file, limits.max_bytes), file.string(), limits);
}

std::string quote_name(std::string_view text) {
  constexpr std::size_t kMax = 80;
  const bool cut = text.size() > kMax;
  const json value(std::string(cut ? text.substr(0, kMax) : text));
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + (cut ? "..." : "");
}

}  // namespace glassgpt::io
