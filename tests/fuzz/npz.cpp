// Any bytes are an archive whose members lie inside them, and a model, or one Error.
#include "io/npz.h"

#include "glassgpt/error.h"
#include "model/formats.h"
#include "tests/fuzz/memory_file.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const io::NpzContents file = io::parse_npz(std::as_bytes(std::span(data, size)), "input");
    std::size_t held = 0;
    for (const auto& [name, member] : file.members) held += member.size();
    fuzz::require(held < size);
    fuzz::require(load_npz(file).weight_bytes() <= 2 * size);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
