// glassgpt detokenize: ids to the exact bytes.
#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/text_source.h"

namespace glassgpt::cli {
namespace {

bool is_separator(char c) {
  return c == ' ' || c == ',' || c == '[' || c == ']' || c == '\t' || c == '\r' || c == '\n';
}

// "15496 995", "15496,995" and "[15496, 995]" alike.
std::vector<TokenId> parse_ids(std::string_view text, const std::string& where) {
  std::vector<TokenId> ids;
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_separator(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !is_separator(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    TokenId id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc{} || stop != word.data() + word.size()) {
      throw std::invalid_argument(fmt::format("{}: expected token ids from 0 to {}, got {}", where,
                                              std::numeric_limits<TokenId>::max(),
                                              json_string(word.substr(0, 40))));
    }
    ids.push_back(id);
    at = end;
  }
  return ids;
}

class Detokenize : public Command {
 public:
  CommandInfo info() const override {
    return {"detokenize", "ids to the exact bytes", "[ID...]",
            "  glassgpt detokenize 464 3797 3332\n"
            "  glassgpt tokenize --ids \"猫坐下了。\" | glassgpt detokenize\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option(
           "-i,--input", input_,
           "ids from a file, a text a line (its bytes are followed by a line end, except the "
           "last); - is standard input")
        ->type_name("FILE");
    app.add_option("-o,--output", output_, "write there instead of to standard output")
        ->type_name("FILE");
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    const bool from_arguments = !arguments.empty() && (common.after_separator ||
                                                       arguments != std::vector<std::string>{"-"});
    if (from_arguments && !input_.empty()) {
      throw UsageError("ids come as arguments or from --input, not both");
    }
    const Tokenizer tokenizer = tokenizer_.load(common);
    Output output(output_);
    if (from_arguments) {
      write(output, common.json, tokenizer,
            parse_ids(fmt::format("{}", fmt::join(arguments, " ")), "ids"));
    } else {
      decode_lines(output, common.json, tokenizer, arguments);
    }
    output.finish();
  }

 private:
  void decode_lines(Output& output, bool json, const Tokenizer& tokenizer,
                    const std::vector<std::string>& arguments) const {
    TextOptions lines;
    lines.input = input_;
    lines.format = "lines";
    TextSource source(lines, arguments, false);
    Text line;
    for (bool first = true; source.next(line); first = false) {
      if (!first && !json) output.write("\n");
      write(output, json, tokenizer, parse_ids(line.bytes, line.where));
    }
  }

  static void write(Output& output, bool json, const Tokenizer& tokenizer,
                    const std::vector<TokenId>& ids) {
    const std::string bytes = tokenizer.decode(ids);
    output.write(json ? fmt::format("{{\"text\":{}}}\n", json_string(bytes)) : bytes);
  }

  std::string input_, output_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_detokenize() { return std::make_unique<Detokenize>(); }

}  // namespace glassgpt::cli
