#include "io/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "glassgpt/error.h"
#include "io/json.h"

namespace glassgpt::io {

static_assert(std::endian::native == std::endian::little, "files are little endian");

namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3, kOldestVersion = 2;
constexpr std::uint32_t kDefaultAlignment = 32;
constexpr const char* kAlignmentKey = "general.alignment";
constexpr std::size_t kLongestKey = 65535, kLongestTensorName = 63;
constexpr std::uint32_t kMaxDimensions = 4;
// The least that one of them takes in the file: what bounds the counts that a file may claim.
constexpr std::uint64_t kLeastValueBytes = 8 + 4 + 1, kLeastTensorBytes = 8 + 4 + 4 + 8;

constexpr std::uint32_t kF32 = 0, kF16 = 1, kBF16 = 30;

struct TypeName {
  std::uint32_t number;
  const char* name;
};
// ggml's other types, to be named when they are refused.
constexpr std::array<TypeName, 31> kOtherTypes{
    {{2, "Q4_0"},     {3, "Q4_1"},    {6, "Q5_0"},     {7, "Q5_1"},   {8, "Q8_0"},    {9, "Q8_1"},
     {10, "Q2_K"},    {11, "Q3_K"},   {12, "Q4_K"},    {13, "Q5_K"},  {14, "Q6_K"},   {15, "Q8_K"},
     {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},
     {22, "IQ2_S"},   {23, "IQ4_XS"}, {24, "I8"},      {25, "I16"},   {26, "I32"},    {27, "I64"},
     {28, "F64"},     {29, "IQ1_M"},  {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},  {4, "Q4_2"},
     {5, "Q4_3"}}};

DType dtype_of(std::uint32_t type) {
  return type == kF32    ? DType::kF32
         : type == kF16  ? DType::kF16
         : type == kBF16 ? DType::kBF16
                         : DType::kOther;
}

std::uint32_t number_of(DType type) {
  return type == DType::kF32 ? kF32 : type == DType::kF16 ? kF16 : kBF16;
}

std::string name_of_type(std::uint32_t type) {
  if (const DType known = dtype_of(type); known != DType::kOther)
    return std::string(dtype_name(known));
  const auto* found = std::find_if(kOtherTypes.begin(), kOtherTypes.end(),
                                   [&](const TypeName& other) { return other.number == type; });
  return found != kOtherTypes.end() ? found->name : "number " + std::to_string(type);
}

// Bytes of one value; 0 for what has no fixed size or is no type.
std::size_t fixed_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return 0;
}

template <class T>
T number_at(std::span<const std::byte> bytes, std::uint64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

template <class T>
void append_number(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& out, std::string_view text) {
  append_number(out, std::uint64_t{text.size()});
  out.append(text);
}

std::uint64_t padding(std::uint64_t bytes, std::uint64_t alignment) {
  return (alignment - bytes % alignment) % alignment;
}

}  // namespace

// One file from its first byte to its last tensor.
class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, const std::string& name)
      : bytes_(bytes), left_(bytes) {
    contents_.name_ = name;
  }

  GgufContents read() {
    read_version();
    const std::uint64_t tensors = count("tensors", kLeastTensorBytes);
    const std::uint64_t values = count("values", kLeastValueBytes);
    for (std::uint64_t i = 0; i < values; ++i) read_entry(i);
    for (std::uint64_t i = 0; i < tensors; ++i) read_tensor(i);
    place_tensors();
    return std::move(contents_);
  }

 private:
  struct Placed {
    TensorView* tensor;
    std::uint64_t offset, bytes;
  };

  [[noreturn]] void malformed(const std::string& detail) const {
    throw Error(ErrorCode::kMalformed, contents_.name_, detail, "the file is damaged or not GGUF");
  }
  [[noreturn]] void unsupported(const std::string& detail, const char* hint) const {
    throw Error(ErrorCode::kUnsupported, contents_.name_, detail, hint);
  }

  std::span<const std::byte> take(std::uint64_t bytes, const std::string& what) {
    if (bytes > left_.size()) {
      malformed("ends inside " + what + ": " + std::to_string(bytes) + " bytes are needed, " +
                std::to_string(left_.size()) + " are left");
    }
    const auto taken = left_.first(static_cast<std::size_t>(bytes));
    left_ = left_.subspan(taken.size());
    return taken;
  }

  template <class T>
  T number(const std::string& what) {
    return number_at<T>(take(sizeof(T), what), 0);
  }

  std::string_view text(const std::string& what) {
    const auto length = number<std::uint64_t>(what);
    const auto bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void read_version() {
    if (!begins_like_gguf(bytes_)) malformed("does not begin with GGUF's magic bytes");
    take(kMagic.size(), "the magic bytes");
    const auto version = number<std::uint32_t>("the version");
    if (version >= kOldestVersion && version <= kVersion) return;
    if ((version & 0xFFFF) == 0 && version != 0) {
      unsupported("is big endian", "convert the model again on a little-endian machine");
    }
    unsupported("is GGUF version " + std::to_string(version) + ", versions 2 and 3 can be read",
                "convert the model again with a newer llama.cpp");
  }

  std::uint64_t count(const std::string& what, std::uint64_t least_bytes) {
    const auto claimed = number<std::uint64_t>("the number of " + what);
    if (claimed > left_.size() / least_bytes) {
      malformed("claims " + std::to_string(claimed) + " " + what + ", more than its " +
                std::to_string(bytes_.size()) + " bytes can hold");
    }
    return claimed;
  }

  void read_entry(std::uint64_t index) {
    const std::string_view key = text("the name of value " + std::to_string(index));
    if (key.size() > kLongestKey) {
      malformed("the name of value " + std::to_string(index) + " has " +
                std::to_string(key.size()) + " bytes");
    }
    const std::string where = "the value " + quote_name(key);
    GgufValue value;
    value.type = static_cast<GgufType>(number<std::uint32_t>(where));
    value.is_array = value.type == GgufType::kArray;
    if (value.is_array) {
      value.type = static_cast<GgufType>(number<std::uint32_t>(where));
      value.count = number<std::uint64_t>(where);
      if (value.type == GgufType::kArray) unsupported(where + " is an array of arrays", "");
    }
    value.bytes = value_bytes(value, where);
    if (!contents_.metadata_.emplace(key, value).second) malformed(where + " stands there twice");
  }

  std::span<const std::byte> value_bytes(const GgufValue& value, const std::string& where) {
    if (value.type == GgufType::kString) return string_bytes(value.count, where);
    const std::size_t each = fixed_bytes(value.type);
    if (each == 0) {
      malformed(where + " has the unknown type " +
                std::to_string(static_cast<std::uint32_t>(value.type)));
    }
    if (value.count > left_.size() / each) {
      malformed(where + " claims " + std::to_string(value.count) + " elements, " +
                std::to_string(left_.size()) + " bytes are left");
    }
    return take(value.count * each, where);
  }

  std::span<const std::byte> string_bytes(std::uint64_t count, const std::string& where) {
    const auto from = left_;
    if (count > left_.size() / sizeof(std::uint64_t)) {
      malformed(where + " claims " + std::to_string(count) + " strings, " +
                std::to_string(left_.size()) + " bytes are left");
    }
    for (std::uint64_t i = 0; i < count; ++i) text(where);
    return from.first(from.size() - left_.size());
  }

  void read_tensor(std::uint64_t index) {
    const std::string_view name = text("the name of tensor " + std::to_string(index));
    const std::string where = "tensor " + quote_name(name);
    if (name.empty() || name.size() > kLongestTensorName) {
      malformed(where + " has a name of " + std::to_string(name.size()) + " bytes");
    }
    TensorView tensor;
    tensor.name = name;
    const auto dimensions = number<std::uint32_t>(where);
    if (dimensions > kMaxDimensions) {
      malformed(where + " has " + std::to_string(dimensions) + " dimensions");
    }
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      tensor.shape.insert(tensor.shape.begin(), number<std::uint64_t>(where));
    }
    const auto type = number<std::uint32_t>(where);
    const auto offset = number<std::uint64_t>(where);
    tensor.dtype = dtype_of(type);
    tensor.dtype_name = name_of_type(type);
    const auto bytes = tensor_bytes(tensor.shape, element_bytes(tensor.dtype));
    if (!bytes) malformed(where + " has a shape whose size overflows");
    const auto [added, inserted] = contents_.tensors_.emplace(std::string(name), std::move(tensor));
    if (!inserted) malformed(where + " stands there twice");
    placed_.push_back({&added->second, offset, *bytes});
  }

  std::uint64_t alignment() const {
    const auto given = contents_.whole_number(kAlignmentKey);
    if (!given) return kDefaultAlignment;
    if (!std::has_single_bit(*given) || *given > (std::uint64_t{1} << 31)) {
      malformed(std::string(kAlignmentKey) + " is " + std::to_string(*given) +
                ", expected a power of two");
    }
    return *given;
  }

  // Offsets count from the first aligned byte behind the list of tensors.
  void place_tensors() {
    const std::uint64_t aligned = alignment();
    const std::uint64_t gap = padding(bytes_.size() - left_.size(), aligned);
    if (gap <= left_.size()) {
      left_ = left_.subspan(static_cast<std::size_t>(gap));
    } else if (!placed_.empty()) {
      malformed("ends before its tensors begin");
    }
    // What is not read needs no place, for its size is not known here.
    std::erase_if(placed_,
                  [](const Placed& placed) { return placed.tensor->dtype == DType::kOther; });
    for (const Placed& placed : placed_) place(placed, aligned);
    std::sort(placed_.begin(), placed_.end(),
              [](const Placed& a, const Placed& b) { return a.offset < b.offset; });
    std::uint64_t end = 0;
    for (const Placed& placed : placed_) {
      if (placed.bytes == 0) continue;
      if (placed.offset < end) {
        malformed("tensor " + quote_name(placed.tensor->name) + " at offset " +
                  std::to_string(placed.offset) + " overlaps the one before it");
      }
      end = placed.offset + placed.bytes;
    }
  }

  void place(const Placed& placed, std::uint64_t aligned) {
    const std::string where = "tensor " + quote_name(placed.tensor->name);
    if (placed.offset % aligned != 0) {
      malformed(where + " has the offset " + std::to_string(placed.offset) +
                ", which is no multiple of " + std::to_string(aligned));
    }
    if (placed.offset > left_.size() || placed.bytes > left_.size() - placed.offset) {
      malformed(where + " has " + std::to_string(placed.bytes) + " bytes at offset " +
                std::to_string(placed.offset) + ", the file has " + std::to_string(left_.size()) +
                " bytes of data");
    }
    placed.tensor->data = left_.subspan(static_cast<std::size_t>(placed.offset),
                                        static_cast<std::size_t>(placed.bytes));
  }

  std::span<const std::byte> bytes_, left_;
  GgufContents contents_;
  std::vector<Placed> placed_;
};

const GgufValue* GgufContents::value(const std::string& key, bool is_array) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return nullptr;
  if (found->second.is_array != is_array) wrong_kind(key, is_array ? "an array" : "one value");
  return &found->second;
}

void GgufContents::wrong_kind(const std::string& key, const char* expected) const {
  throw Error(ErrorCode::kMalformed, name_, "the value " + quote_name(key) + " is not " + expected);
}

std::uint64_t GgufContents::whole_number_at(const std::string& key, const GgufValue& value,
                                            std::uint64_t index) const {
  const auto not_negative = [&](std::int64_t number) {
    if (number < 0) wrong_kind(key, "a whole number from 0 on");
    return static_cast<std::uint64_t>(number);
  };
  switch (value.type) {
    case GgufType::kUint8:
      return number_at<std::uint8_t>(value.bytes, index);
    case GgufType::kUint16:
      return number_at<std::uint16_t>(value.bytes, index);
    case GgufType::kUint32:
      return number_at<std::uint32_t>(value.bytes, index);
    case GgufType::kUint64:
      return number_at<std::uint64_t>(value.bytes, index);
    case GgufType::kInt8:
      return not_negative(number_at<std::int8_t>(value.bytes, index));
    case GgufType::kInt16:
      return not_negative(number_at<std::int16_t>(value.bytes, index));
    case GgufType::kInt32:
      return not_negative(number_at<std::int32_t>(value.bytes, index));
    case GgufType::kInt64:
      return not_negative(number_at<std::int64_t>(value.bytes, index));
    default:
      wrong_kind(key, "a whole number");
  }
}

std::optional<std::uint64_t> GgufContents::whole_number(const std::string& key) const {
  const GgufValue* found = value(key, false);
  if (found == nullptr) return std::nullopt;
  return whole_number_at(key, *found, 0);
}

std::optional<float> GgufContents::number(const std::string& key) const {
  const GgufValue* found = value(key, false);
  if (found == nullptr) return std::nullopt;
  if (found->type == GgufType::kFloat32) return number_at<float>(found->bytes, 0);
  if (found->type == GgufType::kFloat64) {
    return static_cast<float>(number_at<double>(found->bytes, 0));
  }
  wrong_kind(key, "a number with a point");
}

std::optional<bool> GgufContents::flag(const std::string& key) const {
  const GgufValue* found = value(key, false);
  if (found == nullptr) return std::nullopt;
  if (found->type != GgufType::kBool) wrong_kind(key, "true or false");
  return number_at<std::uint8_t>(found->bytes, 0) != 0;
}

std::optional<std::vector<std::string_view>> GgufContents::texts(const std::string& key) const {
  const GgufValue* found = value(key, true);
  if (found == nullptr) return std::nullopt;
  if (found->type != GgufType::kString) wrong_kind(key, "an array of strings");
  std::vector<std::string_view> list;
  list.reserve(static_cast<std::size_t>(found->count));
  const char* at = reinterpret_cast<const char*>(found->bytes.data());
  for (std::uint64_t i = 0; i < found->count; ++i) {
    std::uint64_t length = 0;
    std::memcpy(&length, at, sizeof length);
    list.emplace_back(at + sizeof length, static_cast<std::size_t>(length));
    at += sizeof length + length;
  }
  return list;
}

std::optional<std::string_view> GgufContents::text(const std::string& key) const {
  const GgufValue* found = value(key, false);
  if (found == nullptr) return std::nullopt;
  if (found->type != GgufType::kString) wrong_kind(key, "a string");
  const auto bytes = found->bytes.subspan(sizeof(std::uint64_t));
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<std::vector<std::uint64_t>> GgufContents::whole_numbers(
    const std::string& key) const {
  const GgufValue* found = value(key, true);
  if (found == nullptr) return std::nullopt;
  std::vector<std::uint64_t> list;
  list.reserve(static_cast<std::size_t>(found->count));
  for (std::uint64_t i = 0; i < found->count; ++i) list.push_back(whole_number_at(key, *found, i));
  return list;
}

const TensorView* GgufContents::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

bool begins_like_gguf(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= kMagic.size() &&
         std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

GgufContents parse_gguf(std::span<const std::byte> bytes, const std::string& name) {
  return GgufReader(bytes, name).read();
}

void GgufMetadata::begin(std::string_view key, GgufType type) {
  if (key.size() > kLongestKey) throw std::invalid_argument("a key of more than 65535 bytes");
  append_text(bytes_, key);
  append_number(bytes_, type);
  ++count_;
}

void GgufMetadata::add_whole_number(std::string_view key, std::uint32_t value) {
  begin(key, GgufType::kUint32);
  append_number(bytes_, value);
}

void GgufMetadata::add_number(std::string_view key, float value) {
  begin(key, GgufType::kFloat32);
  append_number(bytes_, value);
}

void GgufMetadata::add_flag(std::string_view key, bool value) {
  begin(key, GgufType::kBool);
  append_number(bytes_, static_cast<std::uint8_t>(value ? 1 : 0));
}

void GgufMetadata::add_text(std::string_view key, std::string_view value) {
  begin(key, GgufType::kString);
  append_text(bytes_, value);
}

void GgufMetadata::add_texts(std::string_view key, std::span<const std::string> values) {
  begin(key, GgufType::kArray);
  append_number(bytes_, GgufType::kString);
  append_number(bytes_, std::uint64_t{values.size()});
  for (const std::string& value : values) append_text(bytes_, value);
}

void GgufMetadata::add_whole_numbers(std::string_view key, std::span<const std::int32_t> values) {
  begin(key, GgufType::kArray);
  append_number(bytes_, GgufType::kInt32);
  append_number(bytes_, std::uint64_t{values.size()});
  for (const std::int32_t value : values) append_number(bytes_, value);
}

void GgufMetadata::append(const GgufMetadata& more) {
  bytes_ += more.bytes_;
  count_ += more.count_;
}

GgufWriter::GgufWriter(const std::filesystem::path& file, const GgufMetadata& metadata,
                       std::vector<GgufTensor> tensors)
    : tensors_(std::move(tensors)), file_(file) {
  std::string header(kMagic);
  append_number(header, kVersion);
  append_number(header, std::uint64_t{tensors_.size()});
  append_number(header, metadata.count());
  header += metadata.bytes();
  std::uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors_) {
    const auto bytes = tensor_bytes(tensor.shape, element_bytes(tensor.type));
    if (tensor.name.empty() || tensor.name.size() > kLongestTensorName || !bytes ||
        tensor.shape.size() > kMaxDimensions || tensor.type == DType::kOther) {
      throw std::invalid_argument("GGUF cannot hold the tensor " + quote_name(tensor.name));
    }
    append_text(header, tensor.name);
    append_number(header, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) {
      append_number(header, std::uint64_t{*extent});
    }
    append_number(header, number_of(tensor.type));
    append_number(header, offset);
    offset += *bytes + padding(*bytes, kDefaultAlignment);
  }
  header.append(static_cast<std::size_t>(padding(header.size(), kDefaultAlignment)), '\0');
  file_.write(header);
}

void GgufWriter::add(const float* values) {
  if (added_ == tensors_.size()) throw std::invalid_argument("more tensors than were announced");
  const GgufTensor& tensor = tensors_[added_++];
  const std::uint64_t bytes = *tensor_bytes(tensor.shape, element_bytes(tensor.type));
  write_floats(file_, tensor.name, values, bytes / element_bytes(tensor.type), tensor.type);
  file_.write(std::string(static_cast<std::size_t>(padding(bytes, kDefaultAlignment)), '\0'));
}

void GgufWriter::finish() {
  if (added_ != tensors_.size()) throw std::invalid_argument("fewer tensors than were announced");
  file_.commit();
}

}  // namespace glassgpt::io
