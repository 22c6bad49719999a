// glassgpt similar: how alike two texts are at every layer, or one word in two contexts.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/contexts.h"
#include "cli/display.h"
#include "cli/json_text.h"
#include "cli/layer_vectors.h"
#include "cli/output.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

struct Pair {
  std::vector<std::vector<double>> a, b;  // [kinds][cols]
  std::string label_a, label_b;
};

class Similar : public Command {
 public:
  CommandInfo info() const override {
    return {"similar", "cosine and angle of two texts, or of one word in two contexts, per layer",
            "A B",
            "  glassgpt similar \" cat\" \" dog\"\n"
            "  glassgpt similar --word bank \"The boat lay on the river bank.\" \"They took money "
            "from the bank.\"\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--word", word_, "compare this word's vectors in the texts A and B")
        ->check(not_empty())
        ->type_name("W");
    app.add_option("--reference", reference_,
                   fmt::format("text for the mean and the random pairs, of which the first {} "
                               "tokens count (default: what the model itself writes, 512 tokens "
                               "from a fixed seed)",
                               kMostReferenceTokens))
        ->check(not_empty())
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
    const Reference reference = make_reference(model, tokenizer, reference_, forward_);
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
    const std::string where = fmt::format("text {}", name);
    const Encoding encoding =
        encode_text_with_spans(tokenizer, text, tokenizer_.special_tokens(), where);
    check_context(encoding.ids.size(), model, where, "shorten it");
    const TokenRange range = word_.empty() ? TokenRange{0, encoding.ids.size()}
                                           : require_word(tokenizer, encoding, text, word_, name);
    if (range.begin == range.end) {
      throw Error(ErrorCode::kOutOfRange, where, "has no tokens", "an empty text has no vector");
    }
    for (std::size_t i = range.begin; i < range.end; ++i) {
      label +=
          (i == range.begin ? "" : " ") + readable_token(tokenizer.token_bytes(encoding.ids[i]));
    }
    return mean_rows(record_layers(model, encoding.ids, forward_), range.begin, range.end);
  }

  static std::string table(const std::vector<VectorKind>& kinds, const Pair& pair,
                           const Reference& reference) {
    using enum Table::Align;
    Table table({kLeft, kRight, kRight, kRight, kRight, kRight, kRight});
    table.add_row({"layer", "cosine", "angle", "random pairs", "centred", "angle", "random pairs"});
    const std::vector<Comparison> compared = compare(pair.a, pair.b, reference);
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const auto [raw, centred] = compared[kind];
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
    return fmt::format(R"({{"a":{},"b":{},"reference_tokens":{},"layers":{}}})"
                       "\n",
                       json_string(pair.label_a), json_string(pair.label_b), reference.tokens,
                       layers_json(kinds, compare(pair.a, pair.b, reference), reference));
  }

  std::string word_, reference_;
  TokenizerOptions tokenizer_;
  ForwardOptions forward_;
};

}  // namespace

std::unique_ptr<Command> make_similar() { return std::make_unique<Similar>(); }

}  // namespace glassgpt::cli
