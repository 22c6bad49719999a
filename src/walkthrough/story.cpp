#include "walkthrough/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "cli/display.h"
#include "walkthrough/mathematics.h"
#include "walkthrough/story_text.h"

namespace glassgpt::walkthrough {
namespace {

using cli::Table;
using nlohmann::ordered_json;
using enum cli::Table::Align;

constexpr std::size_t kColumns = 92;
constexpr std::string_view kIndent = "  ";
constexpr std::size_t kShownTokens = 24;  // of lists that have a line for each token

std::string degrees(double angle) { return fmt::format("{:.1f}°", angle); }
std::string three(double value) { return fmt::format("{:.3f}", value); }

// The bytes behind a token object: the story shows them as every command does.
std::string readable(const ordered_json& token) {
  const auto& hex = token["hex"].get_ref<const std::string&>();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return cli::readable_token(bytes);
}

class Story {
 public:
  Story(const Document& document, std::string_view language)
      : document_(document), json_(document.json), text_(language) {}

  std::string tell() {
    out_ = text_.of_page("page.title") + "\n\n";
    say(text_("subject", {{"text", cli::readable_excerpt(string(json_["text"]["text"]), 60)},
                          {"model", string(json_["model"]["name"])},
                          {"layers", json_["model"]["n_layer"].dump()},
                          {"heads", json_["model"]["n_head"].dump()},
                          {"width", json_["model"]["n_embd"].dump()},
                          {"tokens", std::to_string(tokens())}}));
    chapter("counts", "vectors", [&] { counts(); });
    chapter("one_hot", "one_hot", [&] { one_hot(); });
    chapter("skip_gram", "skip_gram", [&] { skip_gram(); });
    chapter("bpe", "bpe", [&] { bpe(); });
    chapter("embedding", "embedding", [&] { embedding(); });
    chapter("positions", "positions", [&] { positions(); });
    chapter("attention", "attention", [&] { attention(); });
    chapter("layers", "layers", [&] { layers(); });
    chapter("contexts", "contexts", [&] { contexts(); });
    chapter("uses", "uses", [&] { uses(); });
    chapter("cost", "cost", [&] { cost(); });
    return std::move(out_);
  }

 private:
  static std::string string(const ordered_json& value) { return value.get<std::string>(); }
  std::string pair(const ordered_json& words) const { return string(words[text_.language()]); }
  std::size_t tokens() const { return json_["text"]["ids"].size(); }
  bool is_own_language(const ordered_json& entry) const {
    return entry["lang"].is_null() || entry["lang"] == text_.language();
  }

  void say(std::string_view line) { out_ += wrapped(line, kColumns, kIndent); }
  void show(const Table& table) { out_ += table.to_string(kIndent) + "\n"; }
  Table table(std::vector<Table::Align> columns, std::initializer_list<const char*> names) const {
    Table made(std::move(columns));
    std::vector<std::string> head;
    for (const char* name : names) {
      head.push_back(*name == '\0' ? "" : text_(std::string("column.") + name));
    }
    made.add_row(std::move(head));
    return made;
  }

  // `name` is the data's, `key` that of the page's texts.
  template <class Function>
  void chapter(const char* name, const std::string& key, Function tell) {
    ++number_;
    out_ += fmt::format("\n{}. {}\n\n", number_, text_.of_page(key + ".title"));
    say(text_.of_page(key + ".idea"));
    out_ += "\n";
    const ordered_json& data = json_[name];
    if (data.is_null()) {
      say(text_("missing"));
      return;
    }
    tell();
    if (data.contains("command")) out_ += fmt::format("  $ {}\n", string(data["command"]));
  }

  std::string token_name(std::size_t t) const {
    const ordered_json& embedding = json_["embedding"];
    return readable(embedding["tokens"][embedding["index"][t].get<std::size_t>()]);
  }

  void counts() {
    const ordered_json& data = json_["counts"];
    Table rows({kLeft, kLeft, kLeft, kRight, kRight, kRight});
    std::vector<std::string> head = {text_("column.text"), text_("column.topic"),
                                     text_("column.counts")};
    for (const auto& text : data["texts"]) {
      head.push_back(text_("column.angle_with", {{"name", string(text["name"])}}));
    }
    rows.add_row(std::move(head));
    for (std::size_t i = 0; i < data["texts"].size(); ++i) {
      const ordered_json& text = data["texts"][i];
      std::vector<std::string> row = {string(text["name"]), pair(text["topic"]),
                                      text["counts"].dump()};
      for (const auto& angle : data["angles"][i]) row.push_back(degrees(angle));
      rows.add_row(std::move(row));
    }
    show(rows);
    const ordered_json& query = data["query"];
    const std::size_t nearest = query["nearest"];
    say(text_("counts.query", {{"counts", query["counts"].dump()},
                               {"name", string(data["texts"][nearest]["name"])},
                               {"angle", degrees(query["angles"][nearest])},
                               {"topic", pair(data["texts"][nearest]["topic"])}}));
  }

  void one_hot() {
    const ordered_json& data = json_["one_hot"];
    const bool chinese = text_.language() == "zh";
    for (const auto& group : data[chinese ? "groups_zh" : "groups"]) {
      std::string words;
      for (const auto& word : group) {
        words += (words.empty() ? "" : chinese ? "、" : ", ") + string(word);
      }
      say(text_("one_hot.pairs", {{"words", words},
                                  {"distance", fmt::format("{:.4f}", double{data["distance"]})},
                                  {"angle", degrees(data["angle"])}}));
    }
    const ordered_json& bytes = data["bytes"];
    say(text_("one_hot.size", {{"vocabulary", data["vocab_size"].dump()},
                               {"one_hot", bytes["one_hot"].dump()},
                               {"row", bytes["row"].dump()},
                               {"text_one_hots", bytes["text_one_hots"].dump()},
                               {"text_rows", bytes["text_rows"].dump()}}));
  }

  void skip_gram() {
    const ordered_json& traces = json_["skip_gram"]["traces"];
    for (std::size_t i = 0; i < traces.size(); ++i) {
      if (is_own_language(traces[i])) {
        skip_gram_trace(traces[i], "/skip_gram/traces/" + std::to_string(i));
      }
    }
    for (const auto& corpus : json_["skip_gram"]["corpora"]) {
      if (is_own_language(corpus)) corpus_words(corpus);
    }
  }

  // What the same training makes of a real corpus: neighbours and analogies.
  void corpus_words(const ordered_json& corpus) {
    static constexpr std::size_t kShown = 4;
    const auto nearest = [](const ordered_json& list) {
      std::string line;
      for (std::size_t i = 0; i < std::min(kShown, list.size()); ++i) {
        line += fmt::format("{}{} {:.3f}", i == 0 ? "" : "  ", string(list[i]["word"]),
                            double{list[i]["cosine"]});
      }
      return line;
    };
    say(text_("skip_gram.corpus",
              {{"vocabulary", corpus["vocabulary"].dump()}, {"dim", corpus["dim"].dump()}}));
    Table words = table({kLeft, kLeft}, {"word", "nearest"});
    for (const auto& one : corpus["nearest"]) {
      words.add_row({string(one["word"]), nearest(one["nearest"])});
    }
    show(words);
    Table analogies = table({kLeft, kLeft, kLeft}, {"analogy", "nearest", "expected"});
    for (const auto& one : corpus["analogies"]) {
      const ordered_json& given = one["words"];
      analogies.add_row(
          {fmt::format("{} : {} = {} : ?", string(given[0]), string(given[1]), string(given[2])),
           nearest(one["nearest"]), string(one["expected"])});
    }
    show(analogies);
    for (const char* part : {"nearest", "analogies"}) {
      if (corpus[part].empty()) continue;
      out_ += fmt::format("  $ {}\n", string(corpus[part][0]["command"]));
    }
  }

  void skip_gram_trace(const ordered_json& trace, const std::string& pointer) {
    const Tensor& vectors = document_.tensor(pointer + "/vectors");
    const std::size_t words = vectors.shape[1], epochs = vectors.shape[0] - 1;
    const auto vector = [&](std::size_t epoch, std::size_t word) {
      return std::span(vectors.values).subspan((epoch * words + word) * 2, 2);
    };
    const auto shown = [](std::span<const float> v) {
      return fmt::format("({:6.3f}, {:6.3f})", v[0], v[1]);
    };
    Table rows = table({kLeft, kLeft, kLeft, kLeft}, {"word", "at_start", "at_end", "nearest"});
    for (std::size_t w = 0; w < words; ++w) {
      std::vector<double> cosines;
      for (std::size_t other = 0; other < words; ++other) {
        cosines.push_back(other == w ? -2.0 : cosine(vector(epochs, w), vector(epochs, other)));
      }
      std::string nearest;
      for (const std::size_t other : largest(cosines, 2)) {
        nearest += (nearest.empty() ? "" : "  ") + string(trace["words"][other]);
      }
      rows.add_row(
          {string(trace["words"][w]), shown(vector(0, w)), shown(vector(epochs, w)), nearest});
    }
    show(rows);
    say(text_("skip_gram.loss", {{"updates", trace["updates"].dump()},
                                 {"first", three(trace["loss"].front())},
                                 {"last", three(trace["loss"].back())}}));
  }

  // The pieces with most merges, step by step.
  void bpe() {
    const ordered_json& data = json_["bpe"];
    constexpr std::size_t kShownPieces = 3;
    std::vector<double> steps;
    for (const auto& piece : data["pieces"]) {
      steps.push_back(static_cast<double>(piece["steps"].size()));
    }
    for (const std::size_t p : largest(steps, kShownPieces)) replay(data["pieces"][p]);
    for (const auto& example : data["examples"]) {
      if (!is_own_language(example)) continue;
      say(text_("bpe.rare", {{"text", string(example["text"])}}));
      for (const auto& piece : example["pieces"]) replay(piece);
    }
  }

  void replay(const ordered_json& piece) {
    const ordered_json& names = json_["bpe"]["tokens"];
    std::vector<std::string> ids;
    for (const auto& id : piece["start"]) ids.push_back(id.dump());
    Table rows({kRight, kLeft});
    const auto add = [&](const std::string& label) {
      std::string line;
      for (const std::string& id : ids) line += (line.empty() ? "" : " ") + readable(names[id]);
      rows.add_row({label, line});
    };
    add("");
    for (const auto& step : piece["steps"]) {
      const auto at = ids.begin() + step["position"].get<std::ptrdiff_t>();
      *at = step["merged"].dump();
      ids.erase(at + 1);
      add(text_("bpe.step", {{"rank", step["rank"].dump()}}));
    }
    show(rows);
  }

  void embedding() {
    const ordered_json& data = json_["embedding"];
    const Tensor& table_rows = document_.tensor("/embedding/rows");
    std::string numbers;
    for (std::size_t c = 0; c < std::min<std::size_t>(6, table_rows.shape[1]); ++c) {
      numbers += fmt::format("{}{:.4f}", c == 0 ? "" : "  ", table_rows.values[c]);
    }
    say(text_("embedding.row", {{"id", data["ids"][0].dump()},
                                {"token", readable(data["tokens"][0])},
                                {"numbers", numbers + " …"}}));
    Table rows = table({kLeft, kRight, kRight, kLeft}, {"token", "id", "norm", "nearest"});
    for (std::size_t u = 0; u < std::min(kShownTokens, data["ids"].size()); ++u) {
      std::string nearest;
      for (std::size_t i = 0; i < std::min<std::size_t>(3, data["neighbours"][u].size()); ++i) {
        const ordered_json& near = data["neighbours"][u][i];
        nearest += fmt::format("{}{} {:.3f}", i == 0 ? "" : "  ", readable(near),
                               near["cosine"].get<double>());
      }
      rows.add_row(
          {readable(data["tokens"][u]), data["ids"][u].dump(), three(data["norms"][u]), nearest});
    }
    show(rows);
  }

  // The model's own, and the other kind beside them.
  void positions() {
    const std::string own = string(json_["positions"]["own"]);
    position_table("positions.own", own);
    const std::string other = own == "learned" ? "sinusoidal" : "learned";
    if (!json_["positions"][other].is_null()) position_table("positions.other", other);
  }

  void position_table(const std::string& key, const std::string& kind) {
    const ordered_json& data = json_["positions"][kind];
    say(text_(key, {{"kind", text_("positions." + kind)},
                    {"source", string(data["source"])},
                    {"count", data["n_positions"].dump()}}));
    Table rows =
        table({kRight, kRight, kRight, kLeft}, {"distance", "mean_dot", "mean_cosine", ""});
    for (std::size_t d = 0; d < data["distance"].size(); d = d == 0 ? 1 : 2 * d) {
      rows.add_row({std::to_string(d), fmt::format("{:.2f}", double{data["mean_dot"][d]}),
                    three(data["mean_cosine"][d]), std::string(bar(data["mean_cosine"][d]))});
    }
    show(rows);
  }

  void attention() {
    const ordered_json& start = json_["attention"]["start"];
    const std::size_t layer = start["layer"], head = start["head"], t = start["token"];
    const double scale = json_["attention"]["scale"];
    say(text_("attention.head", {{"layer", std::to_string(layer)},
                                 {"head", std::to_string(head)},
                                 {"token", token_name(t)},
                                 {"scale", fmt::format("{:.4f}", scale)}}));
    const auto row = [&](const char* pointer) {
      const Tensor& all = document_.tensor(pointer);
      const std::size_t count = all.shape[3];
      const std::size_t begin =
          (layer * all.shape[1] + head) * (count * (count + 1) / 2) + t * (t + 1) / 2;
      return std::span(all.values).subspan(begin, t + 1);
    };
    const auto scores = row("/attention/scores"), weights = row("/attention/weights");
    std::vector<std::size_t> shown =
        largest(std::vector<double>(weights.begin(), weights.end()), kShownTokens);
    std::sort(shown.begin(), shown.end());
    Table rows =
        table({kLeft, kRight, kRight, kRight, kLeft}, {"looks_at", "dot", "scaled", "weight", ""});
    for (const std::size_t s : shown) {
      const double score = static_cast<double>(scores[s]), weight = static_cast<double>(weights[s]);
      rows.add_row({token_name(s), fmt::format("{:.4f}", score / scale),
                    fmt::format("{:.4f}", score), fmt::format("{:.4f}", weight),
                    std::string(bar(weight))});
    }
    show(rows);
    heads();
    say(text_("attention.warning"));
  }

  void heads() {
    const ordered_json& summary = json_["attention"]["summary"];
    say(text_("attention.heads"));
    Table rows(std::vector<Table::Align>(summary[0].size() + 1, kRight));
    std::vector<std::string> head = {text_("column.layer")};
    for (std::size_t h = 0; h < summary[0].size(); ++h) head.push_back(std::to_string(h));
    rows.add_row(std::move(head));
    for (std::size_t k = 0; k < summary.size(); ++k) {
      std::vector<std::string> row = {std::to_string(k)};
      for (const auto& one : summary[k]) {
        row.push_back(fmt::format("{:.2f}", one["entropy_bits"].get<double>()));
      }
      rows.add_row(std::move(row));
    }
    show(rows);
  }

  void layers() {
    const ordered_json& data = json_["layers"];
    const ordered_json& norms = data["norms"];
    const std::size_t last = tokens() - 1, blocks = norms["mlp_out"].size();
    say(text_("layers.token", {{"token", token_name(last)}}));
    Table rows = table({kLeft, kRight, kRight, kRight, kLeft},
                       {"layer", "norm", "attention_adds", "mlp_adds", "predicts"});
    const auto two = [](const ordered_json& value) { return fmt::format("{:.2f}", double{value}); };
    for (std::size_t k = 0; k <= blocks; ++k) {
      std::string predicted;
      for (std::size_t i = 0; i < 3 && !data["lens"].is_null(); ++i) {
        const ordered_json& one = data["lens"]["top"][k][last][i];
        if (one.is_null()) break;
        predicted += fmt::format("{}{} {:.1f}%", i == 0 ? "" : "  ",
                                 readable(data["lens"]["tokens"][one[0].dump()]),
                                 100 * one[1].get<double>());
      }
      rows.add_row({std::to_string(k), two(norms["residual"][k][last]),
                    k < blocks ? two(norms["attention_out"][k][last]) : "",
                    k < blocks ? two(norms["mlp_out"][k][last]) : "", predicted});
    }
    show(rows);
  }

  void contexts() {
    for (const auto& word : json_["contexts"]["words"]) {
      if (!is_own_language(word)) continue;
      say(text_("contexts.pair", {{"word", string(word["word"])},
                                  {"a", string(word["a"]["text"])},
                                  {"b", string(word["b"]["text"])}}));
      Table rows = table({kLeft, kRight, kRight, kRight, kRight, kRight, kRight},
                         {"layer", "cosine", "angle", "random", "centred", "angle", "random"});
      for (const auto& [layer, one] : word["layers"].items()) {
        rows.add_row({layer == "final" ? text_("layer.final") : layer, three(one["cosine"]),
                      degrees(one["angle"]), three(one["random_pairs"]),
                      three(one["centred_cosine"]), degrees(one["centred_angle"]),
                      three(one["centred_random_pairs"])});
      }
      show(rows);
      out_ += fmt::format("  $ {}\n\n", string(word["command"]));
      near_tokens(word, "a", "A");
      near_tokens(word, "b", "B");
    }
  }

  // The nearest tokens of other sentences, by the last layer.
  void near_tokens(const ordered_json& word, const char* side, const char* name) {
    static constexpr std::size_t kShown = 4;
    const ordered_json& sentences = json_["contexts"]["pool"]["sentences"];
    const ordered_json& list = word["neighbours"][side].back();
    say(text_("contexts.nearest", {{"word", string(word["word"])}, {"name", name}}));
    Table rows = table({kRight, kLeft, kLeft}, {"cosine", "token", "sentence"});
    for (std::size_t i = 0; i < std::min(kShown, list.size()); ++i) {
      const ordered_json& sentence = sentences[list[i]["sentence"].get<std::size_t>()];
      rows.add_row({three(list[i]["cosine"]),
                    readable(sentence["tokens"][list[i]["token"].get<std::size_t>()]),
                    cli::readable_excerpt(string(sentence["text"]), 60)});
    }
    show(rows);
  }

  void uses() {
    const ordered_json& data = json_["uses"];
    const auto name = [&](const ordered_json& place) {
      return string(data["texts"][place.get<std::size_t>()]["text"]);
    };
    for (const auto& list : data["classification"]) {
      if (is_own_language(list)) classify(list, name);
    }
    for (const auto& list : data["search"]) {
      if (!is_own_language(list)) continue;
      Table rows = table({kLeft, kRight, kLeft}, {"query", "cosine", "found"});
      for (const auto& query : list["queries"]) {
        const ordered_json& first = query["ranking"][0];
        rows.add_row({name(query["text"]), three(first[1]), name(first[0])});
      }
      show(rows);
    }
    for (const auto& one : data["generation"]) {
      if (!is_own_language(one)) continue;
      std::string bytes;
      for (const auto& token : one["tokens"]) bytes += string(token["text"]);
      say(text_("uses.prompt", {{"prompt", string(one["prompt"])}}));
      say(cli::readable_excerpt(bytes, 400));
      out_ += fmt::format("  $ {}\n\n", string(one["command"]));
    }
    if (json_["model"]["bundled"] == true) {
      say(text_.of_page("uses.limits", {{"parameters", json_["model"]["parameters"].dump()}}));
      out_ += "\n";
    }
  }

  template <class Name>
  void classify(const ordered_json& list, const Name& name) {
    Table rows = table({kLeft, kLeft, kRight, kLeft}, {"text", "label", "cosine", "right"});
    for (const auto& query : list["queries"]) {
      const std::size_t predicted = query["predicted"];
      rows.add_row({name(query["text"]), pair(list["labels"][predicted]),
                    three(query["label_cosines"][predicted]),
                    query["predicted"] == query["label"] ? "✓" : "✗"});
    }
    show(rows);
    say(text_("uses.correct", {{"correct", list["correct"].dump()},
                               {"count", std::to_string(list["queries"].size())}}));
    out_ += "\n";
  }

  // The stages of all layers together.
  void cost() {
    const ordered_json& data = json_["cost"];
    const ordered_json& profile = data["profile"];
    say(text_("cost.total", {{"tokens", profile["tokens"].dump()},
                             {"ms", three(profile["median_ms"])},
                             {"cpu", string(data["cpu"])},
                             {"isa", string(data["isa"])},
                             {"threads", data["threads"].dump()}}));
    struct Sum {
      double ms = 0, flops = 0, least_ms = 0;
    };
    std::vector<std::string> names;
    std::map<std::string, Sum> sums;
    for (const auto& stage : profile["stages"]) {
      const std::string name = string(stage["name"]);
      if (!sums.contains(name)) names.push_back(name);
      Sum& sum = sums[name];
      sum.ms += stage["ms"].get<double>();
      sum.flops += stage["flops"].get<double>();
      sum.least_ms += stage["ms"].get<double>() * stage["percent_of_roof"].get<double>() / 100;
    }
    Table rows =
        table({kLeft, kRight, kRight, kRight, kRight}, {"stage", "ms", "share", "rate", "roof"});
    const double total = profile["median_ms"];
    for (const std::string& name : names) {
      const Sum& sum = sums[name];
      const double ms = std::max(sum.ms, 1e-9);
      rows.add_row({name, three(sum.ms), fmt::format("{:.1f}%", 100 * sum.ms / total),
                    fmt::format("{:.1f}", 1e-6 * sum.flops / ms),
                    fmt::format("{:.0f}%", 100 * sum.least_ms / ms)});
    }
    show(rows);
    if (data["implementations"].size() > 1) implementations(data);
  }

  // The same pass by each implementation of the matrix products: three columns for each.
  void implementations(const ordered_json& data) {
    const ordered_json& list = data["implementations"];
    say(text_("cost.compared"));
    std::vector<std::string> head = {text_("column.stage")}, total = {text_("cost.whole")};
    for (const auto& one : list) {
      head.insert(head.end(),
                  {string(one["gemm"]) + " " + text_("column.ms"), text_("column.rate"), "%"});
      total.insert(total.end(), {three(one["median_ms"]), "", ""});
    }
    std::vector<Table::Align> columns(head.size(), kRight);
    columns[0] = kLeft;
    Table rows(columns);
    rows.add_row(std::move(head));
    for (std::size_t i = 0; i < list[0]["stages"].size(); ++i) {
      std::vector<std::string> row = {string(list[0]["stages"][i]["name"])};
      for (const auto& one : list) {
        const ordered_json& stage = one["stages"][i];
        row.insert(row.end(),
                   {three(stage["ms"]), fmt::format("{:.1f}", double{stage["gflops_per_second"]}),
                    fmt::format("{:.0f}", double{stage["percent_of_roof"]})});
      }
      rows.add_row(std::move(row));
    }
    rows.add_row(std::move(total));
    show(rows);
    out_ += fmt::format("  $ {}\n", string(data["compare_command"]));
  }

  const Document& document_;
  const ordered_json& json_;
  StoryText text_;
  std::string out_;
  int number_ = 0;
};

}  // namespace

std::string tell_story(const Document& document, std::string_view language) {
  return Story(document, language).tell();
}

std::string language_of_environment() {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') {
      return std::string_view(value).substr(0, 2) == "zh" ? "zh" : "en";
    }
  }
  return "en";
}

}  // namespace glassgpt::walkthrough
