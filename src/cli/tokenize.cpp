// glassgpt tokenize: text to tokens, with ids and offsets, or the merges one by one.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/text_source.h"

namespace glassgpt::cli {
namespace {

using enum Table::Align;

std::string ids_line(const std::vector<TokenId>& ids) {
  return fmt::format("{}\n", fmt::join(ids, " "));
}

std::string json_line(const Tokenizer& tokenizer, const Encoding& encoding) {
  std::string line = fmt::format("{{\"ids\":[{}],\"tokens\":[", fmt::join(encoding.ids, ","));
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    if (i > 0) line += ',';
    append_json_string(line, tokenizer.token_bytes(encoding.ids[i]));
  }
  std::string bytes, chars;
  for (const TokenSpan& span : encoding.spans) {
    const char* comma = bytes.empty() ? "" : ",";
    bytes += fmt::format("{}[{},{}]", comma, span.byte_begin, span.byte_end);
    chars += fmt::format("{}[{},{}]", comma, span.char_begin, span.char_end);
  }
  return line + fmt::format("],\"bytes\":[{}],\"chars\":[{}]}}\n", bytes, chars);
}

std::string token_table(const Tokenizer& tokenizer, const Text& text, const Encoding& encoding) {
  Table table({kRight, kLeft, kRight, kRight, kRight});
  table.add_row({"#", "token", "id", "bytes", "characters"});
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const TokenSpan& span = encoding.spans[i];
    table.add_row({fmt::format("{}", i), readable_token(tokenizer.token_bytes(encoding.ids[i])),
                   fmt::format("{}", encoding.ids[i]),
                   fmt::format("{}..{}", span.byte_begin, span.byte_end),
                   fmt::format("{}..{}", span.char_begin, span.char_end)});
  }
  return fmt::format("{}: {}, {}\n", text.where, counted(encoding.ids.size(), "token"),
                     counted(text.bytes.size(), "byte")) +
         table.to_string("  ");
}

std::string joined(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  std::string line;
  for (const TokenId id : tokens) {
    if (!line.empty()) line += ' ';
    line += readable_token(tokenizer.token_bytes(id));
  }
  return line;
}

// The tokens of the single bytes that a piece begins with.
std::vector<TokenId> byte_tokens(const Tokenizer& tokenizer, std::string_view piece) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (const auto id = tokenizer.id_of(piece.substr(i, 1))) tokens.push_back(*id);
  }
  return tokens;
}

// The list of tokens after each merge of each piece.
std::string merge_replay(const Tokenizer& tokenizer, const Text& text) {
  std::string out = fmt::format("{}\n", text.where);
  for (const std::string_view piece : tokenizer.split(text.bytes)) {
    std::vector<TokenId> tokens = byte_tokens(tokenizer, piece);
    Table table({kRight, kRight, kLeft});
    table.add_row({"step", "rank", "tokens"});
    table.add_row({"0", "", joined(tokenizer, tokens)});
    std::size_t number = 0;
    for (const MergeStep& step : tokenizer.merge_steps(piece)) {
      const auto at = tokens.begin() + static_cast<std::ptrdiff_t>(step.position);
      *at = step.merged;
      tokens.erase(at + 1);
      table.add_row(
          {fmt::format("{}", ++number), fmt::format("{}", step.rank), joined(tokenizer, tokens)});
    }
    out += fmt::format("  piece {}\n", readable_token(piece)) + table.to_string("    ");
  }
  return out;
}

std::string merge_json(const Tokenizer& tokenizer, const Text& text) {
  std::string line = "{\"pieces\":[";
  bool first_piece = true;
  for (const std::string_view piece : tokenizer.split(text.bytes)) {
    const auto begin = static_cast<std::size_t>(piece.data() - text.bytes.data());
    line += fmt::format("{}{{\"piece\":", first_piece ? "" : ",");
    first_piece = false;
    append_json_string(line, piece);
    line += fmt::format(",\"bytes\":[{},{}],\"start\":[{}],\"steps\":[", begin,
                        begin + piece.size(), fmt::join(byte_tokens(tokenizer, piece), ","));
    bool first_step = true;
    for (const MergeStep& step : tokenizer.merge_steps(piece)) {
      line += fmt::format(
          R"({}{{"position":{},"left":{},"right":{},"merged":{},"rank":{},"token":)",
          first_step ? "" : ",", step.position, step.left, step.right, step.merged, step.rank);
      first_step = false;
      append_json_string(line, tokenizer.token_bytes(step.merged));
      line += '}';
    }
    line += "]}";
  }
  return line + "]}\n";
}

class Tokenize : public Command {
 public:
  CommandInfo info() const override {
    return {
        "tokenize", "text to tokens, with ids and offsets", "[TEXT...]",
        "  glassgpt tokenize \"The cat sat.\" \"猫坐下了。\"\n"
        "  glassgpt tokenize --json --input texts.jsonl\n"
        "  glassgpt tokenize --merges \"unbelievable\"\n"
        "  glassgpt tokenize --tokenizer cl100k_base.tiktoken --pattern cl100k --ids - < a.txt\n"};
  }

  void add_options(CLI::App& app) override {
    auto* ids = app.add_flag("--ids", ids_, "ids alone, a line per text");
    app.add_flag("--merges", merges_,
                 "replay the merges of each piece, step by step, with their rank")
        ->excludes(ids);
    app.add_option("-o,--output", output_, "write there instead of to standard output")
        ->type_name("FILE");
    text_.add_to(app);
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (ids_ && common.json) throw UsageError("--ids and --json exclude each other");
    TextSource source(text_, arguments, common.after_separator);
    const Tokenizer tokenizer = tokenizer_.load(common);
    Output output(output_);
    Text text;
    while (source.next(text)) {
      if (merges_) {
        output.write(common.json ? merge_json(tokenizer, text) : merge_replay(tokenizer, text));
      } else if (ids_) {
        output.write(
            ids_line(encode_text(tokenizer, text.bytes, tokenizer_.special_tokens(), text.where)));
      } else {
        const Encoding encoding =
            encode_text_with_spans(tokenizer, text.bytes, tokenizer_.special_tokens(), text.where);
        output.write(common.json ? json_line(tokenizer, encoding)
                                 : token_table(tokenizer, text, encoding));
      }
    }
    output.finish();
  }

 private:
  bool ids_ = false, merges_ = false;
  std::string output_;
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_tokenize() { return std::make_unique<Tokenize>(); }

}  // namespace glassgpt::cli
