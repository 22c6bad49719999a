// glassgpt classify: labels texts by the cosine of their vectors to labelled examples.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/count_vectors.h"
#include "cli/display.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/text_source.h"
#include "cli/text_vectors.h"
#include "glassgpt/error.h"
#include "glassgpt/nearest.h"
#include "io/json.h"
#include "nlohmann/json.hpp"

namespace glassgpt::cli {
namespace {

struct Examples {
  std::vector<Text> texts;
  std::vector<std::size_t> label;   // per text, into labels
  std::vector<std::string> labels;  // in the order of their first example

  void add(const std::string& name, std::string bytes, std::string where) {
    const auto known = std::find(labels.begin(), labels.end(), name);
    label.push_back(static_cast<std::size_t>(known - labels.begin()));
    if (known == labels.end()) labels.push_back(name);
    texts.push_back({std::to_string(texts.size()), std::move(bytes), std::move(where)});
  }
};

// .jsonl: {"label": "…", "text": "…"} a line; anything else: LABEL, a tab, the text.
Examples read_examples(const std::string& file) {
  Examples examples;
  const std::string bytes = read_all(file);
  std::size_t line = 0;
  const std::size_t begin = bytes.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (std::size_t at = begin, end = 0; at < bytes.size(); at = end + 1) {
    end = std::min(bytes.find('\n', at), bytes.size());
    std::string text = bytes.substr(at, end - at);
    if (!text.empty() && text.back() == '\r') text.pop_back();
    const std::string where = fmt::format("{}: line {}", file, ++line);
    if (text.find_first_not_of(" \t") == std::string::npos) continue;
    if (file.ends_with(".jsonl")) {
      const nlohmann::json object = io::parse_json(text, where);
      const auto string = [&](const char* key) {
        if (!object.is_object() || !object.contains(key) || !object[key].is_string()) {
          throw Error(ErrorCode::kMalformed, where, fmt::format("expected a string \"{}\"", key),
                      R"(each line looks like {"label": "…", "text": "…"})");
        }
        return object[key].get<std::string>();
      };
      examples.add(string("label"), string("text"), where);
      continue;
    }
    const std::size_t tab = text.find('\t');
    if (tab == std::string::npos) {
      throw Error(ErrorCode::kMalformed, where, "there is no tab between label and text",
                  "each line is LABEL, a tab, the text; or give a .jsonl file");
    }
    examples.add(text.substr(0, tab), text.substr(tab + 1), where);
  }
  if (examples.texts.empty()) {
    throw Error(ErrorCode::kMalformed, file, "has no examples", "give one labelled text at least");
  }
  return examples;
}

// Texts beside the examples, by whichever vectors.
class Comparer {
 public:
  virtual ~Comparer() = default;
  // The cosines of each text to all examples; 0 where either has no tokens or words.
  virtual std::vector<std::vector<double>> to_examples(const std::vector<Text>& texts) const = 0;
  // The cosines of an example to all examples, as if it were none itself.
  virtual std::vector<double> to_others(std::size_t example) const = 0;
  // Whether the example has any token or word; one that has none is near to nothing.
  virtual bool has_vector(std::size_t example) const = 0;
};

class ModelComparer : public Comparer {
 public:
  // With `centred`, the mean of the examples' vectors is subtracted from all.
  ModelComparer(const CommonOptions& common, const TokenizerOptions& tokenizer,
                const std::string& layer, TextVectorOptions options,
                const std::vector<Text>& examples, bool centred)
      : directory_(model_directory(common)),
        model_(Model::load(directory_)),
        tokenizer_(tokenizer.load(common)),
        kind_(one_layer(model_.config(), layer)),
        options_(std::move(options)),
        count_(examples.size()),
        has_tokens_(count_, false),
        values_(count_ * kind_.cols, 0.0F),
        sum_(kind_.cols, 0.0),
        centred_(centred) {
    check_tokenizer_fits(tokenizer_, model_, directory_);
    const TextVectors vectors = text_vectors(model_, tokenizer_, kind_, examples, options_);
    const std::size_t cols = kind_.cols;
    for (std::size_t r = 0; r < vectors.text_of.size(); ++r) {
      const std::size_t example = vectors.text_of[r];
      has_tokens_[example] = true;
      ++with_tokens_;
      for (std::size_t c = 0; c < cols; ++c) {
        const float value = vectors.values[r * cols + c];
        values_[example * cols + c] = value;
        sum_[c] += static_cast<double>(value);
      }
    }
    mean_ = mean_without(nullptr);
    examples_ = minus(values_, mean_);
  }

  std::vector<std::vector<double>> to_examples(const std::vector<Text>& texts) const override {
    const TextVectors vectors = text_vectors(model_, tokenizer_, kind_, texts, options_);
    std::vector<std::vector<double>> cosines(texts.size(), std::vector<double>(count_, 0.0));
    const std::vector<float> centred = minus(vectors.values, mean_);
    for (std::size_t r = 0; r < vectors.text_of.size(); ++r) {
      cosines[vectors.text_of[r]] = compare(centred.data() + r * kind_.cols, examples_);
    }
    return cosines;
  }

  std::vector<double> to_others(std::size_t example) const override {
    if (!has_tokens_[example]) return std::vector<double>(count_, 0.0);
    const std::size_t at = example * kind_.cols;
    const std::vector<float> examples = minus(values_, mean_without(values_.data() + at));
    return compare(examples.data() + at, examples);
  }

  bool has_vector(std::size_t example) const override { return has_tokens_[example]; }

 private:
  static VectorKind one_layer(const ModelConfig& config, const std::string& layer) {
    std::vector<VectorKind> kinds;
    try {
      kinds = parse_layers(config, layer);
    } catch (const std::invalid_argument& error) {
      throw UsageError(error.what());
    }
    if (kinds.size() != 1) throw UsageError("--layer takes one layer, got " + layer);
    return kinds[0];
  }

  // Of the examples but for this one, if any: a mean that holds it would tell of its label.
  std::vector<double> mean_without(const float* own) const {
    std::vector<double> mean(kind_.cols, 0.0);
    const std::size_t others = with_tokens_ - (own != nullptr ? 1 : 0);
    if (!centred_ || others == 0) return mean;
    for (std::size_t c = 0; c < mean.size(); ++c) {
      mean[c] = (sum_[c] - (own != nullptr ? static_cast<double>(own[c]) : 0.0)) /
                static_cast<double>(others);
    }
    return mean;
  }

  std::vector<double> compare(const float* text, const std::vector<float>& examples) const {
    std::vector<double> cosines(count_, 0.0);
    for (std::size_t e = 0; e < count_; ++e) {
      if (!has_tokens_[e]) continue;
      cosines[e] = exact_cosine(text, examples.data() + e * kind_.cols, kind_.cols);
    }
    return cosines;
  }

  // Of each row.
  static std::vector<float> minus(std::vector<float> rows, const std::vector<double>& mean) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = static_cast<float>(static_cast<double>(rows[i]) - mean[i % mean.size()]);
    }
    return rows;
  }

  std::filesystem::path directory_;
  Model model_;
  Tokenizer tokenizer_;
  VectorKind kind_;
  TextVectorOptions options_;
  std::size_t count_, with_tokens_ = 0;  // examples
  std::vector<bool> has_tokens_;
  std::vector<float> values_;    // [examples, cols]
  std::vector<double> sum_;      // of all examples
  std::vector<double> mean_;     // that texts are compared without
  std::vector<float> examples_;  // values_ without it
  bool centred_;
};

class WordCountComparer : public Comparer {
 public:
  explicit WordCountComparer(const std::vector<Text>& examples) : examples_(counts(examples)) {}

  std::vector<std::vector<double>> to_examples(const std::vector<Text>& texts) const override {
    std::vector<std::vector<double>> cosines;
    for (const CountVector& text : counts(texts)) cosines.push_back(compare(text));
    return cosines;
  }
  std::vector<double> to_others(std::size_t example) const override {
    return compare(examples_[example]);
  }
  bool has_vector(std::size_t example) const override { return !examples_[example].empty(); }

 private:
  static std::vector<CountVector> counts(const std::vector<Text>& texts) {
    std::vector<CountVector> counts;
    for (const Text& text : texts) counts.push_back(count_words(text.bytes));
    return counts;
  }
  std::vector<double> compare(const CountVector& text) const {
    std::vector<double> cosines;
    for (const CountVector& example : examples_) cosines.push_back(count_cosine(text, example));
    return cosines;
  }

  std::vector<CountVector> examples_;
};

// One text's labels with their scores.
struct Verdict {
  // Whether any example has something in common with the text. One without tokens, or without a
  // word of the examples, is equally far from all of them: no label would be more than chance.
  bool labelled = false;
  std::size_t label = 0;  // the best; of equal scores the label that came first in the examples
  std::size_t nearest = 0;
  std::vector<double> scores;  // per label
};

class Classify : public Command {
 public:
  CommandInfo info() const override {
    return {"classify", "labels of texts by the cosine to labelled examples", "[TEXT...]",
            "  glassgpt classify --examples topics.jsonl \"The bank lent him the money.\"\n"
            "  glassgpt classify --examples topics.tsv --count-vectors --json --input texts.txt\n"
            "  glassgpt classify --examples topics.jsonl --leave-one-out --layer 3 --center\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--examples", examples_,
                   "labelled texts: .jsonl with {\"label\":…, \"text\":…} a line, else LABEL, a "
                   "tab, the text")
        ->required()
        ->check(not_empty())
        ->type_name("FILE");
    app.add_option("--by", by_,
                   "a label's score: its nearest example's cosine, or the mean over its examples")
        ->check(one_of({"nearest", "mean"}))
        ->capture_default_str();
    app.add_flag("--count-vectors", count_vectors_,
                 "bags of words (UAX 29, case-folded) instead of the model's vectors");
    app.add_option("--layer", layer_, "which layer's vectors: 0 .. L, -1, final")
        ->type_name("K")
        ->capture_default_str();
    app.add_option("--pool", pool_, "how a text's token vectors become one")
        ->check(one_of({"mean", "last", "first", "max", "weighted-mean"}))
        ->capture_default_str();
    app.add_flag("--center", center_, "subtract the mean of the examples' vectors");
    app.add_flag("--leave-one-out", leave_one_out_,
                 "no texts: each example is labelled by the others; tells how many rightly");
    app.add_option("--truncate", truncate_, "a text longer than the context")
        ->check(one_of({"error", "left", "right", "window"}))
        ->capture_default_str();
    text_.add_to(app);
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (leave_one_out_ && (!arguments.empty() || !text_.input.empty())) {
      throw UsageError("--leave-one-out takes no texts");
    }
    if (count_vectors_ && (center_ || layer_ != "final" || pool_ != "mean")) {
      throw UsageError(
          "--layer, --pool and --center are about the model's vectors, not about "
          "--count-vectors");
    }
    const Examples examples = read_examples(examples_);
    Output output;
    if (leave_one_out_) {
      const auto comparer = make_comparer(common, examples);
      output.write(judge_examples(common, examples, *comparer));
    } else {
      TextSource source(text_, arguments, common.after_separator);
      const auto comparer = make_comparer(common, examples);
      std::vector<Text> texts;
      while (read_group(source, texts)) {
        judge_texts(common, examples, texts, *comparer, output);
        output.flush();
      }
    }
    output.finish();
  }

 private:
  // Texts that are compared together: enough for a pass or two.
  static bool read_group(TextSource& source, std::vector<Text>& texts) {
    constexpr std::size_t kMostTexts = 256, kEnoughBytes = std::size_t{1} << 16;
    texts.clear();
    std::size_t bytes = 0;
    for (Text text; texts.size() < kMostTexts && bytes < kEnoughBytes && source.next(text);) {
      bytes += text.bytes.size();
      texts.push_back(std::move(text));
    }
    return !texts.empty();
  }

  std::unique_ptr<Comparer> make_comparer(const CommonOptions& common,
                                          const Examples& examples) const {
    std::unique_ptr<Comparer> comparer;
    if (count_vectors_) {
      comparer = std::make_unique<WordCountComparer>(examples.texts);
    } else {
      TextVectorOptions options;
      options.pooling = pooling_of(pool_);
      options.texts.special = tokenizer_.special_tokens();
      options.texts.truncation = truncation_of(truncate_);
      options.forward = common.forward();
      comparer = std::make_unique<ModelComparer>(common, tokenizer_, layer_, std::move(options),
                                                 examples.texts, center_);
    }
    tell_of_empty(examples, *comparer);
    return comparer;
  }

  void tell_of_empty(const Examples& examples, const Comparer& comparer) const {
    std::size_t empty = 0, first = 0;
    for (std::size_t e = examples.texts.size(); e-- > 0;) {
      if (comparer.has_vector(e)) continue;
      ++empty;
      first = e;
    }
    if (empty == 0) return;
    const char* parts = count_vectors_ ? "words" : "tokens";
    if (empty == examples.texts.size()) {
      throw Error(ErrorCode::kMalformed, examples_, fmt::format("no example has any {}", parts),
                  "give one labelled text at least");
    }
    warn(fmt::format("{}: has no {}; {} not counted", examples.texts[first].where, parts,
                     empty == 1 ? "it is" : counted(empty, "such example") + " are"));
  }

  static constexpr double kNoScore = -2;  // of a label without an example; less than any cosine
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  // By the cosines to the examples that have a vector, of which `left_out` does not count.
  Verdict judge(const Examples& examples, const Comparer& comparer,
                const std::vector<double>& cosines, std::size_t left_out) const {
    const std::size_t labels = examples.labels.size();
    std::vector<double> best(labels, kNoScore), sum(labels, 0), count(labels, 0);
    std::vector<std::size_t> nearest(labels, 0);
    Verdict verdict;
    for (std::size_t e = 0; e < examples.texts.size(); ++e) {
      if (e == left_out || !comparer.has_vector(e)) continue;
      const std::size_t label = examples.label[e];
      verdict.labelled |= cosines[e] != 0;
      sum[label] += cosines[e];
      ++count[label];
      if (cosines[e] > best[label]) {
        best[label] = cosines[e];
        nearest[label] = e;
      }
    }
    for (std::size_t label = 0; label < labels; ++label) {
      verdict.scores.push_back(count[label] == 0 ? kNoScore
                               : by_ == "mean"   ? sum[label] / count[label]
                                                 : best[label]);
      if (verdict.scores[label] > verdict.scores[verdict.label]) verdict.label = label;
    }
    verdict.nearest = nearest[verdict.label];
    return verdict;
  }

  void judge_texts(const CommonOptions& common, const Examples& examples,
                   const std::vector<Text>& texts, const Comparer& comparer, Output& output) const {
    const std::vector<std::vector<double>> cosines = comparer.to_examples(texts);
    for (std::size_t t = 0; t < texts.size(); ++t) {
      const Verdict verdict = judge(examples, comparer, cosines[t], kNone);
      output.write(common.json ? json_line(texts[t], examples, verdict, cosines[t])
                               : line(texts[t], examples, verdict));
    }
  }

  std::string judge_examples(const CommonOptions& common, const Examples& examples,
                             const Comparer& comparer) const {
    std::size_t right = 0;
    for (std::size_t e = 0; e < examples.texts.size(); ++e) {
      const Verdict verdict = judge(examples, comparer, comparer.to_others(e), e);
      right += verdict.labelled && verdict.label == examples.label[e] ? 1 : 0;
    }
    const double share = static_cast<double>(right) / static_cast<double>(examples.texts.size());
    if (common.json) {
      return fmt::format(R"({{"examples":{},"labels":{},"right":{},"accuracy":{}}})"
                         "\n",
                         examples.texts.size(), examples.labels.size(), right, json_number(share));
    }
    return fmt::format("{} of {} examples get their own label from the others ({:.1f}%)\n", right,
                       examples.texts.size(), 100 * share);
  }

  static std::string line(const Text& text, const Examples& examples, const Verdict& verdict) {
    return fmt::format("{}  {:.3f}  {}\n",
                       verdict.labelled ? examples.labels[verdict.label] : "(no label)",
                       verdict.scores[verdict.label], readable_excerpt(text.bytes, 60));
  }

  static std::string json_line(const Text& text, const Examples& examples, const Verdict& verdict,
                               const std::vector<double>& cosines) {
    std::string scores;
    for (std::size_t label = 0; label < examples.labels.size(); ++label) {
      scores += fmt::format(
          "{}{}:{}", label == 0 ? "" : ",", json_string(examples.labels[label]),
          verdict.scores[label] == kNoScore ? "null" : json_number(verdict.scores[label]));
    }
    const std::string nearest = fmt::format(R"({{"text":{},"cosine":{}}})",
                                            json_string(examples.texts[verdict.nearest].bytes),
                                            json_number(cosines[verdict.nearest]));
    return fmt::format(
        R"({{"id":{},"label":{},"score":{},"scores":{{{}}},"nearest":{}}})"
        "\n",
        text.id, verdict.labelled ? json_string(examples.labels[verdict.label]) : "null",
        json_number(verdict.scores[verdict.label]), scores, verdict.labelled ? nearest : "null");
  }

  std::string examples_, by_ = "nearest", layer_ = "final", pool_ = "mean", truncate_ = "error";
  bool count_vectors_ = false, center_ = false, leave_one_out_ = false;
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_classify() { return std::make_unique<Classify>(); }

}  // namespace glassgpt::cli
