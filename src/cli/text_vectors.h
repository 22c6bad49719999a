// One vector per text, for the commands that compare texts.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/embed_texts.h"
#include "glassgpt/embed.h"
#include "glassgpt/model.h"

namespace glassgpt::cli {

struct TextVectorOptions {
  Pooling pooling = Pooling::kMean;
  std::string word;  // if not empty, only the tokens of this word
  EmbedOptions texts;
  ExtractionOptions extraction;  // its pooling is set from the above
  ForwardOptions forward;
};

struct TextVectors {
  std::size_t cols = 0;
  std::vector<float> values;         // [those texts that have tokens, cols]
  std::vector<std::size_t> text_of;  // per row; texts without tokens have none
};

// Throws Error for texts that are too long, and for those without the word.
TextVectors text_vectors(const Model& model, const Tokenizer& tokenizer, const VectorKind& kind,
                         const std::vector<Text>& texts, TextVectorOptions options);

// "mean", "last", "first", "max", "weighted-mean". Throws Error (kUnsupported) for another name.
Pooling pooling_of(const std::string& name);

// The tokens of the first occurrence of `word` that `ids` and `spans`, those of the text or a
// stretch of them, hold whole: as a whole word (UAX 29) if there is one, else anywhere. Special
// tokens are part of no word. begin == end if there is none.
TokenRange tokens_of_word(const Tokenizer& tokenizer, std::string_view text,
                          std::span<const TokenId> ids, std::span<const TokenSpan> spans,
                          std::string_view word);

}  // namespace glassgpt::cli
