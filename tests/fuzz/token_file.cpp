// Any bytes are a token file whose streams are in bounds and whose ids are in the vocabulary, or
// one Error.
#include "train/token_file.h"

#include <cstring>
#include <vector>

#include "glassgpt/error.h"
#include "tests/fuzz/memory_file.h"
#include "train/hash.h"
#include "train/token_file_format.h"

using namespace glassgpt;

namespace {

constexpr std::size_t kVocabSize = 1000;

void read_all(const std::string& bytes) {
  const fuzz::MemoryFile memory(bytes);
  try {
    const training::TokenFile file(memory.path(), kVocabSize);
    for (std::size_t s = 0; s < file.streams().size(); ++s) {
      fuzz::require(file.streams()[s].count <= bytes.size());
      std::vector<TokenId> ids(file.streams()[s].count);
      file.read(s, 0, ids);
      for (const TokenId id : ids) fuzz::require(id < kVocabSize);
    }
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(fuzz::as_text(data, size));
  read_all(bytes);
  // Once more with the hash put right, so that the fuzzer gets past it.
  constexpr std::size_t kHeader = sizeof(training::TokenFileHeader);
  constexpr std::size_t kTrailer = sizeof(training::TokenFileTrailer);
  if (size < kHeader + kTrailer) return 0;
  const std::uint64_t hash =
      training::Hasher().add_bytes(bytes.data() + kHeader, size - kHeader - kTrailer).value();
  std::memcpy(bytes.data() + size - kTrailer, &hash, sizeof hash);
  read_all(bytes);
  return 0;
}
