// Any bytes are a .tiktoken file that encodes and decodes, or one Error.
#include "tests/fuzz/tokenizer_check.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file(fuzz::as_text(data, size));
  for (const auto pattern : {SplitPattern::kGpt2, SplitPattern::kCl100k, SplitPattern::kO200k}) {
    fuzz::check_tokenizer([&] { return tokenizer::read_tiktoken(file.path(), pattern); });
  }
  return 0;
}
