#include "cli/text_vectors.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/output.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

class Collector : public VectorSink {
 public:
  explicit Collector(TextVectors& vectors) : vectors_(vectors) {}
  void on_rows(std::size_t, const float* rows, std::size_t count, std::size_t stride) override {
    for (std::size_t r = 0; r < count; ++r) {
      const float* row = rows + r * stride;
      vectors_.values.insert(vectors_.values.end(), row, row + vectors_.cols);
    }
  }

 private:
  TextVectors& vectors_;
};

}  // namespace

TextVectors text_vectors(const Model& model, const Tokenizer& tokenizer, const VectorKind& kind,
                         const std::vector<Text>& texts, TextVectorOptions options) {
  TextVectors vectors;
  vectors.cols = kind.cols;
  Collector collector(vectors);
  options.extraction.pooling = options.pooling;
  options.texts.unit = Unit::kText;
  options.texts.context = model.config().n_positions;
  VectorExtractor extractor({kind}, options.extraction, collector);
  BatchBuilder batch;
  const auto pass = [&] {
    throw_if_interrupted();
    if (batch.empty()) return;
    extractor.set_ranges(batch.ranges());
    model.forward(batch.batch(), extractor, options.forward);
    batch.clear();
  };
  for (std::size_t t = 0; t < texts.size(); ++t) {
    EmbeddedText prepared = prepare_text(tokenizer, texts[t], options.texts);
    if (!options.word.empty()) {
      const TokenRange word =
          tokens_of_word(tokenizer, prepared.bytes, prepared.ids, prepared.spans, options.word);
      if (word.begin == word.end) {
        throw Error(ErrorCode::kNotFound, texts[t].where,
                    fmt::format("the word '{}' is not in {}", options.word,
                                prepared.truncated() ? "what --truncate kept of it" : "it"),
                    "upper and lower case count");
      }
      prepared.units = {word};
    }
    if (!prepared.ids.empty()) vectors.text_of.push_back(t);
    for (const Window& window : windows_of(prepared.ids.size(), options.texts)) {
      if (!batch.fits(window.end - window.begin, options.texts.batch_tokens)) pass();
      batch.add(prepared, window);
    }
  }
  pass();
  return vectors;
}

Pooling pooling_of(const std::string& name) {
  if (name == "last") return Pooling::kLast;
  if (name == "first") return Pooling::kFirst;
  if (name == "max") return Pooling::kMax;
  if (name == "weighted-mean") return Pooling::kWeightedMean;
  if (name == "mean") return Pooling::kMean;
  throw Error(ErrorCode::kUnsupported, "", "there is no pooling '" + name + "'",
              "known are mean, last, first, max and weighted-mean");
}

TokenRange tokens_of_word(const Tokenizer& tokenizer, std::string_view text,
                          std::span<const TokenId> ids, std::span<const TokenSpan> spans,
                          std::string_view word) {
  // All that share a byte with it; none unless they hold it whole.
  const auto tokens_at = [&](std::size_t at) -> TokenRange {
    const std::size_t end = at + word.size();
    const auto overlaps = [&](const TokenSpan& span) {
      return span.byte_begin < end && span.byte_end > at;
    };
    const auto first = std::find_if(spans.begin(), spans.end(), overlaps);
    const auto last = std::find_if_not(first, spans.end(), overlaps);
    if (first == last || first->byte_begin > at || std::prev(last)->byte_end < end) return {0, 0};
    const TokenRange range = {static_cast<std::size_t>(first - spans.begin()),
                              static_cast<std::size_t>(last - spans.begin())};
    for (std::size_t t = range.begin; t < range.end; ++t) {
      if (tokenizer.is_special(ids[t])) return {0, 0};
    }
    return range;
  };
  for (const WordSpan& span : split_words(text)) {
    if (text.substr(span.begin, span.end - span.begin) != word) continue;
    const TokenRange range = tokens_at(span.begin);
    if (range.begin < range.end) return range;
  }
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string_view::npos; ++at) {
    const TokenRange range = tokens_at(at);
    if (range.begin < range.end) return range;
  }
  return {0, 0};
}

}  // namespace glassgpt::cli
