// glassgpt classify: labels texts by the cosine of their vectors to labelled examples.
#include <fmt/format.h>

#include <algorithm>

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
  for (std::size_t at = 0, end = 0; at < bytes.size(); at = end + 1) {
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

// Vectors of texts, whichever kind they are of: what is compared.
class Vectors {
 public:
  virtual ~Vectors() = default;
  // 0 for a text without tokens or words.
  virtual double cosine(std::size_t a, std::size_t b) const = 0;
};

class ModelVectors : public Vectors {
 public:
  // Minus the mean of the first `examples` texts' vectors, if `centred`.
  ModelVectors(const TextVectors& vectors, std::size_t texts, std::size_t examples, bool centred)
      : cols_(vectors.cols), values_(texts * vectors.cols, 0.0F) {
    std::vector<double> mean(cols_, 0.0);
    double count = 0;
    for (std::size_t r = 0; r < vectors.text_of.size() && centred; ++r) {
      if (vectors.text_of[r] >= examples) break;
      ++count;
      for (std::size_t c = 0; c < cols_; ++c) {
        mean[c] += static_cast<double>(vectors.values[r * cols_ + c]);
      }
    }
    for (std::size_t r = 0; r < vectors.text_of.size(); ++r) {
      for (std::size_t c = 0; c < cols_; ++c) {
        const double middle = count > 0 ? mean[c] / count : 0.0;
        values_[vectors.text_of[r] * cols_ + c] =
            static_cast<float>(static_cast<double>(vectors.values[r * cols_ + c]) - middle);
      }
    }
  }
  double cosine(std::size_t a, std::size_t b) const override {
    return exact_cosine(values_.data() + a * cols_, values_.data() + b * cols_, cols_);
  }

 private:
  std::size_t cols_;
  std::vector<float> values_;
};

class WordCounts : public Vectors {
 public:
  explicit WordCounts(const std::vector<Text>& texts) {
    for (const Text& text : texts) counts_.push_back(count_words(text.bytes));
  }
  double cosine(std::size_t a, std::size_t b) const override {
    return count_cosine(counts_[a], counts_[b]);
  }

 private:
  std::vector<CountVector> counts_;
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
    std::vector<Text> texts = examples.texts;
    if (!leave_one_out_) {
      TextSource source(text_, arguments, common.after_separator);
      for (Text text; source.next(text);) texts.push_back(text);
    }
    const auto vectors = make_vectors(common, texts, examples.texts.size());
    Output output;
    if (leave_one_out_) {
      output.write(judge_examples(common, examples, *vectors));
    } else {
      for (std::size_t t = examples.texts.size(); t < texts.size(); ++t) {
        const Verdict verdict = judge(examples, *vectors, t);
        output.write(common.json ? json_line(texts[t], examples, verdict, *vectors, t)
                                 : line(texts[t], examples, verdict));
      }
    }
    output.finish();
  }

 private:
  std::unique_ptr<Vectors> make_vectors(const CommonOptions& common, const std::vector<Text>& texts,
                                        std::size_t examples) const {
    if (count_vectors_) return std::make_unique<WordCounts>(texts);
    const auto directory = model_directory(common);
    const Model model = Model::load(directory);
    const Tokenizer tokenizer = tokenizer_.load(common);
    check_tokenizer_fits(tokenizer, model, directory);
    std::vector<VectorKind> kinds;
    try {
      kinds = parse_layers(model.config(), layer_);
    } catch (const std::invalid_argument& error) {
      throw UsageError(error.what());
    }
    if (kinds.size() != 1) throw UsageError("--layer takes one layer, got " + layer_);
    TextVectorOptions options;
    options.pooling = pooling_of(pool_);
    options.texts.special = tokenizer_.special_tokens();
    options.texts.truncation = truncation_of(truncate_);
    options.forward = common.forward();
    return std::make_unique<ModelVectors>(text_vectors(model, tokenizer, kinds[0], texts, options),
                                          texts.size(), examples, center_);
  }

  // Examples come first among the vectors; text t itself is no example for itself.
  Verdict judge(const Examples& examples, const Vectors& vectors, std::size_t t) const {
    const std::size_t labels = examples.labels.size();
    std::vector<double> best(labels, -2), sum(labels, 0), count(labels, 0);
    std::vector<std::size_t> nearest(labels, 0);
    Verdict verdict;
    for (std::size_t e = 0; e < examples.texts.size(); ++e) {
      if (e == t) continue;
      const std::size_t label = examples.label[e];
      const double cosine = vectors.cosine(t, e);
      verdict.labelled |= cosine != 0;
      sum[label] += cosine;
      ++count[label];
      if (cosine > best[label]) {
        best[label] = cosine;
        nearest[label] = e;
      }
    }
    for (std::size_t label = 0; label < labels; ++label) {
      verdict.scores.push_back(count[label] == 0 ? -2
                               : by_ == "mean"   ? sum[label] / count[label]
                                                 : best[label]);
      if (verdict.scores[label] > verdict.scores[verdict.label]) verdict.label = label;
    }
    verdict.nearest = nearest[verdict.label];
    return verdict;
  }

  std::string judge_examples(const CommonOptions& common, const Examples& examples,
                             const Vectors& vectors) const {
    std::size_t right = 0;
    for (std::size_t e = 0; e < examples.texts.size(); ++e) {
      const Verdict verdict = judge(examples, vectors, e);
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
                               const Vectors& vectors, std::size_t t) {
    std::string scores;
    for (std::size_t label = 0; label < examples.labels.size(); ++label) {
      scores += fmt::format("{}{}:{}", label == 0 ? "" : ",", json_string(examples.labels[label]),
                            json_number(verdict.scores[label]));
    }
    const std::string nearest = fmt::format(R"({{"text":{},"cosine":{}}})",
                                            json_string(examples.texts[verdict.nearest].bytes),
                                            json_number(vectors.cosine(t, verdict.nearest)));
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
