// Any bytes are a tokenizer.json that encodes and decodes, or one Error.
#include "tests/fuzz/tokenizer_check.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file(fuzz::as_text(data, size));
  fuzz::check_tokenizer([&] { return tokenizer::read_tokenizer_json(file.path()); });
  return 0;
}
