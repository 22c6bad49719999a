// glassgpt evaluate: how well a model predicts texts.
#include "glassgpt/evaluate.h"

#include <fmt/format.h>

#include <cmath>

#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/text_source.h"

namespace glassgpt::cli {
namespace {

// Texts are evaluated in groups of about this many bytes: memory does not grow with the file.
constexpr std::size_t kGroupBytes = std::size_t{1} << 20;

class Evaluate : public Command {
 public:
  CommandInfo info() const override {
    return {"evaluate", "mean loss of texts, in nats per token and bits per byte", "[TEXT...]",
            "  glassgpt evaluate --input held-out.txt\n"
            "  glassgpt evaluate --json -m my-model \"A text to predict.\"\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--batch-tokens", options_.batch_tokens,
                   "tokens per forward pass: memory and speed, not the result")
        ->check(CLI::Range(1, 1 << 30).description(""))
        ->type_name("N")
        ->capture_default_str();
    text_.add_to(app);
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    TextSource source(text_, arguments, common.after_separator);
    const auto directory = model_directory(common);
    const Model model = Model::load(directory);
    const Tokenizer tokenizer = tokenizer_.load(common);
    check_tokenizer_fits(tokenizer, model, directory);
    options_.threads = common.threads;
    options_.gemm = common.gemm_choice();
    options_.compute = common.compute_type();
    options_.special = tokenizer_.special_tokens();

    Progress progress(common.quiet);
    EvaluationResult sum;
    std::size_t texts = 0;
    const double start = seconds_now();
    options_.progress = [&](std::size_t done, std::size_t) {
      throw_if_interrupted();
      show(progress, source, static_cast<double>(sum.tokens + done), seconds_now() - start);
    };
    std::vector<Text> group;
    while (read_group(source, group)) {
      std::vector<std::string_view> views;
      for (const Text& text : group) {
        // The same refusal, but one that says where.
        if (options_.special == SpecialTokens::kError)
          encode_text(tokenizer, text.bytes, options_.special, text.where);
        views.emplace_back(text.bytes);
      }
      const EvaluationResult part = evaluate(model, tokenizer, views, options_);
      sum.tokens += part.tokens;
      sum.bytes += part.bytes;
      sum.nats += part.nats;
      texts += group.size();
    }
    if (!std::isfinite(sum.nats)) warn("the loss is not finite: the weights are not sound");
    Output output;
    output.write(common.json ? json_line(sum) : report(sum, texts));
    output.finish();
  }

 private:
  static bool read_group(TextSource& source, std::vector<Text>& group) {
    group.clear();
    std::size_t bytes = 0;
    Text text;
    while (bytes < kGroupBytes && source.next(text)) {
      bytes += text.bytes.size() + 64;
      group.push_back(std::move(text));
    }
    return !group.empty();
  }

  static void show(Progress& progress, const TextSource& source, double tokens, double seconds) {
    if (!progress.due() || seconds <= 0) return;
    std::string left;
    if (source.bytes_total() > 0 && source.bytes_read() > 0) {
      const double share =
          static_cast<double>(source.bytes_read()) / static_cast<double>(source.bytes_total());
      left = fmt::format(", about {} left", clock_time(seconds * (1 - share) / share));
    }
    progress.update(fmt::format("evaluating: {} tokens, {} tokens/s{}", short_count(tokens),
                                short_count(tokens / seconds), left));
  }

  static std::string json_line(const EvaluationResult& result) {
    return fmt::format(
        "{{\"tokens\":{},\"bytes\":{},\"nats_per_token\":{},\"bits_per_byte\":{}}}\n",
        result.tokens, result.bytes, json_number(result.nats_per_token()),
        json_number(result.bits_per_byte()));
  }

  static std::string report(const EvaluationResult& result, std::size_t texts) {
    return fmt::format("{}, {}, {}\n{:.4f} nats per token, {:.4f} bits per byte\n",
                       counted(texts, "text"), counted(result.tokens, "token"),
                       counted(result.bytes, "byte"), result.nats_per_token(),
                       result.bits_per_byte());
  }

  EvaluationOptions options_;
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_evaluate() { return std::make_unique<Evaluate>(); }

}  // namespace glassgpt::cli
