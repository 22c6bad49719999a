// Any bytes are words with a vector each, which are found again, or one Error.
#include "glassgpt/error.h"
#include "glassgpt/word2vec.h"
#include "tests/fuzz/memory_file.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file(fuzz::as_text(data, size));
  try {
    const WordVectors vectors = WordVectors::load(file.path());
    fuzz::require(vectors.size() <= size);
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      fuzz::require(vectors.vector(i).size() == vectors.dim());
      const auto found = vectors.find(vectors.word(i));
      fuzz::require(found && *found <= i && vectors.word(*found) == vectors.word(i));
    }
    if (vectors.size() > 0) {
      fuzz::require(vectors.nearest(vectors.vector(0), 3).size() <= vectors.size());
    }
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
