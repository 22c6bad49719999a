// Chapter 10: classification, search and generation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "cli/layer_vectors.h"
#include "glassgpt/generate.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kGeneratedTokens = 24, kAlternatives = 6;
constexpr float kTemperature = 0.8f;
constexpr std::size_t kTopK = 40;
constexpr std::uint64_t kSeed = 1;

// Texts as vectors: the mean over tokens of the last layer, less the mean of those that are known,
// of length 1.
class TextVectors {
 public:
  TextVectors(const Subject& subject, std::size_t first) : subject_(subject), first_(first) {}

  // Texts longer than the context count with their beginning, as by --truncate right.
  void add(const std::string& text) {
    std::vector<TokenId> ids = subject_.tokenizer.encode(text);
    ids.resize(std::min(ids.size(), subject_.model.config().n_positions));
    const cli::LayerVectors vectors = cli::record_layers(subject_.model, ids, subject_.forward());
    texts_.push_back(text);
    rows_.push_back(cli::mean_rows(vectors, 0, vectors.rows).back());
  }

  // The first `known` texts give the mean, which is returned.
  std::vector<float> finish(std::size_t known) {
    const std::size_t cols = subject_.model.config().n_embd;
    std::vector<double> mean(cols, 0.0);
    for (std::size_t i = 0; i < known; ++i) {
      for (std::size_t c = 0; c < cols; ++c) mean[c] += rows_[i][c] / static_cast<double>(known);
    }
    for (std::vector<double>& row : rows_) {
      double squares = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        row[c] -= mean[c];
        squares += row[c] * row[c];
      }
      for (double& value : row) value /= squares > 0 ? std::sqrt(squares) : 1.0;
    }
    return {mean.begin(), mean.end()};
  }

  void append_to(ordered_json& texts, std::vector<float>& vectors, const json& lang) const {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      texts.push_back({{"text", texts_[i]}, {"lang", lang}});
      vectors.insert(vectors.end(), rows_[i].begin(), rows_[i].end());
    }
  }

  // Of two texts by their numbers among all.
  double cosine(std::size_t a, std::size_t b) const {
    return cli::centred_cosine(rows_[a - first_], rows_[b - first_], {});
  }

 private:
  const Subject& subject_;
  std::size_t first_;
  std::vector<std::string> texts_;
  std::vector<std::vector<double>> rows_;
};

// One language's part of the chapter.
class Uses {
 public:
  Uses(Document& document, const Subject& subject, const json& list, std::vector<float>& vectors)
      : document_(document),
        chapter_(document.json["uses"]),
        subject_(subject),
        list_(list),
        vectors_(vectors) {}

  void add_classification() {
    const std::size_t first = chapter_["texts"].size();
    TextVectors texts(subject_, first);
    for (const json& example : list_["examples"]) texts.add(example[0]);
    for (const json& query : list_["queries"]) texts.add(query[0]);
    put_mean("classification", texts.finish(list_["examples"].size()));
    ordered_json examples = ordered_json::array(), queries = examples;
    std::size_t place = first, correct = 0;
    for (const json& example : list_["examples"]) examples.push_back({place++, example[1]});
    for (const json& query : list_["queries"]) {
      ordered_json entry = classify(texts, first, place++, query[1]);
      correct += entry["predicted"] == entry["label"] ? 1 : 0;
      queries.push_back(std::move(entry));
    }
    texts.append_to(chapter_["texts"], vectors_, list_["lang"]);
    chapter_["classification"].push_back({{"lang", list_["lang"]},
                                          {"command", classify_command()},
                                          {"labels", list_["labels"]},
                                          {"examples", std::move(examples)},
                                          {"queries", std::move(queries)},
                                          {"correct", correct}});
  }

  void add_search() {
    const std::size_t first = chapter_["texts"].size(), count = list_["documents"].size();
    TextVectors texts(subject_, first);
    for (const json& document : list_["documents"]) texts.add(document);
    for (const json& search : list_["searches"]) texts.add(search);
    put_mean("search", texts.finish(count));
    ordered_json documents = ordered_json::array(), queries = documents;
    for (std::size_t i = 0; i < count; ++i) documents.push_back(first + i);
    for (std::size_t q = 0; q < list_["searches"].size(); ++q) {
      const std::size_t place = first + count + q;
      std::vector<double> cosines;
      for (std::size_t i = 0; i < count; ++i) cosines.push_back(texts.cosine(place, first + i));
      ordered_json ranking = ordered_json::array();
      for (const std::size_t i : largest(cosines, count)) {
        ranking.push_back({first + i, cosines[i]});
      }
      queries.push_back({{"text", place}, {"ranking", std::move(ranking)}});
    }
    texts.append_to(chapter_["texts"], vectors_, list_["lang"]);
    chapter_["search"].push_back({{"lang", list_["lang"]},
                                  {"documents", std::move(documents)},
                                  {"queries", std::move(queries)}});
  }

 private:
  void put_mean(const char* of, std::vector<float> mean) {
    const std::size_t cols = mean.size();
    const std::string lang = list_["lang"];
    document_.put("/uses/means/" + lang + "/" + of, {{cols}, {}, std::move(mean)});
  }

  // What labels the queries; the examples come through a pipe, so that it needs no file.
  std::string classify_command() const {
    std::string line = "printf '%s\\t%s\\n'", queries;
    for (const json& example : list_["examples"]) {
      const json& label = list_["labels"][example[1].get<std::size_t>()];
      for (const json& part : {label[list_["lang"].get<std::string>()], example[0]}) {
        line += " " + shell_quoted(part.get<std::string>());
      }
    }
    for (const json& query : list_["queries"]) {
      queries += " " + shell_quoted(query[0].get<std::string>());
    }
    return line + " | " +
           subject_.command(
               "classify --json --by mean --center --truncate right --examples /dev/stdin", {}) +
           queries;
  }

  ordered_json classify(const TextVectors& texts, std::size_t first, std::size_t place,
                        std::size_t label) const {
    ordered_json cosines = ordered_json::array();
    std::vector<double> sums(list_["labels"].size(), 0.0), counts(sums);
    for (std::size_t i = 0; i < list_["examples"].size(); ++i) {
      const double value = texts.cosine(place, first + i);
      const std::size_t of = list_["examples"][i][1];
      cosines.push_back(value);
      sums[of] += value;
      counts[of] += 1;
    }
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] /= std::max(1.0, counts[i]);
    return {{"text", place},
            {"label", label},
            {"cosines", std::move(cosines)},
            {"label_cosines", sums},
            {"predicted", largest(sums, 1).front()}};
  }

  Document& document_;
  ordered_json& chapter_;
  const Subject& subject_;
  const json& list_;
  std::vector<float>& vectors_;
};

// Nothing where the prompt fills the context.
void add_generation(ordered_json& runs, const Subject& subject, const json& list) {
  const std::string prompt = list["prompt"];
  const std::size_t context = subject.model.config().n_positions;
  std::vector<TokenId> ids = subject.tokenizer.encode(prompt);
  if (ids.size() >= context) return;
  const std::size_t prompt_tokens = ids.size();
  GenerateOptions options;
  // What follows is recorded in one pass over prompt and continuation, which must fit together.
  options.max_tokens = std::min(kGeneratedTokens, context - ids.size());
  options.temperature = kTemperature;
  options.top_k = kTopK;
  options.seed = kSeed;
  options.id_limit = subject.tokenizer.vocab_size();
  options.forward = subject.forward();
  options.stop_token = subject.tokenizer.special_id("<|endoftext|>");
  const std::vector<TokenId> generated = generate(subject.model, ids, options);
  ids.insert(ids.end(), generated.begin(), generated.end());
  const Recording recording = record(subject.model, ids, subject.forward());
  const std::size_t vocabulary = subject.model.config().vocab_size;
  std::set<TokenId> seen;
  ordered_json tokens = ordered_json::array();
  for (std::size_t i = prompt_tokens; i < ids.size(); ++i) {
    const auto all =
        softmax(std::span(recording.logits.values).subspan((i - 1) * vocabulary, vocabulary));
    ordered_json token = token_json(subject.tokenizer, ids[i]);
    token["probability"] = nine_digits(all[ids[i]]);
    for (const std::size_t id :
         largest(std::span(all).first(std::min(vocabulary, options.id_limit)), kAlternatives)) {
      seen.insert(static_cast<TokenId>(id));
      token["top"].push_back({id, nine_digits(all[id])});
    }
    tokens.push_back(std::move(token));
  }
  ordered_json by_id = ordered_json::object();
  for (const TokenId id : seen) by_id[std::to_string(id)] = token_json(subject.tokenizer, id);
  runs.push_back(
      {{"lang", list["lang"]},
       {"command", subject.command(
                       fmt::format("generate --max-tokens {} --temperature {} --top-k {} --seed {}",
                                   options.max_tokens, kTemperature, kTopK, kSeed),
                       {prompt})},
       {"prompt", prompt},
       {"prompt_tokens", tokens_json(subject.tokenizer, std::span(ids).first(prompt_tokens))},
       {"seed", kSeed},
       {"temperature", kTemperature},
       {"top_k", kTopK},
       {"tokens", std::move(tokens)},
       {"tokens_by_id", std::move(by_id)}});
}

}  // namespace

void add_uses(Document& document, const Subject& subject, const json& examples) {
  const std::size_t cols = subject.model.config().n_embd;
  const json& lists = examples["uses"];
  ordered_json& chapter = document.json["uses"];
  const std::string first = lists[0]["queries"][0][0];
  chapter = {{"command",
              subject.command("embed --json --unit text --pool mean --truncate right", {first})},
             {"layer", "final"},
             {"texts", ordered_json::array()},
             {"vectors", nullptr},
             {"means", ordered_json::object()},
             {"classification", ordered_json::array()},
             {"search", ordered_json::array()},
             {"generation", ordered_json::array()}};
  std::vector<float> vectors;
  for (const json& list : lists) {
    Uses uses(document, subject, list, vectors);
    uses.add_classification();
    uses.add_search();
    if (subject.has_logits()) add_generation(chapter["generation"], subject, list);
  }
  const std::size_t count = chapter["texts"].size();
  document.put("/uses/vectors", {{count, cols}, {}, std::move(vectors)});
}

}  // namespace glassgpt::walkthrough
