// The fixed parts of a token file, for its writer and its reader. See token_file.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glassgpt::training {

struct TokenFileHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t width;
  std::uint64_t key;
  char zero[40];
};
static_assert(sizeof(TokenFileHeader) == 64);

struct TokenFileTrailer {
  std::uint64_t content_hash;
  std::uint64_t streams;
  std::uint64_t table_offset;
  char magic[8];
};
static_assert(sizeof(TokenFileTrailer) == 32);

inline constexpr char kTokenFileMagic[9] = "glasstok";
inline constexpr char kTokenFileEnd[9] = "tokenend";
inline constexpr std::uint32_t kTokenFileVersion = 1;

}  // namespace glassgpt::training
