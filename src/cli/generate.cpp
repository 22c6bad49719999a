// glassgpt generate: continues a text, token by token, with a key-value cache.
#include "glassgpt/generate.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/text_source.h"
#include "cli/utf8.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

constexpr const char* kEndOfText = "<|endoftext|>";

// Hands out text as soon as it is whole: a token may end inside a character.
class Stream {
 public:
  explicit Stream(Output& output) : output_(output) {}

  void add(std::string_view bytes) {
    pending_ += bytes;
    hand_out(complete_utf8_prefix(pending_));
  }
  // What never became whole is shown as it is.
  void end() {
    pending_ += '\n';
    hand_out(pending_.size());
  }

 private:
  void hand_out(std::size_t ready) {
    output_.write(std::string_view(pending_).substr(0, ready));
    output_.flush();
    pending_.erase(0, ready);
  }

  Output& output_;
  std::string pending_;
};

class Generate : public Command {
 public:
  CommandInfo info() const override {
    return {"generate", "continue a text, token by token", "[TEXT]",
            "  glassgpt generate \"The river\"\n"
            "  glassgpt generate --max-tokens 100 --temperature 0.7 --seed 3 \"猫坐在\"\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--max-tokens", options_.max_tokens, "stop after so many")
        ->check(CLI::Range(0, 1 << 30).description(""))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--temperature", options_.temperature, "0: always the likeliest token")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("X")
        ->capture_default_str();
    app.add_option("--top-k", options_.top_k, "draw among the k likeliest; 0: all")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("K")
        ->capture_default_str();
    app.add_option("--top-p", options_.top_p,
                   "draw among the likeliest that together have this probability")
        ->check(CLI::Range(0.0, 1.0).description(""))
        ->type_name("P")
        ->capture_default_str();
    app.add_option("--seed", options_.seed, "same seed, same text")
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
    options_.forward = common.forward();
    options_.id_limit = tokenizer.vocab_size();  // rows of padding have ids without bytes
    options_.stop_token = tokenizer.special_id(kEndOfText);
    Output output;
    Text text;
    while (source.next(text)) continue_text(common, model, tokenizer, text, output);
    output.finish();
  }

 private:
  std::vector<TokenId> encode_prompt(const Model& model, const Tokenizer& tokenizer,
                                     const Text& text) const {
    std::vector<TokenId> ids =
        encode_text(tokenizer, text.bytes, tokenizer_.special_tokens(), text.where);
    if (ids.empty()) {
      // The model has seen what follows this token: beginnings.
      if (!options_.stop_token) {
        throw Error(ErrorCode::kMalformed, text.where, "an empty text has nothing to continue",
                    "give at least one character");
      }
      ids.push_back(*options_.stop_token);
    }
    check_context(ids.size(), model, text.where, "shorten it");
    return ids;
  }

  void continue_text(const CommonOptions& common, const Model& model, const Tokenizer& tokenizer,
                     const Text& text, Output& output) const {
    const std::vector<TokenId> prompt = encode_prompt(model, tokenizer, text);
    Stream stream(output);
    if (!common.json) stream.add(text.bytes);
    const double start = seconds_now();
    const std::vector<TokenId> made = generate(model, prompt, options_, [&](TokenId id) {
      throw_if_interrupted();
      if (!common.json) stream.add(tokenizer.token_bytes(id));
      return true;
    });
    if (common.json) {
      output.write(json_line(tokenizer, text, prompt, made));
      return;
    }
    stream.end();
    const double seconds = std::max(1e-9, seconds_now() - start);
    Progress(common.quiet)
        .line(fmt::format("{} in {:.2f} s, {} tokens/s", counted(made.size(), "token"), seconds,
                          short_count(static_cast<double>(made.size()) / seconds)));
  }

  std::string json_line(const Tokenizer& tokenizer, const Text& text,
                        const std::vector<TokenId>& prompt,
                        const std::vector<TokenId>& made) const {
    const bool stopped = made.size() < options_.max_tokens;
    return fmt::format(
        R"({{"id":{},"prompt":{},"prompt_ids":[{}],"ids":[{}],"text":{},"stop":"{}"}})"
        "\n",
        text.id, json_string(text.bytes), fmt::join(prompt, ","), fmt::join(made, ","),
        json_string(tokenizer.decode(made)), stopped ? "end_of_text" : "max_tokens");
  }

  GenerateOptions options_{.temperature = 0.8f, .top_k = 50};
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_generate() { return std::make_unique<Generate>(); }

}  // namespace glassgpt::cli
