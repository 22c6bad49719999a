// Chapter 9: one word in several contexts.
#include <algorithm>
#include <optional>
#include <set>

#include "cli/contexts.h"
#include "cli/layer_vectors.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kNeighbours = 6;

// A text with the vectors of its tokens.
struct Passage {
  std::string text;
  Encoding encoding;
  cli::LayerVectors vectors;
  cli::TokenRange word = {0, 0};
  std::vector<std::vector<double>> word_vector;  // [kinds][cols], the mean of the word's tokens

  ordered_json tokens(const Tokenizer& tokenizer) const {
    return tokens_json(tokenizer, encoding.ids);
  }
  ordered_json word_tokens() const {
    ordered_json list = ordered_json::array();
    for (std::size_t t = word.begin; t < word.end; ++t) list.push_back(t);
    return list;
  }
};

class Contexts {
 public:
  Contexts(Document& document, const Subject& subject, const json& examples,
           const cli::Reference& reference)
      : document_(document),
        subject_(subject),
        examples_(examples),
        reference_(reference),
        kinds_(parse_layers(subject.model.config(), "all")) {}

  void add() {
    fill_pool();
    document_.json["contexts"] = {{"words", ordered_json::array()}, {"pool", nullptr}};
    const ReaderContexts& own = subject_.contexts;
    if (!own.word.empty()) add_word(own.word, own.a, own.b, nullptr);
    for (const json& example : examples_["contexts"]) {
      add_word(example["word"], example["a"], example["b"], &example);
    }
    // None of them fits into a very short context.
    if (document_.json["contexts"]["words"].empty()) {
      document_.json["contexts"] = nullptr;
      return;
    }
    ordered_json sentences = ordered_json::array();
    for (const Passage& passage : pool_) {
      sentences.push_back(
          {{"text", text_json(passage.text)}, {"tokens", passage.tokens(subject_.tokenizer)}});
    }
    document_.json["contexts"]["pool"] = {{"sentences", std::move(sentences)}};
  }

 private:
  // Nothing for an example that is too long for the model's context; the reader's own text must
  // fit.
  std::optional<Passage> read(const std::string& text, const std::string& word, bool must_fit,
                              const char* name) const {
    Passage passage;
    passage.text = text;
    passage.encoding = subject_.tokenizer.encode_with_spans(text);
    if (must_fit) {
      cli::check_context(passage.encoding.ids.size(), subject_.model,
                         std::string("context ") + name, "shorten it");
    } else if (passage.encoding.ids.size() > subject_.model.config().n_positions) {
      return std::nullopt;
    }
    if (!word.empty())
      passage.word = cli::require_word(subject_.tokenizer, passage.encoding, text, word, name);
    passage.vectors = cli::record_layers(subject_.model, passage.encoding.ids, subject_.forward());
    passage.word_vector = cli::mean_rows(passage.vectors, passage.word.begin, passage.word.end);
    return passage;
  }

  void fill_pool() {
    std::set<std::string> texts;
    const auto add = [&](const std::string& text) {
      if (!texts.insert(text).second) return;
      if (auto passage = read(text, "", false, "")) pool_.push_back(std::move(*passage));
    };
    add(subject_.text);
    for (const json& example : examples_["contexts"]) {
      for (const json& sentence : example["sentences"]) add(sentence[0]);
    }
    for (const json& text : examples_["pool"]) add(text);
  }

  void add_word(const std::string& word, const std::string& text_a, const std::string& text_b,
                const json* example) {
    const bool own = example == nullptr;
    const auto a = read(text_a, word, own, "A"), b = read(text_b, word, own, "B");
    if (!a || !b) return;
    const std::string words =
        "similar --json --word " + shell_quoted(word) + subject_.reference_option();
    const auto compared = cli::compare(a->word_vector, b->word_vector, reference_);
    const std::string pointer =
        "/contexts/words/" + std::to_string(document_.json["contexts"]["words"].size());
    document_.json["contexts"]["words"].push_back(
        {{"command", subject_.command(words, {text_a, text_b})},
         {"word", text_json(word)},
         {"lang", own ? ordered_json(nullptr) : ordered_json((*example)["lang"])},
         {"reader", own},
         {"a", side(*a)},
         {"b", side(*b)},
         {"reference_tokens", reference_.tokens},
         {"layers", ordered_json::parse(cli::layers_json(kinds_, compared, reference_))},
         {"senses", nullptr},
         {"neighbours",
          {{"layers", layer_names()}, {"a", neighbours(*a)}, {"b", neighbours(*b)}}}});
    if (!own) add_senses(pointer + "/senses", word, *example);
  }

  ordered_json side(const Passage& passage) const {
    return {{"text", text_json(passage.text)},
            {"tokens", passage.tokens(subject_.tokenizer)},
            {"word", passage.word_tokens()}};
  }

  void add_senses(const std::string& pointer, const std::string& word, const json& example) {
    std::vector<Passage> passages;
    std::vector<std::size_t> senses;
    ordered_json sentences = ordered_json::array();
    for (const json& sentence : example["sentences"]) {
      const std::string text = sentence[0];
      auto passage = read(text, word, false, "A");
      if (!passage) continue;
      const std::size_t at = text.find(word);
      senses.push_back(sentence[1]);
      sentences.push_back({{"text", text},
                           {"sense", sentence[1]},
                           {"span", {at, at + word.size()}},
                           {"tokens", passage->tokens(subject_.tokenizer)},
                           {"word", passage->word_tokens()}});
      passages.push_back(std::move(*passage));
    }
    if (passages.empty()) return;
    document_.json[ordered_json::json_pointer(pointer)] = {{"names", example["names"]},
                                                           {"sentences", std::move(sentences)},
                                                           {"cosines", nullptr},
                                                           {"xy", nullptr},
                                                           {"same", ordered_json::array()},
                                                           {"different", ordered_json::array()}};
    compare_senses(pointer, passages, senses);
  }

  void compare_senses(const std::string& pointer, const std::vector<Passage>& passages,
                      const std::vector<std::size_t>& senses) {
    const std::size_t count = passages.size(), cols = subject_.model.config().n_embd;
    ordered_json& object = document_.json[ordered_json::json_pointer(pointer)];
    Tensor cosines{{kinds_.size(), count, count}, {}, {}}, xy{{kinds_.size(), count, 2}, {}, {}};
    for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
      double same = 0, different = 0, pairs_same = 0, pairs_different = 0;
      std::vector<double> rows;
      for (std::size_t i = 0; i < count; ++i) {
        const auto& x = passages[i].word_vector[kind];
        rows.insert(rows.end(), x.begin(), x.end());
        for (std::size_t j = 0; j < count; ++j) {
          const double value =
              cli::centred_cosine(x, passages[j].word_vector[kind], reference_.mean[kind]);
          cosines.values.push_back(static_cast<float>(value));
          if (i == j) continue;
          (senses[i] == senses[j] ? same : different) += value;
          (senses[i] == senses[j] ? pairs_same : pairs_different) += 1;
        }
      }
      object["same"].push_back(pairs_same > 0 ? ordered_json(same / pairs_same) : nullptr);
      object["different"].push_back(pairs_different > 0 ? ordered_json(different / pairs_different)
                                                        : nullptr);
      const Components components = principal_components(rows, cols, 2);
      xy.values.insert(xy.values.end(), components.coordinates.begin(),
                       components.coordinates.end());
    }
    document_.put(pointer + "/cosines", std::move(cosines));
    document_.put(pointer + "/xy", std::move(xy));
  }

  // Input, middle, last block, final.
  std::vector<std::size_t> shown_kinds() const {
    const std::size_t layers = kinds_.size() - 2;
    std::set<std::size_t> shown = {0, layers / 2, layers, layers + 1};
    return {shown.begin(), shown.end()};
  }

  ordered_json layer_names() const {
    ordered_json names = ordered_json::array();
    for (const std::size_t kind : shown_kinds()) names.push_back(kinds_[kind].key);
    return names;
  }

  // Nearest to the word's vector among the tokens of other sentences.
  ordered_json neighbours(const Passage& passage) const {
    ordered_json layers = ordered_json::array();
    for (const std::size_t kind : shown_kinds()) {
      std::vector<double> cosines;
      std::vector<std::pair<std::size_t, std::size_t>> places;
      for (std::size_t s = 0; s < pool_.size(); ++s) {
        if (pool_[s].text == passage.text) continue;
        for (std::size_t t = 0; t < pool_[s].vectors.rows; ++t) {
          const auto row = pool_[s].vectors.row(kind, t);
          const std::vector<double> vector(row.begin(), row.end());
          cosines.push_back(
              cli::centred_cosine(passage.word_vector[kind], vector, reference_.mean[kind]));
          places.emplace_back(s, t);
        }
      }
      ordered_json list = ordered_json::array();
      for (const std::size_t i : largest(cosines, kNeighbours)) {
        list.push_back(
            {{"sentence", places[i].first}, {"token", places[i].second}, {"cosine", cosines[i]}});
      }
      layers.push_back(std::move(list));
    }
    return layers;
  }

  Document& document_;
  const Subject& subject_;
  const json& examples_;
  const cli::Reference& reference_;
  std::vector<VectorKind> kinds_;
  std::vector<Passage> pool_;
};

}  // namespace

void add_contexts(Document& document, const Subject& subject, const json& examples) {
  document.json["contexts"] = nullptr;
  // Without either the model cannot write a text of its own; `similar` says so.
  const bool can_write =
      subject.has_logits() && subject.tokenizer.special_id("<|endoftext|>").has_value();
  if (!can_write && subject.reference.empty() && subject.contexts.word.empty()) return;
  const cli::Reference reference =
      cli::make_reference(subject.model, subject.tokenizer, subject.reference, subject.forward());
  Contexts(document, subject, examples, reference).add();
}

}  // namespace glassgpt::walkthrough
