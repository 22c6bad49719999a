#include "io/npy.h"

#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "glassgpt/error.h"
#include "io/half.h"
#include "io/json.h"

namespace glassgpt::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little endian");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLeastHeader = 128;   // holds any two 64-bit sizes
constexpr std::size_t kMaxDimensions = 32;  // NumPy's own limit
constexpr std::size_t kMaxHeader = 1 << 16;

std::string_view descriptor(NpyType type) { return type == NpyType::kFloat32 ? "<f4" : "<f2"; }
std::size_t element_bytes(NpyType type) { return type == NpyType::kFloat32 ? 4 : 2; }

[[noreturn]] void malformed(const std::string& file, const std::string& detail) {
  throw Error(ErrorCode::kMalformed, file, detail, "the file is damaged or not npy");
}

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

// The header is a Python dictionary with three keys. This reads exactly that, not Python.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Header parse() {
    Header header;
    bool seen_descr = false, seen_order = false, seen_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !std::exchange(seen_descr, true)) {
        header.descr = value_string();
      } else if (key == "fortran_order" && !std::exchange(seen_order, true)) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !std::exchange(seen_shape, true)) {
        header.shape = tuple();
      } else {
        malformed(file_, "the header has the unexpected key " + quote_name(key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) malformed(file_, "the header goes on after its dictionary");
    if (!seen_descr || !seen_order || !seen_shape) {
      malformed(file_, "the header lacks descr, fortran_order or shape");
    }
    return header;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  bool accept(char wanted) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) {
      malformed(file_, std::string("the header lacks '") + wanted + "' at its byte " +
                           std::to_string(at_));
    }
  }

  std::string string() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) malformed(file_, "the header has a string without an end");
    const std::string_view inside = text_.substr(at_, end - at_);
    at_ = end + 1;
    return std::string(inside);
  }

  // A structured type is a list here.
  std::string value_string() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '[') {
      throw Error(ErrorCode::kUnsupported, file_, "holds records, not plain numbers",
                  "save float32 or float16");
    }
    return string();
  }

  bool boolean() {
    skip_space();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    malformed(file_, "fortran_order is neither True nor False");
  }

  std::vector<std::uint64_t> tuple() {
    std::vector<std::uint64_t> sizes;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::uint64_t size = 0;
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), size);
      if (error != std::errc() || sizes.size() == kMaxDimensions) {
        malformed(file_, "the shape is not a tuple of at most 32 sizes");
      }
      at_ += static_cast<std::size_t>(end - begin);
      sizes.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return sizes;
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0;
};

// Where the header's text lies: after the magic, two bytes of version and two or four bytes of
// length.
std::string_view header_text(std::string_view bytes, const std::string& file) {
  constexpr std::size_t kVersionEnd = 8;
  if (bytes.size() < kVersionEnd || !bytes.starts_with(kMagic)) {
    malformed(file, "does not begin with npy's magic bytes");
  }
  const int version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3 || bytes[7] != 0) {
    throw Error(ErrorCode::kUnsupported, file,
                "npy version " + std::to_string(version) + "." +
                    std::to_string(static_cast<unsigned char>(bytes[7])),
                "versions 1.0, 2.0 and 3.0 can be read");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  std::uint32_t length = 0;
  if (bytes.size() < kVersionEnd + length_bytes) malformed(file, "ends inside its header");
  std::memcpy(&length, bytes.data() + kVersionEnd, length_bytes);
  const std::size_t begin = kVersionEnd + length_bytes;
  if (length > kMaxHeader || length > bytes.size() - begin) {
    malformed(file, "the header claims " + std::to_string(length) + " bytes, " +
                        std::to_string(bytes.size() - begin) + " follow");
  }
  return bytes.substr(begin, length);
}

std::uint64_t count_elements(const std::vector<std::uint64_t>& shape, const std::string& file) {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) malformed(file, "its shape overflows");
  }
  return count;
}

}  // namespace

std::string npy_header(NpyType type, std::span<const std::uint64_t> shape) {
  if (shape.size() > kMaxDimensions) {
    throw std::invalid_argument("npy arrays have at most 32 dimensions, got " +
                                std::to_string(shape.size()));
  }
  std::string text = "{'descr': '";
  text.append(descriptor(type)).append("', 'fortran_order': False, 'shape': (");
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text.append(std::to_string(shape[i])).append(i + 1 < shape.size() ? ", " : "");
  }
  text += shape.size() == 1 ? ",), }" : "), }";
  constexpr std::size_t kBefore = 10;  // magic, version, length
  std::size_t total = kLeastHeader;
  while (total < kBefore + text.size() + 1) total += kAlignment;
  text.append(total - kBefore - text.size() - 1, ' ').append(1, '\n');
  std::string header(kMagic);
  header.append({'\x01', '\x00'});
  header.push_back(static_cast<char>(text.size() & 0xff));
  header.push_back(static_cast<char>(text.size() >> 8));
  return header + text;
}

namespace {

// Of a file that is there already, as its writer was told.
std::uint64_t kept_bytes(const std::filesystem::path& file, std::uint64_t rows, std::uint64_t cols,
                         NpyType type) {
  std::uint64_t values = 0, bytes = 0;
  if (__builtin_mul_overflow(rows, cols, &values) ||
      __builtin_mul_overflow(values, element_bytes(type), &bytes) ||
      __builtin_add_overflow(bytes, kLeastHeader, &bytes)) {
    throw Error(ErrorCode::kMalformed, file.string(),
                "cannot have " + std::to_string(rows) + " rows", "run it again without --resume");
  }
  return rows == 0 ? 0 : bytes;
}

}  // namespace

NpyWriter::NpyWriter(const std::filesystem::path& file, std::uint64_t cols, NpyType type,
                     std::uint64_t kept_rows)
    : cols_(cols),
      type_(type),
      rows_(kept_rows),
      file_(file, kept_bytes(file, kept_rows, cols, type)) {
  if (kept_rows == 0) {
    const std::uint64_t shape[] = {0, cols};
    file_.write(npy_header(type, shape));
  }
}

std::uint64_t NpyWriter::bytes_of(std::uint64_t rows) const noexcept {
  return kLeastHeader + rows * cols_ * element_bytes(type_);
}

void NpyWriter::append(const float* rows, std::uint64_t count, std::uint64_t stride) {
  const auto cols = static_cast<std::size_t>(cols_);
  if (type_ == NpyType::kFloat32 && stride == cols_) {
    file_.write(rows, static_cast<std::size_t>(count) * cols * sizeof(float));
  } else {
    for (std::uint64_t row = 0; row < count; ++row) {
      const float* values = rows + row * stride;
      if (type_ == NpyType::kFloat32) {
        file_.write(values, cols * sizeof(float));
      } else {
        halves_.resize(cols);
        floats_to_halves(values, cols, halves_.data());
        file_.write(halves_.data(), cols * sizeof(std::uint16_t));
      }
    }
  }
  rows_ += count;
}

void NpyWriter::truncate(std::uint64_t rows) {
  file_.truncate(bytes_of(rows));
  rows_ = rows;
}

void NpyWriter::write_header() {
  const std::uint64_t shape[] = {rows_, cols_};
  file_.overwrite(0, npy_header(type_, shape));
}

void NpyWriter::finish() {
  write_header();
  file_.commit();
}

NpyView view_npy(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view header_bytes = header_text(text, name);
  const Header header = HeaderParser(header_bytes, name).parse();
  NpyView view;
  if (header.descr == descriptor(NpyType::kFloat16)) {
    view.type = NpyType::kFloat16;
  } else if (header.descr != descriptor(NpyType::kFloat32)) {
    throw Error(ErrorCode::kUnsupported, name, "holds elements of type " + quote_name(header.descr),
                "save '<f4' (float32) or '<f2' (float16)");
  }
  if (header.fortran_order) {
    throw Error(ErrorCode::kUnsupported, name, "is in Fortran order",
                "save numpy.ascontiguousarray of it");
  }
  view.shape = header.shape;
  view.elements = count_elements(header.shape, name);
  const char* data = header_bytes.data() + header_bytes.size();
  const auto available = static_cast<std::uint64_t>(text.data() + text.size() - data);
  if (view.elements > available || view.elements * element_bytes(view.type) != available) {
    malformed(name, "its shape has " + std::to_string(view.elements) + " elements of " +
                        std::to_string(element_bytes(view.type)) + " bytes, " +
                        std::to_string(available) + " bytes follow the header");
  }
  view.data = data;
  return view;
}

NpyArray parse_npy(std::span<const std::byte> bytes, const std::string& name) {
  const NpyView view = view_npy(bytes, name);
  NpyArray array;
  array.shape = view.shape;
  array.data.resize(static_cast<std::size_t>(view.elements));
  if (view.type == NpyType::kFloat16) {
    halves_to_floats(view.data, array.data.size(), array.data.data());
  } else if (view.elements != 0) {
    std::memcpy(array.data.data(), view.data, array.data.size() * sizeof(float));
  }
  return array;
}

NpyArray read_npy(const std::filesystem::path& file) {
  const MappedFile map(file);
  return parse_npy(map.bytes(), file.string());
}

}  // namespace glassgpt::io
