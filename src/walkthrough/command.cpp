// glassgpt walkthrough: one page about a text, from its bytes to contextual vectors.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/text_source.h"
#include "glassgpt/error.h"
#include "walkthrough/chapters.h"
#include "walkthrough/page.h"
#include "walkthrough/story.h"

namespace glassgpt::walkthrough {
namespace {

// Beyond, pictures of tokens by tokens have no room on a screen, and the page no end.
constexpr std::size_t kMostTokens = 256;
// A page of 64 tokens by the bundled model stays below; one of more may grow with them.
constexpr std::size_t kPageBytes = 3'000'000, kPageTokens = 64;

std::size_t page_bytes(std::size_t tokens) {
  return kPageBytes / kPageTokens * std::max(kPageTokens, tokens);
}

class Walkthrough : public cli::Command {
 public:
  cli::CommandInfo info() const override {
    return {"walkthrough", "one self-contained page about a text, from its bytes to its vectors",
            "[TEXT]",
            "  glassgpt walkthrough \"She sat on the river bank.\" -o page.html\n"
            "  glassgpt walkthrough -o page.html --word spring --contexts \"The spring was cold.\" "
            "\"It rained all spring.\" \"A spring day\"\n"
            "  glassgpt walkthrough --terminal --lang zh \"她坐在河边。\"\n"
            "  glassgpt walkthrough --json \"她坐在河边。\" > data.json\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("-o,--output", output_, "write there instead of to standard output")
        ->type_name("FILE");
    app.add_flag("--terminal", terminal_, "tell the story as text instead of writing a page");
    app.add_option("--lang", language_, "language of --terminal (default: by LANG)")
        ->check(cli::one_of({"en", "zh"}))
        ->type_name("");
    auto* contexts = app.add_option("--contexts", contexts_,
                                    "two texts with the word of --word, to compare its vectors in");
    contexts->expected(2)->allow_extra_args(false)->type_name("A B");
    auto* word = app.add_option("--word", word_, "a word for the chapter about contexts")
                     ->type_name("W")
                     ->needs(contexts);
    contexts->needs(word);
    app.add_option("--reference", reference_,
                   "text for the mean and the random pairs, as for `similar`")
        ->type_name("FILE");
    text_.add_to(app);
  }

  void run(const cli::CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (common.json && terminal_) throw cli::UsageError("--json and --terminal exclude each other");
    if (!common.json && !terminal_ && output_.empty() && ::isatty(STDOUT_FILENO) == 1) {
      throw cli::UsageError(
          "say where the page goes: -o page.html (or --terminal to read it here)");
    }
    const cli::Text text = only_text(common, arguments);
    cli::Output output(output_);
    auto directory = cli::model_directory(common);
    // "weights/mini/" is called mini too.
    if (!directory.has_filename()) directory = directory.parent_path();
    const Model model = Model::load(directory);
    const Tokenizer tokenizer = Tokenizer::load(directory);
    cli::check_tokenizer_fits(tokenizer, model, directory);
    cli::Progress progress(common.quiet);
    Subject subject{common,     directory, model, tokenizer, text.bytes, reader_contexts(),
                    reference_, progress,  {},    {}};
    subject.encoding = tokenizer.encode_with_spans(text.bytes);
    check_length(subject, text.where);
    subject.recording = record(model, subject.encoding.ids, subject.forward());
    const Document document = make_document(subject);
    if (common.json) {
      output.write(document.dump() + "\n");
    } else if (terminal_) {
      output.write(tell_story(document, language_.empty() ? language_of_environment() : language_));
    } else {
      output.write(make_page(document.dump(page_bytes(subject.tokens()) - page_overhead())));
    }
    output.finish();
  }

 private:
  cli::Text only_text(const cli::CommonOptions& common,
                      const std::vector<std::string>& arguments) const {
    cli::TextSource source(text_, arguments, common.after_separator);
    cli::Text text, another;
    if (!source.next(text) || text.bytes.empty()) {
      throw Error(ErrorCode::kOutOfRange, "", "the text is empty",
                  "a page is about a word or more");
    }
    if (source.next(another)) {
      throw Error(ErrorCode::kOutOfRange, "", "there is more than one text",
                  "a page is about one: quote it, or use --input-format whole for all lines");
    }
    return text;
  }

  static void check_length(const Subject& subject, const std::string& where) {
    cli::check_context(subject.tokens(), subject.model, where, "shorten it");
    if (subject.tokens() <= kMostTokens) return;
    throw Error(ErrorCode::kOutOfRange, where,
                fmt::format("{} tokens, {} more than the {} that a page can show", subject.tokens(),
                            subject.tokens() - kMostTokens, kMostTokens),
                "shorten it");
  }

  ReaderContexts reader_contexts() const {
    if (word_.empty()) return {};
    return {word_, contexts_[0], contexts_[1]};
  }

  std::string output_, word_, reference_, language_;
  bool terminal_ = false;
  std::vector<std::string> contexts_;
  cli::TextOptions text_;
};

}  // namespace
}  // namespace glassgpt::walkthrough

namespace glassgpt::cli {

std::unique_ptr<Command> make_walkthrough() { return std::make_unique<walkthrough::Walkthrough>(); }

}  // namespace glassgpt::cli
