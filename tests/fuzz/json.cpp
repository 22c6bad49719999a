// What parse_json lets through, the plain parser reads as the same value.
#include "io/json.h"

#include "glassgpt/error.h"
#include "tests/fuzz/memory_file.h"

using namespace glassgpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  try {
    const nlohmann::json value =
        io::parse_json(text, "input", {.max_bytes = 1 << 20, .max_depth = 20, .max_values = 10000});
    fuzz::require(value == nlohmann::json::parse(text));
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
