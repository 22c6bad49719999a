#include "train/token_file.h"

#include <cstring>

#include "glassgpt/error.h"
#include "train/hash.h"
#include "train/token_file_format.h"

namespace glassgpt::training {
namespace {

[[noreturn]] void malformed(const std::filesystem::path& file, const std::string& detail) {
  throw Error(ErrorCode::kMalformed, file.string(), detail,
              "delete it: it is made again from the corpus");
}

template <class Id>
void check_ids(std::span<const std::byte> ids, std::size_t vocab_size,
               const std::filesystem::path& file) {
  for (std::size_t at = 0; at < ids.size(); at += sizeof(Id)) {
    Id id;
    std::memcpy(&id, ids.data() + at, sizeof id);
    if (id >= vocab_size) {
      throw Error(
          ErrorCode::kOutOfRange, file.string(),
          "id " + std::to_string(id) + " is not below " + std::to_string(vocab_size),
          "delete it: it is made again from the corpus; or use the tokenizer that it was made by");
    }
  }
}

}  // namespace

TokenFile::TokenFile(const std::filesystem::path& file, std::size_t vocab_size) : map_(file) {
  const std::span<const std::byte> bytes = map_.bytes();
  TokenFileHeader header;
  TokenFileTrailer trailer;
  if (bytes.size() < sizeof header + sizeof trailer) malformed(file, "is too short");
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t trailer_at = bytes.size() - sizeof trailer;
  std::memcpy(&trailer, bytes.data() + trailer_at, sizeof trailer);
  if (std::memcmp(header.magic, kTokenFileMagic, 8) != 0 ||
      std::memcmp(trailer.magic, kTokenFileEnd, 8) != 0) {
    malformed(file, "is not a token file, or is truncated");
  }
  if (header.version != kTokenFileVersion || (header.width != 2 && header.width != 4)) {
    malformed(file, "has an unknown version or width of ids");
  }
  constexpr std::size_t kEntry = 2 * sizeof(std::uint64_t);
  if (trailer.table_offset < sizeof header || trailer.table_offset > trailer_at ||
      (trailer_at - trailer.table_offset) % kEntry != 0 ||
      (trailer_at - trailer.table_offset) / kEntry != trailer.streams) {
    malformed(file, "has its table of streams out of bounds");
  }
  width_ = header.width;
  key_ = header.key;
  content_hash_ = trailer.content_hash;
  const std::uint64_t room = (trailer.table_offset - sizeof header) / width_;
  streams_.resize(trailer.streams);
  std::uint64_t next = 0;
  for (std::size_t s = 0; s < streams_.size(); ++s) {
    std::memcpy(&streams_[s], bytes.data() + trailer.table_offset + s * kEntry, kEntry);
    if (streams_[s].first > room || streams_[s].count > room - streams_[s].first) {
      malformed(file, "has a stream out of bounds");
    }
    next = std::max(next, streams_[s].first + streams_[s].count);
  }
  const auto payload = bytes.subspan(sizeof header, trailer_at - sizeof header);
  if (Hasher().add_bytes(payload.data(), payload.size()).value() != content_hash_) {
    malformed(file, "is damaged: its content does not match its hash");
  }
  const auto ids = bytes.subspan(sizeof header, next * width_);
  if (width_ == 2) {
    check_ids<std::uint16_t>(ids, vocab_size, file);
  } else {
    check_ids<std::uint32_t>(ids, vocab_size, file);
  }
}

void TokenFile::read(std::size_t stream, std::uint64_t begin, std::span<TokenId> out) const {
  const std::byte* from =
      map_.bytes().data() + sizeof(TokenFileHeader) + (streams_[stream].first + begin) * width_;
  if (out.empty()) return;  // memcpy takes no null pointer, also for nothing
  if (width_ == 4) {
    std::memcpy(out.data(), from, out.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t id;
    std::memcpy(&id, from + i * sizeof id, sizeof id);
    out[i] = id;
  }
}

}  // namespace glassgpt::training
