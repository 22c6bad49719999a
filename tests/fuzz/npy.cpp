// Any bytes are an array whose shape matches its numbers, or one Error.
#include "io/npy.h"

#include "glassgpt/error.h"
#include "tests/fuzz/memory_file.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const io::NpyArray array = io::parse_npy(std::as_bytes(std::span(data, size)), "input");
    std::uint64_t elements = 1;
    for (const std::uint64_t extent : array.shape) elements *= extent;
    fuzz::require(elements == array.data.size() && 2 * elements < size);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
