// The chapters' data, one function each: what SCHEMA.md says under its name.
#pragma once

#include <nlohmann/json.hpp>

#include "walkthrough/document.h"
#include "walkthrough/subject.h"

namespace glassgpt::walkthrough {

// `examples` is examples.json: the texts that are the same for every reader.
void add_text(Document& document, const Subject& subject);
void add_model(Document& document, const Subject& subject);
void add_counts(Document& document, const nlohmann::json& examples);
void add_one_hot(Document& document, const Subject& subject, const nlohmann::json& examples);
void add_skip_gram(Document& document, const nlohmann::json& examples);
void add_corpora(Document& document, const nlohmann::json& examples);  // chapter 3's second half
void add_bpe(Document& document, const Subject& subject, const nlohmann::json& examples);
void add_embedding(Document& document, const Subject& subject);
// Chapter 5's second half, after its first.
void add_formation(Document& document, const Subject& subject, const nlohmann::json& examples);
void add_positions(Document& document, const Subject& subject);
void add_attention(Document& document, const Subject& subject);
void add_layers(Document& document, const Subject& subject);
void add_contexts(Document& document, const Subject& subject, const nlohmann::json& examples);
void add_uses(Document& document, const Subject& subject, const nlohmann::json& examples);
void add_cost(Document& document, const Subject& subject);

// All of them; without the cost nothing is measured. The subject's text has a token or more.
Document make_document(const Subject& subject, bool with_cost = true);

}  // namespace glassgpt::walkthrough
