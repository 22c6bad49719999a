#include "io/npz.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "glassgpt/error.h"
#include "io/half.h"
#include "io/json.h"

namespace glassgpt::io {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEndOfCentral = 0x06054b50;
constexpr std::uint16_t kVersion = 20;           // zip 2.0: stored members
constexpr std::uint16_t kEarliestDate = 0x0021;  // 1 January 1980, where zip's calendar begins
constexpr std::size_t kLongestComment = 65535;
constexpr std::size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22;  // without names
constexpr std::size_t kChunk = std::size_t{1} << 16;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

void put(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
}

// The fields that a member's local and central header share.
std::string member_fields(std::uint32_t crc, std::uint32_t size, std::size_t name_bytes) {
  std::string out;
  put(out, kVersion, 2);
  put(out, 0, 2);  // flags
  put(out, 0, 2);  // stored
  put(out, 0, 2);  // time
  put(out, kEarliestDate, 2);
  put(out, crc, 4);
  put(out, size, 4);  // compressed
  put(out, size, 4);
  put(out, static_cast<std::uint32_t>(name_bytes), 2);
  put(out, 0, 2);  // extra field
  return out;
}

// Calls piece(bytes) with the elements in the type of the file, part by part.
template <class Piece>
void for_each_piece(const float* data, std::uint64_t elements, NpyType type, Piece piece) {
  std::string buffer;
  for (std::uint64_t done = 0; done < elements;) {
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, elements - done));
    if (type == NpyType::kFloat32) {
      piece(std::string_view(reinterpret_cast<const char*>(data + done), count * sizeof(float)));
    } else {
      buffer.resize(2 * count);
      floats_to_halves(data + done, count, buffer.data());
      piece(std::string_view(buffer));
    }
    done += count;
  }
}

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t crc) noexcept {
  crc = ~crc;
  for (const char byte : bytes) {
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  }
  return ~crc;
}

NpzWriter::NpzWriter(std::filesystem::path file) : path_(file), file_(std::move(file)) {}

void NpzWriter::begin_member(const std::string& name, std::uint64_t bytes, std::uint32_t crc) {
  check_size(path_, bytes + offset_ + name.size() + 1024);
  const auto size = static_cast<std::uint32_t>(bytes);
  members_.push_back({name, crc, size, static_cast<std::uint32_t>(offset_)});
  std::string local;
  put(local, kLocalHeader, 4);
  local += member_fields(crc, size, name.size()) + name;
  file_.write(local);
  offset_ += local.size() + bytes;
}

void NpzWriter::add(const std::string& name, const float* data,
                    std::span<const std::uint64_t> shape, NpyType type) {
  const std::string header = npy_header(type, shape);
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape) elements *= size;
  std::uint32_t crc = crc32(header);
  for_each_piece(data, elements, type, [&](std::string_view piece) { crc = crc32(piece, crc); });
  begin_member(name + ".npy", header.size() + elements * (type == NpyType::kFloat32 ? 4 : 2), crc);
  file_.write(header);
  for_each_piece(data, elements, type, [&](std::string_view piece) { file_.write(piece); });
}

void NpzWriter::add_bytes(const std::string& name, std::string_view bytes) {
  begin_member(name, bytes.size(), crc32(bytes));
  file_.write(bytes);
}

void NpzWriter::check_size(const std::filesystem::path& file, std::uint64_t bytes) {
  if (bytes <= std::numeric_limits<std::uint32_t>::max()) return;
  throw Error(ErrorCode::kOutOfRange, file.string(),
              "the arrays are larger than the 4 GiB of an npz file",
              "write float16, a folder of npy files or another format");
}

void NpzWriter::set_comment(std::string_view text) {
  if (text.size() <= kLongestComment) comment_ = text;
}

void NpzWriter::finish() {
  std::string central;
  for (const Member& member : members_) {
    put(central, kCentralHeader, 4);
    put(central, kVersion, 2);  // made by
    central += member_fields(member.crc, member.size, member.name.size());
    put(central, 0, 2);  // comment
    put(central, 0, 2);  // disk
    put(central, 0, 2);  // internal attributes
    put(central, 0, 4);  // external attributes
    put(central, member.offset, 4);
    central += member.name;
  }
  std::string end;
  put(end, kEndOfCentral, 4);
  put(end, 0, 4);  // disks
  put(end, static_cast<std::uint32_t>(members_.size()), 2);
  put(end, static_cast<std::uint32_t>(members_.size()), 2);
  put(end, static_cast<std::uint32_t>(central.size()), 4);
  put(end, static_cast<std::uint32_t>(offset_), 4);
  put(end, static_cast<std::uint32_t>(comment_.size()), 2);
  file_.write(central);
  file_.write(end + comment_);
  file_.commit();
}

namespace {

static_assert(std::endian::native == std::endian::little, "files are little endian");

// One archive, from its end: the directory says where the members lie.
class ArchiveReader {
 public:
  ArchiveReader(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes) {
    contents_.name = file;
  }

  NpzContents read() {
    read_end();
    std::uint64_t at = directory_;
    for (std::uint32_t i = 0; i < count_; ++i) at = read_entry(at);
    if (at != directory_end_) malformed("its directory has bytes that belong to no member");
    // Before the checksums: overlapping members could make reading them take for ever.
    check_extents();
    for (const Member& member : members_) check_crc(member);
    return std::move(contents_);
  }

 private:
  struct Member {
    std::uint64_t begin, end;  // with its header
    std::span<const std::byte> bytes;
    std::uint32_t crc;
    std::string where;
  };

  [[noreturn]] void malformed(const std::string& detail) const {
    throw Error(ErrorCode::kMalformed, contents_.name, detail, "the file is damaged or not npz");
  }
  [[noreturn]] void unsupported(const std::string& detail) const {
    throw Error(ErrorCode::kUnsupported, contents_.name, detail,
                "numpy.savez writes members that can be read, up to 4 GiB");
  }

  // Little-endian; the bytes are known to be there.
  std::uint32_t number(std::uint64_t at, std::size_t bytes) const {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes_.data() + at, bytes);
    return value;
  }
  std::string_view text(std::uint64_t at, std::size_t bytes) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + at, bytes};
  }

  // The last record that ends where the file does: its comment may hold anything.
  std::uint64_t find_end() const {
    if (bytes_.size() >= kEndBytes) {
      const std::uint64_t last = bytes_.size() - kEndBytes;
      const std::uint64_t first = last - std::min<std::uint64_t>(last, kLongestComment);
      for (std::uint64_t at = last + 1; at-- > first;) {
        if (number(at, 4) == kEndOfCentral && number(at + 20, 2) == last - at) return at;
      }
    }
    malformed("has no directory of a zip archive at its end");
  }

  void read_end() {
    const std::uint64_t end = find_end();
    contents_.comment = text(end + kEndBytes, number(end + 20, 2));
    count_ = number(end + 10, 2);
    const std::uint32_t size = number(end + 12, 4);
    directory_ = number(end + 16, 4);
    directory_end_ = directory_ + size;
    if (count_ == 0xFFFF || size == 0xFFFFFFFF || directory_ == 0xFFFFFFFF) {
      unsupported("is a zip archive beyond 4 GiB or 65,535 members");
    }
    if (number(end + 4, 4) != 0 || number(end + 8, 2) != count_) {
      unsupported("is one part of a divided zip archive");
    }
    if (directory_end_ != end) malformed("its directory does not lie before its end");
  }

  // Returns where the next entry begins.
  std::uint64_t read_entry(std::uint64_t at) {
    if (directory_end_ - at < kCentralBytes || number(at, 4) != kCentralHeader) {
      malformed("its directory ends after " + std::to_string(contents_.members.size()) + " of " +
                std::to_string(count_) + " members");
    }
    const std::uint32_t name_bytes = number(at + 28, 2);
    const std::uint64_t next =
        at + kCentralBytes + name_bytes + number(at + 30, 2) + number(at + 32, 2);
    if (next > directory_end_) malformed("its directory ends inside a member's name");
    const std::string name(text(at + kCentralBytes, name_bytes));
    const std::string where = "member " + quote_name(name);
    if ((number(at + 8, 2) & 1) != 0) unsupported(where + " is encrypted");
    if (number(at + 10, 2) != 0) unsupported(where + " is compressed");
    const std::uint32_t size = number(at + 24, 4), begin = number(at + 42, 4);
    if (size == 0xFFFFFFFF || begin == 0xFFFFFFFF) unsupported(where + " is beyond 4 GiB");
    if (number(at + 20, 4) != size) malformed(where + " has two different sizes");
    const auto bytes = member_bytes(begin, size, name, where);
    const auto end = static_cast<std::uint64_t>(bytes.data() + bytes.size() - bytes_.data());
    members_.push_back({begin, end, bytes, number(at + 16, 4), where});
    if (!contents_.members.emplace(name, bytes).second) malformed(where + " stands there twice");
    return next;
  }

  std::span<const std::byte> member_bytes(std::uint64_t begin, std::uint64_t size,
                                          const std::string& name, const std::string& where) const {
    if (begin + kLocalBytes > directory_ || number(begin, 4) != kLocalHeader) {
      malformed(where + " does not lie where the directory says");
    }
    const std::uint32_t name_bytes = number(begin + 26, 2);
    const std::uint64_t data = begin + kLocalBytes + name_bytes + number(begin + 28, 2);
    if (data + size > directory_) {
      malformed(where + " of " + std::to_string(size) + " bytes does not lie before the directory");
    }
    if (text(begin + kLocalBytes, name_bytes) != name)
      malformed(where + " has two different names");
    return bytes_.subspan(static_cast<std::size_t>(data), static_cast<std::size_t>(size));
  }

  void check_extents() {
    std::sort(members_.begin(), members_.end(),
              [](const Member& a, const Member& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < members_.size(); ++i) {
      if (members_[i].begin < members_[i - 1].end) {
        malformed(members_[i].where + " overlaps the one before it");
      }
    }
  }

  void check_crc(const Member& member) const {
    const auto* const bytes = reinterpret_cast<const char*>(member.bytes.data());
    if (crc32({bytes, member.bytes.size()}) != member.crc) {
      malformed(member.where + " does not have the checksum that the archive says");
    }
  }

  std::span<const std::byte> bytes_;
  std::uint64_t directory_ = 0, directory_end_ = 0;
  std::uint32_t count_ = 0;
  NpzContents contents_;
  std::vector<Member> members_;
};

}  // namespace

bool begins_like_npz(std::span<const std::byte> bytes) noexcept {
  std::uint32_t magic = 0;
  if (bytes.size() < sizeof magic) return false;
  std::memcpy(&magic, bytes.data(), sizeof magic);
  return magic == kLocalHeader || magic == kEndOfCentral;
}

NpzContents parse_npz(std::span<const std::byte> bytes, const std::string& name) {
  return ArchiveReader(bytes, name).read();
}

}  // namespace glassgpt::io
