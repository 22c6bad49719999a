// Any bytes are values and tensors that lie inside them, a tokenizer and a model, or one Error.
#include "io/gguf.h"

#include <vector>

#include "glassgpt/error.h"
#include "model/formats.h"
#include "tests/fuzz/memory_file.h"
#include "tokenizer/gguf_vocabulary.h"

using namespace glassgpt;

namespace {

// A call may throw an Error of one line, and nothing else.
template <class Call>
void may_refuse(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}

void look_at(const io::GgufContents& file, std::span<const std::byte> bytes) {
  for (const auto& [key, value] : file.metadata()) {
    may_refuse([&, k = key] { file.whole_number(k); });
    may_refuse([&, k = key] { file.number(k); });
    may_refuse([&, k = key] { file.flag(k); });
    may_refuse([&, k = key] { file.text(k); });
    may_refuse([&, k = key] { file.texts(k); });
    may_refuse([&, k = key] { file.whole_numbers(k); });
  }
  for (const auto& [name, tensor] : file.tensors()) {
    if (tensor.dtype == io::DType::kOther) continue;
    fuzz::require(tensor.data.size() <= bytes.size() &&
                  tensor.elements() * io::element_bytes(tensor.dtype) == tensor.data.size());
    std::vector<float> values(tensor.elements());
    io::to_float(tensor, values.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  may_refuse([&] {
    const io::GgufContents file = io::parse_gguf(bytes, "input");
    look_at(file, bytes);
    may_refuse([&] {
      const auto tokenizer = tokenizer::read_gguf_vocabulary(file);
      if (!tokenizer || tokenizer->vocab_size() == 0) return;
      const std::string text = "hello  world's";
      fuzz::require(tokenizer->decode(tokenizer->encode(text)) == text);
    });
    may_refuse([&] { fuzz::require(load_gguf(file).weight_bytes() <= 2 * size); });
  });
  return 0;
}
