// Text to tokens and back, and the table that gives each its first vector.
#include "model/parts.h"
#include "python/bindings.h"

namespace glassgpt::python {
namespace {

// Ids, and [tokens, 2] half-open ranges in bytes and in code points.
py::tuple tokenize(const Engine& engine, const std::string& text, const std::string& special) {
  const SpecialTokens how = special_tokens(special);
  Encoding encoding;
  std::vector<std::int64_t> byte_spans, char_spans;
  {
    const py::gil_scoped_release released;
    encoding = engine.tokenizer.encode_with_spans(text, how);
    for (const TokenSpan& span : encoding.spans) {
      for (const std::size_t at : {span.byte_begin, span.byte_end})
        byte_spans.push_back(static_cast<std::int64_t>(at));
      for (const std::size_t at : {span.char_begin, span.char_end})
        char_spans.push_back(static_cast<std::int64_t>(at));
    }
  }
  const auto pairs = [](std::vector<std::int64_t> values) {
    const auto rows = static_cast<py::ssize_t>(values.size() / 2);
    return array_of(std::move(values)).reshape({rows, py::ssize_t{2}});
  };
  return py::make_tuple(array_of(std::move(encoding.ids)), pairs(std::move(byte_spans)),
                        pairs(std::move(char_spans)));
}

py::bytes detokenize(const Engine& engine, const std::vector<TokenId>& ids) {
  return py::bytes(engine.tokenizer.decode(ids));
}

// [V, C], the model's own numbers: read-only, and the model stays while the array does.
py::array token_embedding(const py::object& self) {
  const auto& engine = self.cast<const Engine&>();
  const ModelConfig& config = engine.model.config();
  py::array_t<float> table({config.vocab_size, config.n_embd},
                           engine.model.parts().tensors.token_embedding, self);
  table.attr("flags").attr("writeable") = false;
  return table;
}

}  // namespace

void define_tokens(py::class_<Engine>& engine) {
  engine.def("tokenize", &tokenize, py::arg("text"), py::arg("special"))
      .def("detokenize", &detokenize, py::arg("ids"))
      .def_property_readonly("token_embedding", &token_embedding);
}

}  // namespace glassgpt::python
