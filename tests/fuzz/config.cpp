// Any bytes are a configuration that validates, or one Error.
#include "glassgpt/config.h"

#include "glassgpt/error.h"
#include "tests/fuzz/memory_file.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file(fuzz::as_text(data, size));
  try {
    const ModelConfig config = read_config(file.path());
    config.validate();
    fuzz::require(config.head_dim() * config.n_head == config.n_embd && config.parameters() > 0);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
