#include "io/npz.h"

#include <algorithm>
#include <array>
#include <limits>

#include "glassgpt/error.h"
#include "io/half.h"

namespace glassgpt::io {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEndOfCentral = 0x06054b50;
constexpr std::uint16_t kVersion = 20;           // zip 2.0: stored members
constexpr std::uint16_t kEarliestDate = 0x0021;  // 1 January 1980, where zip's calendar begins
constexpr std::size_t kLongestComment = 65535;
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

void NpzWriter::add(const std::string& name, const float* data,
                    std::span<const std::uint64_t> shape, NpyType type) {
  const std::string header = npy_header(type, shape);
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape) elements *= size;
  const std::uint64_t bytes = header.size() + elements * (type == NpyType::kFloat32 ? 4 : 2);
  const std::string member = name + ".npy";
  check_size(path_, bytes + offset_ + member.size() + 1024);
  std::uint32_t crc = crc32(header);
  for_each_piece(data, elements, type, [&](std::string_view piece) { crc = crc32(piece, crc); });
  const auto size = static_cast<std::uint32_t>(bytes);
  members_.push_back({member, crc, size, static_cast<std::uint32_t>(offset_)});
  std::string local;
  put(local, kLocalHeader, 4);
  local += member_fields(crc, size, member.size()) + member;
  file_.write(local);
  file_.write(header);
  for_each_piece(data, elements, type, [&](std::string_view piece) { file_.write(piece); });
  offset_ += local.size() + bytes;
}

void NpzWriter::check_size(const std::filesystem::path& file, std::uint64_t bytes) {
  if (bytes <= std::numeric_limits<std::uint32_t>::max()) return;
  throw Error(ErrorCode::kOutOfRange, file.string(),
              "the arrays are larger than the 4 GiB of an npz file", "write a folder of npy files");
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

}  // namespace glassgpt::io
