#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>
#include <stdexcept>
#include <utility>

#include "glassgpt/error.h"
#include "io/json.h"

namespace glassgpt::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little endian");

using nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::uint64_t kMaxIndexBytes = kMaxHeaderBytes;
constexpr std::size_t kMaxDimensions = 32;

struct TypeInfo {
  std::string_view name;
  DType dtype;
  std::uint64_t bytes;  // per element
};
constexpr std::array<TypeInfo, 15> kTypes{{
    {"F32", DType::kF32, 4},
    {"F16", DType::kF16, 2},
    {"BF16", DType::kBF16, 2},
    {"F64", DType::kOther, 8},
    {"I64", DType::kOther, 8},
    {"U64", DType::kOther, 8},
    {"I32", DType::kOther, 4},
    {"U32", DType::kOther, 4},
    {"I16", DType::kOther, 2},
    {"U16", DType::kOther, 2},
    {"I8", DType::kOther, 1},
    {"U8", DType::kOther, 1},
    {"BOOL", DType::kOther, 1},
    {"F8_E5M2", DType::kOther, 1},
    {"F8_E4M3", DType::kOther, 1},
}};

const TypeInfo* find_type(std::string_view name) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const TypeInfo& type) { return type.name == name; });
  return found == kTypes.end() ? nullptr : found;
}

[[noreturn]] void malformed(const std::string& file, const std::string& detail) {
  throw Error(ErrorCode::kMalformed, file, detail, "the file is damaged or not safetensors");
}

struct Extent {
  std::uint64_t begin, end;
  const TensorView* tensor;
};

// One file's header, checked entry by entry and then as a whole.
class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> bytes, const std::string& file)
      : bytes_(bytes), file_(file) {}

  SafetensorsContents read() {
    const std::uint64_t length = header_length();
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + kLengthBytes,
                                static_cast<std::size_t>(length));
    if (text.empty() || text.front() != '{') malformed(file_, "the header does not begin with '{'");
    data_ = bytes_.subspan(static_cast<std::size_t>(kLengthBytes + length));
    // Header, tensor, its shape: three levels.
    const json header = parse_json(text, file_, {.max_bytes = kMaxHeaderBytes, .max_depth = 3});
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        read_metadata(entry);
      } else {
        read_tensor(name, entry);
      }
    }
    check_extents();
    return std::move(contents_);
  }

 private:
  std::uint64_t header_length() const {
    if (bytes_.size() < kLengthBytes) {
      malformed(file_, "is " + std::to_string(bytes_.size()) +
                           " bytes long, too short for the 8 bytes of header length");
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    if (text.starts_with("version https://git-lfs")) {
      throw Error(ErrorCode::kMalformed, file_,
                  "holds Git LFS's name for the weights, not the weights",
                  "run 'git lfs pull' where it was cloned, or download the file itself");
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), sizeof length);
    if (length > kMaxHeaderBytes) {
      throw Error(ErrorCode::kOutOfRange, file_,
                  "the header claims " + std::to_string(length) + " bytes, the limit is " +
                      std::to_string(kMaxHeaderBytes),
                  "the file is damaged or not safetensors");
    }
    if (length > bytes_.size() - kLengthBytes) {
      malformed(file_, "the header claims " + std::to_string(length) + " bytes, only " +
                           std::to_string(bytes_.size() - kLengthBytes) + " follow");
    }
    return length;
  }

  void read_metadata(const json& entry) {
    if (!entry.is_object()) malformed(file_, "__metadata__ is not an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string())
        malformed(file_, "__metadata__: " + quote_name(key) + " is not a string");
      contents_.metadata.emplace(key, value.get<std::string>());
    }
  }

  void read_tensor(const std::string& name, const json& entry) {
    const std::string where = "tensor " + quote_name(name);
    if (!entry.is_object()) malformed(file_, where + " is not an object");
    TensorView tensor;
    tensor.name = name;
    const auto type = entry.find("dtype");
    if (type == entry.end() || !type->is_string()) malformed(file_, where + " has no dtype");
    tensor.dtype_name = type->get<std::string>();
    const TypeInfo* info = find_type(tensor.dtype_name);
    if (info == nullptr) {
      throw Error(ErrorCode::kUnsupported, file_,
                  where + " has the unknown dtype " + quote_name(tensor.dtype_name));
    }
    tensor.dtype = info->dtype;
    tensor.shape = read_sizes(entry, "shape", where);
    if (tensor.shape.size() > kMaxDimensions) {
      malformed(file_, where + " has " + std::to_string(tensor.shape.size()) + " dimensions");
    }
    const auto bytes = tensor_bytes(tensor.shape, info->bytes);
    if (!bytes) malformed(file_, where + " has a shape whose size overflows");
    const auto offsets = read_sizes(entry, "data_offsets", where);
    if (offsets.size() != 2) malformed(file_, where + ": data_offsets are not two numbers");
    const std::uint64_t begin = offsets[0], end = offsets[1];
    if (begin > end || end > data_.size()) {
      malformed(file_, where + ": data_offsets [" + std::to_string(begin) + ", " +
                           std::to_string(end) + ") do not lie in the file's " +
                           std::to_string(data_.size()) + " bytes of data");
    }
    if (end - begin != *bytes) {
      malformed(file_, where + " of dtype " + tensor.dtype_name + " needs " +
                           std::to_string(*bytes) + " bytes by its shape, its data_offsets hold " +
                           std::to_string(end - begin));
    }
    tensor.data =
        data_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    const auto [place, inserted] = contents_.tensors.emplace(name, std::move(tensor));
    extents_.push_back({begin, end, &place->second});
  }

  std::vector<std::uint64_t> read_sizes(const json& entry, const char* key,
                                        const std::string& where) const {
    const auto list = entry.find(key);
    if (list == entry.end() || !list->is_array()) {
      malformed(file_, where + " has no list " + key);
    }
    std::vector<std::uint64_t> sizes;
    for (const json& size : *list) {
      // The parser keeps "unsigned" for what has neither sign, fraction nor exponent and fits 64
      // bits.
      if (!size.is_number_unsigned()) {
        malformed(file_, where + ": " + key + " holds what is not a whole number from 0 on");
      }
      sizes.push_back(size.get<std::uint64_t>());
    }
    return sizes;
  }

  // The format's rule: laid side by side, the tensors are the whole of the data.
  void check_extents() {
    std::sort(extents_.begin(), extents_.end(), [](const Extent& a, const Extent& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t end = 0;
    for (const Extent& extent : extents_) {
      if (extent.begin < end) {
        malformed(file_, "tensor " + quote_name(extent.tensor->name) + " at " +
                             std::to_string(extent.begin) + " overlaps the one before it");
      }
      if (extent.begin > end) {
        malformed(file_, "bytes " + std::to_string(end) + " to " + std::to_string(extent.begin) +
                             " of the data belong to no tensor");
      }
      end = extent.end;
    }
    if (end != data_.size()) {
      malformed(file_, std::to_string(data_.size() - end) +
                           " bytes after the last tensor belong to no tensor");
    }
  }

  std::span<const std::byte> bytes_, data_;
  const std::string& file_;
  SafetensorsContents contents_;
  std::vector<Extent> extents_;
};

bool is_index(const std::filesystem::path& file) {
  return file.filename().string().ends_with(".index.json");
}

// A shard is named by a plain file name: an index out of the net must not reach other directories.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

}  // namespace

SafetensorsContents parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  return HeaderReader(bytes, name).read();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file) : path_(file) {
  if (is_index(file)) {
    open_shards();
    return;
  }
  files_.push_back(std::make_shared<MappedFile>(file));
  contents_ = parse_safetensors(files_.back()->bytes(), file.string());
}

std::vector<std::filesystem::path> SafetensorsFile::files() const {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : files_) paths.push_back(file->path());
  return paths;
}

void SafetensorsFile::open_shards() {
  const std::string index = path_.string();
  const json document = read_json(path_, {.max_bytes = kMaxIndexBytes, .max_depth = 8});
  const auto map = document.is_object() ? document.find("weight_map") : document.end();
  if (map == document.end() || !map->is_object()) {
    throw Error(ErrorCode::kMalformed, index, "has no object weight_map");
  }
  std::map<std::string, SafetensorsContents> shards;
  for (const auto& [name, value] : map->items()) {
    const std::string shard = value.is_string() ? value.get<std::string>() : std::string();
    if (!is_plain_name(shard)) {
      throw Error(
          ErrorCode::kMalformed, index,
          "weight_map: " + quote_name(name) + " does not name a file of the same directory");
    }
    auto found = shards.find(shard);
    if (found == shards.end()) {
      const auto file = path_.parent_path() / shard;
      files_.push_back(std::make_shared<MappedFile>(file));
      found = shards.emplace(shard, parse_safetensors(files_.back()->bytes(), file.string())).first;
    }
    const auto tensor = found->second.tensors.find(name);
    if (tensor == found->second.tensors.end()) {
      throw Error(ErrorCode::kMalformed, index,
                  "weight_map: " + quote_name(name) + " is not in " + quote_name(shard));
    }
    contents_.tensors.emplace(name, tensor->second);
  }
  for (const auto& [shard, contents] : shards) {
    contents_.metadata.insert(contents.metadata.begin(), contents.metadata.end());
  }
}

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto found = contents_.tensors.find(name);
  return found == contents_.tensors.end() ? nullptr : &found->second;
}

namespace {

std::uint64_t checked_bytes(const TensorToWrite& tensor, std::uint64_t element_bytes) {
  const auto bytes = tensor_bytes(tensor.shape, element_bytes);
  if (!bytes)
    throw std::invalid_argument("tensor " + quote_name(tensor.name) + ": its size overflows");
  if (*bytes != 0 && tensor.data == nullptr) {
    throw std::invalid_argument("tensor " + quote_name(tensor.name) + ": data is null");
  }
  return *bytes;
}

// Length and JSON header, padded with spaces so that the data begins at a multiple of eight.
std::string header_of(std::span<const TensorToWrite> tensors, const TypeInfo& type,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string_view> names{"__metadata__", ""};
  std::uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      throw std::invalid_argument("tensor name " + quote_name(tensor.name) + " is empty or taken");
    }
    const std::uint64_t end = offset + checked_bytes(tensor, type.bytes);
    // push_back of a pair: operator[] would search all the names before, each time.
    header.get_ref<nlohmann::ordered_json::object_t&>().push_back(
        {tensor.name,
         {{"dtype", type.name}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}}});
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::type_error&) {
    throw std::invalid_argument("a tensor name or metadata string is not UTF-8");
  }
  while (text.size() % kLengthBytes != 0) text += ' ';
  const std::uint64_t length = text.size();
  if (length > kMaxHeaderBytes) {
    throw std::invalid_argument("the header would have " + std::to_string(length) +
                                " bytes, the format allows " + std::to_string(kMaxHeaderBytes));
  }
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& file, std::span<const TensorToWrite> tensors,
                       DType type, const std::map<std::string, std::string>& metadata) {
  if (type == DType::kOther) {
    throw std::invalid_argument("safetensors are written as F32, F16 or BF16");
  }
  const TypeInfo& info = *find_type(dtype_name(type));
  const std::string header = header_of(tensors, info, metadata);
  AtomicFile output(file);
  output.write(header);
  for (const TensorToWrite& tensor : tensors) {
    write_floats(output, tensor.name, tensor.data, checked_bytes(tensor, info.bytes) / info.bytes,
                 type);
  }
  output.commit();
}

}  // namespace glassgpt::io
