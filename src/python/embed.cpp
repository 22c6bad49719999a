// Texts to the vectors of every layer, into arrays that numpy takes as they are. Texts are prepared
// and batched by the command line's own functions: both front ends give the same bytes.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/embed_texts.h"
#include "cli/utf8.h"
#include "glassgpt/embed.h"
#include "glassgpt/error.h"
#include "python/bindings.h"

namespace glassgpt::python {
namespace {

using cli::BatchBuilder;
using cli::EmbeddedText;
using cli::EmbedOptions;
using cli::TokenRange;
using cli::Truncation;
using cli::Unit;
using cli::Window;

template <class Value>
Value named(const char* option, const std::string& name,
            std::initializer_list<std::pair<const char*, Value>> choices) {
  std::string list;
  for (const auto& [choice, value] : choices) {
    if (name == choice) return value;
    list += (list.empty() ? "" : ", ") + std::string(choice);
  }
  throw std::invalid_argument(fmt::format("{} is '{}', expected one of {}", option, name, list));
}

// What Python's embed() is asked for, by the names of the command line's options.
struct Request {
  std::string layers, taps;
  std::string unit, pool, truncate, special;
  bool normalize = false;
  std::vector<std::vector<float>> center;  // one per kind, or none
  std::size_t stride = 0, batch_tokens = 0;
  ForwardOptions forward;
};

EmbedOptions embed_options(const Request& request, const ModelConfig& config) {
  EmbedOptions options;
  options.unit =
      named<Unit>("unit", request.unit,
                  {{"token", Unit::kToken}, {"word", Unit::kWord}, {"text", Unit::kText}});
  options.truncation = named<Truncation>("truncate", request.truncate,
                                         {{"error", Truncation::kError},
                                          {"left", Truncation::kLeft},
                                          {"right", Truncation::kRight},
                                          {"window", Truncation::kWindow}});
  options.context = config.n_positions;
  options.stride = request.stride;
  options.batch_tokens = request.batch_tokens;
  options.special = special_tokens(request.special);
  if (request.stride > config.n_positions)
    throw std::invalid_argument(
        fmt::format("stride is {}, expected at most the model's context of {}", request.stride,
                    config.n_positions));
  return options;
}

Pooling pooling(const Request& request, Unit unit) {
  const Pooling chosen = named<Pooling>("pool", request.pool,
                                        {{"mean", Pooling::kMean},
                                         {"last", Pooling::kLast},
                                         {"first", Pooling::kFirst},
                                         {"max", Pooling::kMax},
                                         {"weighted-mean", Pooling::kWeightedMean}});
  return unit == Unit::kToken ? Pooling::kNone : chosen;
}

std::vector<VectorKind> kinds_of(const ModelConfig& config, const std::string& layers,
                                 const std::string& taps) {
  std::vector<VectorKind> kinds;
  if (!layers.empty()) kinds = parse_layers(config, layers);
  if (!taps.empty())
    for (VectorKind& kind : parse_taps(config, taps)) {
      // "final" is a layer and a tap.
      const bool there = std::any_of(kinds.begin(), kinds.end(),
                                     [&](const VectorKind& k) { return k.name == kind.name; });
      if (!there) kinds.push_back(std::move(kind));
    }
  if (kinds.empty())
    throw std::invalid_argument("nothing to extract: layers and taps are both empty");
  return kinds;
}

// Rows are computed in their place in the arrays, or, when something is done to them, copied there.
class ArraySink : public VectorSink {
 public:
  ArraySink(const std::vector<VectorKind>& kinds, std::size_t rows)
      : next_(kinds.size()), promised_(kinds.size()) {
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      arrays_.emplace_back(std::vector<std::size_t>{rows, kinds[k].cols});
      cols_.push_back(kinds[k].cols);
      next_[k] = arrays_[k].data();
    }
  }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    if (std::exchange(promised_[kind], 0) != 0 && rows == next_[kind]) {
      next_[kind] += count * cols_[kind];
      return;
    }
    for (std::size_t r = 0; r < count; ++r, rows += stride)
      next_[kind] = std::copy(rows, rows + cols_[kind], next_[kind]);
  }

  float* room(std::size_t kind, std::size_t) override {
    promised_[kind] = 1;
    return next_[kind];
  }

  py::array_t<float> release(std::size_t kind) { return arrays_[kind].release(); }

 private:
  std::vector<FloatArray> arrays_;
  std::vector<std::size_t> cols_;
  std::vector<float*> next_;
  std::vector<char> promised_;  // per kind: rows will come that are in their place
};

// Ctrl-C in Python's main thread. Holds the interpreter only as long as it looks.
void throw_if_interrupted() {
  const py::gil_scoped_acquire acquired;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Text number i as the command line would prepare it; what to try is said in Python's words.
EmbeddedText prepare(const Tokenizer& tokenizer, std::size_t i, std::string bytes,
                     const EmbedOptions& options) {
  const std::string number = std::to_string(i);
  const cli::Text text{.id = number, .bytes = std::move(bytes), .where = "text " + number};
  try {
    return cli::prepare_text(tokenizer, text, options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kOutOfRange) throw;
    throw Error(error.code(), error.path(), error.detail(),
                "shorten it, or choose truncate='left', 'right' or 'window'");
  }
}

// The words' ranges in code points, each invalid byte counting as one, as in TokenSpan. Words are
// in ascending order and begin and end between characters.
std::vector<WordSpan> character_spans(std::string_view text, const std::vector<WordSpan>& words) {
  std::vector<WordSpan> spans;
  std::size_t byte = 0, characters = 0;
  const auto walk_to = [&](std::size_t end) {
    while (byte < end) {
      const cli::Utf8Step step = cli::next_utf8(text.substr(byte));
      byte += step.bytes;
      characters += step.valid ? 1 : step.bytes;
    }
    return characters;
  };
  for (const WordSpan& word : words) {
    const std::size_t begin = walk_to(word.begin);
    spans.push_back({begin, walk_to(word.end)});
  }
  return spans;
}

struct PreparedText : EmbeddedText {
  std::vector<WordSpan> word_characters;  // with Unit::kWord, one per row
};

std::vector<PreparedText> prepare_texts(const Tokenizer& tokenizer, std::vector<std::string> texts,
                                        const EmbedOptions& options) {
  // Often enough for a person, seldom enough for other threads that hold the interpreter.
  constexpr std::size_t kBytesBetweenLooks = std::size_t{1} << 18;
  std::vector<PreparedText> prepared;
  prepared.reserve(texts.size());
  std::size_t unlooked = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    unlooked += texts[i].size() + 1;
    if (unlooked >= kBytesBetweenLooks) {
      throw_if_interrupted();
      unlooked = 0;
    }
    PreparedText text{prepare(tokenizer, i, std::move(texts[i]), options), {}};
    text.word_characters = character_spans(text.bytes, text.words);
    text.bytes.clear();  // Python has them
    prepared.push_back(std::move(text));
  }
  return prepared;
}

void run(const Model& model, const std::vector<PreparedText>& texts, const EmbedOptions& options,
         const ForwardOptions& forward, VectorExtractor& extractor) {
  BatchBuilder batch;
  const auto pass = [&] {
    throw_if_interrupted();
    if (batch.empty()) return;
    extractor.set_ranges(batch.ranges());
    model.forward(batch.batch(), extractor, forward);
    batch.clear();
  };
  for (const EmbeddedText& text : texts)
    for (const Window& window : cli::windows_of(text.ids.size(), options)) {
      if (!batch.fits(window.end - window.begin, options.batch_tokens)) pass();
      batch.add(text, window);
    }
  pass();
}

// The table of rows, column by column, and where each text's rows begin.
struct Rows {
  std::vector<std::int64_t> text, tokens, byte_begin, byte_end, char_begin, char_end;
  std::vector<TokenId> id;
  std::vector<std::int64_t> offsets = {0}, text_tokens;
  std::vector<std::uint8_t> truncated;

  explicit Rows(const std::vector<PreparedText>& texts) {
    for (const PreparedText& text_of : texts) add(text_of);
  }

  void add(const PreparedText& from) {
    const auto number = static_cast<std::int64_t>(text_tokens.size());
    for (std::size_t r = 0; r < from.rows(); ++r) {
      const TokenRange range = from.row_tokens(r);
      const WordSpan bytes = from.row_span(r);
      const WordSpan characters =
          from.unit == Unit::kWord
              ? from.word_characters[r]
              : WordSpan{from.spans[range.begin].char_begin, from.spans[range.end - 1].char_end};
      text.push_back(number);
      tokens.push_back(static_cast<std::int64_t>(range.end - range.begin));
      byte_begin.push_back(static_cast<std::int64_t>(bytes.begin));
      byte_end.push_back(static_cast<std::int64_t>(bytes.end));
      char_begin.push_back(static_cast<std::int64_t>(characters.begin));
      char_end.push_back(static_cast<std::int64_t>(characters.end));
    }
    if (from.unit == Unit::kToken) id.insert(id.end(), from.ids.begin(), from.ids.end());
    offsets.push_back(static_cast<std::int64_t>(text.size()));
    text_tokens.push_back(static_cast<std::int64_t>(from.tokens));
    truncated.push_back(from.truncated() ? 1 : 0);
  }

  py::dict release(bool with_ids) {
    py::dict out;
    out["text"] = array_of(std::move(text));
    if (with_ids) out["id"] = array_of(std::move(id));
    out["tokens"] = array_of(std::move(tokens));
    out["byte_begin"] = array_of(std::move(byte_begin));
    out["byte_end"] = array_of(std::move(byte_end));
    out["char_begin"] = array_of(std::move(char_begin));
    out["char_end"] = array_of(std::move(char_end));
    out["offsets"] = array_of(std::move(offsets));
    out["text_tokens"] = array_of(std::move(text_tokens));
    out["truncated"] = array_of(std::move(truncated));
    return out;
  }
};

// ([(key, array)], rows)
py::tuple embed(const Engine& engine, std::vector<std::string> texts, const Request& request) {
  const ModelConfig& config = engine.model.config();
  const std::vector<VectorKind> kinds = kinds_of(config, request.layers, request.taps);
  const EmbedOptions options = embed_options(request, config);
  const int threads = request.forward.threads > 0 ? request.forward.threads : default_threads();
  const ExtractionOptions extraction{pooling(request, options.unit), request.center,
                                     request.normalize, threads};
  std::optional<ArraySink> sink;
  std::optional<Rows> rows;
  {
    const py::gil_scoped_release released;
    const std::vector<PreparedText> prepared =
        prepare_texts(engine.tokenizer, std::move(texts), options);
    rows.emplace(prepared);
    sink.emplace(kinds, rows->text.size());
    VectorExtractor extractor(kinds, extraction, *sink);
    run(engine.model, prepared, options, request.forward, extractor);
  }
  py::list arrays;
  for (std::size_t k = 0; k < kinds.size(); ++k)
    arrays.append(py::make_tuple(kinds[k].key, sink->release(k)));
  return py::make_tuple(arrays, rows->release(options.unit == Unit::kToken));
}

}  // namespace

void define_embed(py::class_<Engine>& engine) {
  engine
      .def(
          "kinds",
          [](const Engine& self, const std::string& layers, const std::string& taps) {
            std::vector<std::pair<std::string, std::size_t>> out;
            for (const VectorKind& kind : kinds_of(self.model.config(), layers, taps))
              out.emplace_back(kind.key, kind.cols);
            return out;
          },
          py::arg("layers"), py::arg("taps"))
      .def(
          "embed",
          [](const Engine& self, std::vector<std::string> texts, const std::string& layers,
             const std::string& taps, const std::string& unit, const std::string& pool,
             bool normalize, const std::vector<std::vector<float>>& center,
             const std::string& truncate, std::size_t stride, std::size_t batch_tokens,
             const std::string& special, int threads, const std::string& gemm,
             const std::string& dtype) {
            return embed(self, std::move(texts),
                         {.layers = layers,
                          .taps = taps,
                          .unit = unit,
                          .pool = pool,
                          .truncate = truncate,
                          .special = special,
                          .normalize = normalize,
                          .center = center,
                          .stride = stride,
                          .batch_tokens = batch_tokens,
                          .forward = forward_options(threads, gemm, dtype)});
          },
          py::arg("texts"), py::kw_only(), py::arg("layers"), py::arg("taps"), py::arg("unit"),
          py::arg("pool"), py::arg("normalize"), py::arg("center"), py::arg("truncate"),
          py::arg("stride"), py::arg("batch_tokens"), py::arg("special"), py::arg("threads"),
          py::arg("gemm"), py::arg("dtype"));
}

}  // namespace glassgpt::python
