// A word in its contexts: where it is in a text, and what cosines mean beside those of random
// pairs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/embed_texts.h"
#include "cli/layer_vectors.h"
#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"

namespace glassgpt::cli {

// The tokens of the word's first occurrence: as a whole word if there is one, else as a part of
// one. `name` is what a message calls the text. Throws Error (kNotFound) if the word is not there.
TokenRange require_word(const Tokenizer& tokenizer, const Encoding& encoding, std::string_view text,
                        std::string_view word, std::string_view name);

// A GPT's vectors share a large common part, so that any two look alike (Ethayarajh 2019,
// section 4.1): a cosine means something only beside that of random pairs, and after the mean of
// many tokens is taken away.
struct Reference {
  std::vector<std::vector<double>> mean;           // [kinds][cols]
  std::vector<double> random_raw, random_centred;  // mean cosine of random pairs, per kind
  std::size_t tokens = 0;
};

// Of a reference text; the rest would cost memory and change little.
inline constexpr std::size_t kMostReferenceTokens = 4096;

// From a file's text (its first kMostReferenceTokens), or, if its name is empty, from what the
// model itself writes: 512 tokens from fixed seeds. Throws Error for a text of fewer than two
// tokens, for a model without logits, and for a tokenizer without a token to start from.
Reference make_reference(const Model& model, const Tokenizer& tokenizer, const std::string& file,
                         const ForwardOptions& forward);

// How two vectors of one layer compare.
struct Comparison {
  double cosine, centred_cosine;
};
std::vector<Comparison> compare(std::span<const std::vector<double>> a,
                                std::span<const std::vector<double>> b, const Reference& reference);

// The object that `similar --json` prints for the layers: {"0":{"cosine":…,…},…}.
std::string layers_json(std::span<const VectorKind> kinds, std::span<const Comparison> compared,
                        const Reference& reference);

}  // namespace glassgpt::cli
