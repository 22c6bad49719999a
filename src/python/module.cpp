// glassgpt._core: the engine behind the Python package.
#include <limits>
#include <new>
#include <stdexcept>

#include "glassgpt/error.h"
#include "kernels/dispatch.h"
#include "python/bindings.h"

namespace glassgpt::python {
namespace {

// What is wrong with a file's bytes or a value is a ValueError, what is wrong with reaching or
// writing a file an OSError; the message is the library's one line.
void raise(const Error& error) {
  PyObject* type = PyExc_ValueError;
  switch (error.code()) {
    case ErrorCode::kNotFound:
      type = PyExc_FileNotFoundError;
      break;
    case ErrorCode::kUnreadable:
    case ErrorCode::kUnwritable:
      type = PyExc_OSError;
      break;
    default:
      break;
  }
  // A path may hold any bytes.
  PyObject* const message = PyUnicode_DecodeUTF8(
      error.what(), static_cast<Py_ssize_t>(std::string_view(error.what()).size()),
      "backslashreplace");
  if (message == nullptr) return;
  PyErr_SetObject(type, message);
  Py_DECREF(message);
}

std::unique_ptr<Engine> load(const std::filesystem::path& directory,
                             const std::filesystem::path& tokenizer, const std::string& pattern) {
  const SplitPattern split = pattern == "cl100k"  ? SplitPattern::kCl100k
                             : pattern == "o200k" ? SplitPattern::kO200k
                                                  : SplitPattern::kGpt2;
  if (split == SplitPattern::kGpt2 && pattern != "gpt2")
    throw std::invalid_argument("pattern is '" + pattern + "', expected gpt2, cl100k or o200k");
  const py::gil_scoped_release released;
  Model model = Model::load(directory);
  Tokenizer ids = Tokenizer::load(tokenizer.empty() ? directory : tokenizer, split);
  const std::size_t rows = model.config().vocab_size;
  if (ids.vocab_size() > rows)
    throw Error(ErrorCode::kMalformed, directory.string(),
                "the tokenizer has " + std::to_string(ids.vocab_size()) +
                    " ids, the model's embedding table only " + std::to_string(rows) + " rows",
                "use the tokenizer that the model was trained with");
  return std::make_unique<Engine>(Engine{directory, std::move(model), std::move(ids)});
}

py::dict config_of(const Engine& engine) {
  const ModelConfig& config = engine.model.config();
  py::dict out;
  out["vocab_size"] = config.vocab_size;
  out["n_positions"] = config.n_positions;
  out["n_embd"] = config.n_embd;
  out["n_layer"] = config.n_layer;
  out["n_head"] = config.n_head;
  out["n_inner"] = config.inner();
  out["activation_function"] =
      config.activation == ActivationFunction::kGeluTanh ? "gelu_new" : "gelu";
  out["layer_norm_epsilon"] = config.layer_norm_epsilon;
  out["position_encoding"] =
      config.position_encoding == PositionEncoding::kSinusoidal ? "sinusoidal" : "learned";
  out["embedding_scale"] = config.embedding_scale;
  out["tie_word_embeddings"] = config.tie_word_embeddings;
  out["scale_attn_weights"] = config.scale_attn_weights;
  out["scale_attn_by_inverse_layer_idx"] = config.scale_attn_by_inverse_layer_idx;
  return out;
}

}  // namespace

ForwardOptions forward_options(int threads, const std::string& gemm, const std::string& dtype) {
  ForwardOptions options{.threads = threads};
  if (gemm == "simd") {
    options.gemm = GemmChoice::kSimd;
  } else if (gemm == "blas") {
    options.gemm = GemmChoice::kBlas;
  } else if (gemm == "reference") {
    options.gemm = GemmChoice::kReference;
  } else if (gemm != "auto") {
    throw std::invalid_argument("gemm is '" + gemm + "', expected auto, simd, blas or reference");
  }
  if (dtype == "bf16") {
    options.compute = ComputeType::kBFloat16;
  } else if (dtype != "f32") {
    throw std::invalid_argument("dtype is '" + dtype + "', expected f32 or bf16");
  }
  return options;
}

SpecialTokens special_tokens(const std::string& name) {
  if (name == "none") return SpecialTokens::kNone;
  if (name == "all") return SpecialTokens::kAll;
  if (name == "error") return SpecialTokens::kError;
  throw std::invalid_argument("special is '" + name + "', expected none, all or error");
}

FloatArray::FloatArray(std::vector<std::size_t> shape) : shape_(std::move(shape)) {
  std::size_t floats = 1;
  for (const std::size_t extent : shape_)
    if (__builtin_mul_overflow(floats, extent, &floats)) throw std::bad_alloc();
  if (floats > std::numeric_limits<std::ptrdiff_t>::max() / sizeof(float)) throw std::bad_alloc();
  values_ =
      std::make_unique<std::unique_ptr<float[]>>(std::make_unique_for_overwrite<float[]>(floats));
}

py::array_t<float> FloatArray::release() {
  float* const data = values_->get();
  return array_of(std::move(values_), data, std::move(shape_));
}

}  // namespace glassgpt::python

PYBIND11_MODULE(_core, module) {
  using namespace glassgpt::python;
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(std::move(thrown));
    } catch (const glassgpt::Error& error) {
      raise(error);
    }
  });
  module.attr("__version__") = GLASSGPT_VERSION;
  module.def("default_threads", &glassgpt::default_threads);
  module.def("isa", [] { return std::string(glassgpt::kernels::active_kernels().isa); });
  module.def("load", &load, py::arg("directory"), py::arg("tokenizer"), py::arg("pattern"));

  py::class_<Engine> engine(module, "Engine");
  engine.def_property_readonly("config", &config_of)
      .def_property_readonly("directory", [](const Engine& self) { return self.directory; })
      .def_property_readonly("parameters",
                             [](const Engine& self) { return self.model.config().parameters(); });
  define_tokens(engine);
  define_embed(engine);
  define_trace(engine);
}
