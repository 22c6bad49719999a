// Any bytes are a vocab.json and a merges.txt, with a zero byte between, that encode and decode, or
// one Error.
#include "tests/fuzz/tokenizer_check.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view both = fuzz::as_text(data, size);
  const std::size_t cut = std::min(both.find('\0'), both.size());
  const fuzz::MemoryFile vocab(both.substr(0, cut));
  const fuzz::MemoryFile merges(cut < both.size() ? both.substr(cut + 1) : std::string_view{});
  fuzz::check_tokenizer(
      [&] { return tokenizer::read_vocab_and_merges(vocab.path(), merges.path()); });
  return 0;
}
