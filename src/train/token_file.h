// Corpora, tokenized once into one memory-mapped file of ids.
//
// The file, little endian:
//   0   8 bytes   "glasstok"
//   8   u32       version, 1
//   12  u32       bytes of an id: 2 or 4
//   16  u64       key: hash of what was tokenized, and how
//   24  40 bytes  zero
//   64            the ids, padded with zeros to a multiple of 8 bytes
//                 the table: first id and number of ids of each stream, two u64 each
//   last 32 bytes: u64 hash of ids and table, by which a run remembers its data; u64 number of
//   streams; u64 offset of the table;
//                 "tokenend"
// A stream is one source's documents, one after the other, each with <|endoftext|> before it and
// one at the very end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "glassgpt/tokenizer.h"
#include "glassgpt/train.h"
#include "io/file.h"

namespace glassgpt::training {

// Hash of a tokenizer's vocabulary, merges' outcome and pattern: equal for tokenizers that encode
// alike.
std::uint64_t tokenizer_hash(const Tokenizer& tokenizer);

// What a token file is made from. train[i] is options.corpus[i]; valid is options.valid, or what
// was held out of each corpus.
struct TokenFilePlan {
  std::vector<std::filesystem::path> train, valid;
  double valid_fraction = 0;  // held out of train; only with `valid` empty
};

class TokenFile {
 public:
  // Opens `file` if it was made from the same files (paths, sizes, times) by the same tokenizer;
  // otherwise makes it first. on_tokenize as in TrainingCallbacks. Throws Error.
  static TokenFile open_or_make(const std::filesystem::path& file, const TokenFilePlan& plan,
                                const Tokenizer& tokenizer, int threads,
                                const std::function<void(std::uint64_t, std::uint64_t)>& progress);

  // Throws Error (kMalformed, kOutOfRange) unless everything in it is in bounds and every id is
  // below vocab_size.
  TokenFile(const std::filesystem::path& file, std::size_t vocab_size);

  struct Stream {
    std::uint64_t first, count;
  };
  const std::vector<Stream>& streams() const noexcept { return streams_; }
  std::uint64_t key() const noexcept { return key_; }
  std::uint64_t content_hash() const noexcept { return content_hash_; }

  // Ids [begin, begin + out.size()) of a stream; they must exist.
  void read(std::size_t stream, std::uint64_t begin, std::span<TokenId> out) const;

 private:
  io::MappedFile map_;
  std::vector<Stream> streams_;
  std::uint64_t key_ = 0, content_hash_ = 0;
  std::size_t width_ = 0;
};

}  // namespace glassgpt::training
