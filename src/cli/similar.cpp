// glassgpt similar: how alike two texts are at every layer, or one word in two contexts.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/json_text.h"
#include "cli/layer_vectors.h"
#include "cli/output.h"
#include "cli/text_source.h"
#include "cli/text_vectors.h"
#include "glassgpt/error.h"
#include "glassgpt/generate.h"

namespace glassgpt::cli {
namespace {

// A GPT's vectors share a large common part, so that any two look alike (Ethayarajh 2019,
// section 4.1): a cosine means something only beside that of random pairs, and after the mean of
// many tokens is taken away.
struct Reference {
  std::vector<std::vector<double>> mean;           // [kinds][cols]
  std::vector<double> random_raw, random_centred;  // mean cosine of random pairs, per kind
  std::size_t tokens = 0;
};

constexpr std::size_t kSamples = 4, kSampleTokens = 128, kPairs = 1000;
constexpr const char* kEndOfText = "<|endoftext|>";

struct Pair {
  std::vector<std::vector<double>> a, b;  // [kinds][cols]
  std::string label_a, label_b;
};

class Similar : public Command {
 public:
  CommandInfo info() const override {
    return {
        "similar", "cosine and angle of two texts, or of one word in two contexts, per layer",
        "A B",
        "  glassgpt similar cat dog\n"
        "  glassgpt similar --word bank \"He sat on the bank of the river.\" \"The bank lent him "
        "money.\"\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--word", word_, "compare this word's vectors in the texts A and B")
        ->type_name("W");
    app.add_option("--reference", reference_,
                   "text for the mean and the random pairs (default: what the model itself writes, "
                   "512 tokens from a fixed seed)")
        ->type_name("FILE");
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (arguments.size() != 2) {
      throw UsageError(fmt::format("expected two texts A and B, got {}", arguments.size()));
    }
    const auto directory = model_directory(common);
    const Model model = Model::load(directory);
    const Tokenizer tokenizer = tokenizer_.load(common);
    check_tokenizer_fits(tokenizer, model, directory);
    forward_ = common.forward();

    Pair pair;
    pair.a = vectors_of(model, tokenizer, arguments[0], "A", pair.label_a);
    pair.b = vectors_of(model, tokenizer, arguments[1], "B", pair.label_b);
    const Reference reference = make_reference(model, tokenizer);
    const auto kinds = parse_layers(model.config(), "all");
    Output output;
    output.write(common.json ? json_line(kinds, pair, reference) : table(kinds, pair, reference));
    output.finish();
  }

 private:
  // The mean over the text's tokens, or over those of the first occurrence of --word:
  // as a whole word if there is one, else as a part of one.
  std::vector<std::vector<double>> vectors_of(const Model& model, const Tokenizer& tokenizer,
                                              const std::string& text, const char* name,
                                              std::string& label) const {
    const Encoding encoding = tokenizer.encode_with_spans(text, tokenizer_.special_tokens());
    std::size_t begin = 0, end = encoding.ids.size();
    if (!word_.empty()) {
      const TokenRange word = tokens_of_word(text, encoding, word_);
      if (word.begin == word.end) {
        throw Error(ErrorCode::kNotFound, "",
                    fmt::format("the word '{}' is not in text {}", word_, name),
                    "upper and lower case count");
      }
      begin = word.begin;
      end = word.end;
    }
    if (begin == end) {
      throw Error(ErrorCode::kOutOfRange, "", fmt::format("text {} has no tokens", name),
                  "an empty text has no vector");
    }
    for (std::size_t i = begin; i < end; ++i) {
      label += (i == begin ? "" : " ") + readable_token(tokenizer.token_bytes(encoding.ids[i]));
    }
    return mean_rows(record_layers(model, encoding.ids, forward_), begin, end);
  }

  std::vector<std::vector<TokenId>> reference_texts(const Model& model,
                                                    const Tokenizer& tokenizer) const {
    const std::size_t context = model.config().n_positions;
    std::vector<std::vector<TokenId>> texts;
    if (!reference_.empty()) {
      const std::vector<TokenId> ids = tokenizer.encode(read_all(reference_));
      for (std::size_t at = 0; at < ids.size() && texts.size() < 64; at += context) {
        texts.emplace_back(
            ids.begin() + static_cast<std::ptrdiff_t>(at),
            ids.begin() + static_cast<std::ptrdiff_t>(std::min(at + context, ids.size())));
      }
      return texts;
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
      options.forward = forward_;
      texts.push_back(generate(model, {&*start, 1}, options));
    }
    return texts;
  }

  Reference make_reference(const Model& model, const Tokenizer& tokenizer) const {
    LayerVectors all;
    for (const std::vector<TokenId>& ids : reference_texts(model, tokenizer)) {
      LayerVectors part = record_layers(model, ids, forward_);
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
      throw Error(ErrorCode::kMalformed, reference_, "the reference text has fewer than two tokens",
                  "take a text of some hundred tokens");
    }
    Reference reference;
    reference.tokens = all.rows;
    reference.mean = mean_rows(all, 0, all.rows);
    for (std::size_t kind = 0; kind < all.kinds.size(); ++kind) {
      random_pairs(all, kind, reference);
    }
    return reference;
  }

  static void random_pairs(const LayerVectors& all, std::size_t kind, Reference& reference) {
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

  static std::string table(const std::vector<VectorKind>& kinds, const Pair& pair,
                           const Reference& reference) {
    using enum Table::Align;
    Table table({kLeft, kRight, kRight, kRight, kRight, kRight, kRight});
    table.add_row({"layer", "cosine", "angle", "random pairs", "centred", "angle", "random pairs"});
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const double raw = centred_cosine(pair.a[kind], pair.b[kind], {});
      const double centred = centred_cosine(pair.a[kind], pair.b[kind], reference.mean[kind]);
      table.add_row({kinds[kind].key, fmt::format("{:.3f}", raw),
                     fmt::format("{:.1f}°", angle_in_degrees(raw)),
                     fmt::format("{:.3f}", reference.random_raw[kind]),
                     fmt::format("{:.3f}", centred),
                     fmt::format("{:.1f}°", angle_in_degrees(centred)),
                     fmt::format("{:.3f}", reference.random_centred[kind])});
    }
    return fmt::format("A: {}\nB: {}\n{}centred: minus the mean of {} reference tokens\n",
                       pair.label_a, pair.label_b, table.to_string(), reference.tokens);
  }

  static std::string json_line(const std::vector<VectorKind>& kinds, const Pair& pair,
                               const Reference& reference) {
    std::string layers;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const double raw = centred_cosine(pair.a[kind], pair.b[kind], {});
      const double centred = centred_cosine(pair.a[kind], pair.b[kind], reference.mean[kind]);
      layers += fmt::format(
          R"({}"{}":{{"cosine":{},"angle":{},"random_pairs":{},"centred_cosine":{},"centred_angle":{},"centred_random_pairs":{}}})",
          kind == 0 ? "" : ",", kinds[kind].key, json_number(raw),
          json_number(angle_in_degrees(raw)), json_number(reference.random_raw[kind]),
          json_number(centred), json_number(angle_in_degrees(centred)),
          json_number(reference.random_centred[kind]));
    }
    return fmt::format(R"({{"a":{},"b":{},"reference_tokens":{},"layers":{{{}}}}})"
                       "\n",
                       json_string(pair.label_a), json_string(pair.label_b), reference.tokens,
                       layers);
  }

  std::string word_, reference_;
  TokenizerOptions tokenizer_;
  ForwardOptions forward_;
};

}  // namespace

std::unique_ptr<Command> make_similar() { return std::make_unique<Similar>(); }

}  // namespace glassgpt::cli
