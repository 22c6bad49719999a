// Any bytes are a set of tensors that lie inside them, or one Error.
#include "io/safetensors.h"

#include <vector>

#include "glassgpt/error.h"
#include "tests/fuzz/memory_file.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const io::SafetensorsContents contents = io::parse_safetensors(bytes, "input");
    std::size_t held = 0;
    for (const auto& [name, tensor] : contents.tensors) {
      fuzz::require(tensor.name == name && tensor.data.size() <= size);
      fuzz::require(tensor.data.empty() ||
                    (tensor.data.data() >= bytes.data() &&
                     tensor.data.data() + tensor.data.size() <= bytes.data() + size));
      held += tensor.data.size();
      if (tensor.dtype == io::DType::kOther) continue;
      fuzz::require(tensor.elements() <= tensor.data.size());
      std::vector<float> values(tensor.elements());
      io::to_float(tensor, values.data());
    }
    fuzz::require(held < size);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
