#include "cli/contexts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <random>

#include "cli/json_text.h"
#include "cli/text_source.h"
#include "cli/text_vectors.h"
#include "glassgpt/error.h"
#include "glassgpt/generate.h"
#include "model/parts.h"

namespace glassgpt::cli {
namespace {

constexpr std::size_t kSamples = 4, kSampleTokens = 128, kPairs = 1000;
constexpr const char* kEndOfText = "<|endoftext|>";

std::vector<std::vector<TokenId>> reference_texts(const Model& model, const Tokenizer& tokenizer,
                                                  const std::string& file,
                                                  const ForwardOptions& forward) {
  const std::size_t context = model.config().n_positions;
  std::vector<std::vector<TokenId>> texts;
  if (!file.empty()) {
    std::vector<TokenId> ids = tokenizer.encode(read_all(file));
    ids.resize(std::min(ids.size(), kMostReferenceTokens));
    for (std::size_t at = 0; at < ids.size(); at += context) {
      texts.emplace_back(
          ids.begin() + static_cast<std::ptrdiff_t>(at),
          ids.begin() + static_cast<std::ptrdiff_t>(std::min(at + context, ids.size())));
    }
    return texts;
  }
  if (model.parts().tensors.lm_head == nullptr) {
    throw Error(ErrorCode::kUnsupported, "",
                "the model has no lm_head.weight, so it cannot write a reference text itself",
                "name a text with --reference FILE");
  }
  const std::optional<TokenId> start = tokenizer.special_id(kEndOfText);
  if (!start) {
    throw Error(ErrorCode::kUnsupported, "",
                fmt::format("the tokenizer has no {} to start a reference text from", kEndOfText),
                "name a text with --reference FILE");
  }
  for (std::size_t sample = 0; sample < kSamples; ++sample) {
    GenerateOptions options;
    options.max_tokens = std::min(kSampleTokens, context - 1);
    options.seed = sample;
    options.id_limit = tokenizer.vocab_size();
    options.forward = forward;
    texts.push_back(generate(model, {&*start, 1}, options));
  }
  return texts;
}

void random_pairs(const LayerVectors& all, std::size_t kind, Reference& reference) {
  std::mt19937_64 random(1);
  double raw = 0, centred = 0;
  for (std::size_t i = 0; i < kPairs; ++i) {
    const std::size_t a = random() % all.rows;
    const std::size_t b = (a + 1 + random() % (all.rows - 1)) % all.rows;
    const auto row_a = all.row(kind, a), row_b = all.row(kind, b);
    const std::vector<double> x(row_a.begin(), row_a.end()), y(row_b.begin(), row_b.end());
    raw += centred_cosine(x, y, {});
    centred += centred_cosine(x, y, reference.mean[kind]);
  }
  reference.random_raw.push_back(raw / kPairs);
  reference.random_centred.push_back(centred / kPairs);
}

}  // namespace

TokenRange require_word(const Tokenizer& tokenizer, const Encoding& encoding, std::string_view text,
                        std::string_view word, std::string_view name) {
  const TokenRange range = tokens_of_word(tokenizer, text, encoding.ids, encoding.spans, word);
  if (range.begin == range.end) {
    throw Error(ErrorCode::kNotFound, "",
                fmt::format("the word '{}' is not in text {}", word, name),
                "upper and lower case count");
  }
  return range;
}

Reference make_reference(const Model& model, const Tokenizer& tokenizer, const std::string& file,
                         const ForwardOptions& forward) {
  LayerVectors all;
  for (const std::vector<TokenId>& ids : reference_texts(model, tokenizer, file, forward)) {
    LayerVectors part = record_layers(model, ids, forward);
    if (all.kinds.empty()) {
      all = std::move(part);
      continue;
    }
    all.rows += part.rows;
    for (std::size_t kind = 0; kind < part.values.size(); ++kind) {
      all.values[kind].insert(all.values[kind].end(), part.values[kind].begin(),
                              part.values[kind].end());
    }
  }
  if (all.rows < 2) {
    throw Error(ErrorCode::kMalformed, file, "the reference text has fewer than two tokens",
                "take a text of some hundred tokens");
  }
  Reference reference;
  reference.tokens = all.rows;
  reference.mean = mean_rows(all, 0, all.rows);
  for (std::size_t kind = 0; kind < all.kinds.size(); ++kind) random_pairs(all, kind, reference);
  return reference;
}

std::vector<Comparison> compare(std::span<const std::vector<double>> a,
                                std::span<const std::vector<double>> b,
                                const Reference& reference) {
  std::vector<Comparison> compared;
  for (std::size_t kind = 0; kind < a.size(); ++kind) {
    compared.push_back({centred_cosine(a[kind], b[kind], {}),
                        centred_cosine(a[kind], b[kind], reference.mean[kind])});
  }
  return compared;
}

std::string layers_json(std::span<const VectorKind> kinds, std::span<const Comparison> compared,
                        const Reference& reference) {
  std::string layers;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const auto [raw, centred] = compared[kind];
    layers += fmt::format(
        R"({}"{}":{{"cosine":{},"angle":{},"random_pairs":{},"centred_cosine":{},"centred_angle":{},"centred_random_pairs":{}}})",
        kind == 0 ? "" : ",", kinds[kind].key, json_number(raw), json_number(angle_in_degrees(raw)),
        json_number(reference.random_raw[kind]), json_number(centred),
        json_number(angle_in_degrees(centred)), json_number(reference.random_centred[kind]));
  }
  return "{" + layers + "}";
}

}  // namespace glassgpt::cli
