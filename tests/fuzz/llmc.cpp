// Any bytes are a checkpoint whose tensors are all of them, and a model, or one Error.
#include "io/llmc.h"

#include "glassgpt/error.h"
#include "model/formats.h"
#include "tests/fuzz/memory_file.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const io::LlmcContents file = io::parse_llmc(std::as_bytes(std::span(data, size)), "input");
    std::size_t held = 1024;
    for (const io::TensorView& tensor : file.views) held += tensor.data.size();
    fuzz::require(held == size);
    fuzz::require(load_llmc(file).weight_bytes() <= 2 * size);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
