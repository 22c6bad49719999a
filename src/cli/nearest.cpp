// glassgpt nearest: the tokens whose rows of the embedding table point the same way as a query's.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/json_text.h"
#include "cli/layer_vectors.h"
#include "cli/neighbours.h"
#include "cli/output.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

class Nearest : public Command {
 public:
  CommandInfo info() const override {
    return {"nearest", "nearest tokens of the embedding table to a word", "QUERY...",
            "  glassgpt nearest \" river\" 北京\n"
            "  glassgpt nearest --top 5 --json \" king\"\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--top", top_, "how many")
        ->check(CLI::Range(1, 1 << 20).description(""))
        ->type_name("K")
        ->capture_default_str();
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (arguments.empty()) throw UsageError("no query given");
    const auto directory = model_directory(common);
    const Model model = Model::load(directory);
    const Tokenizer tokenizer = tokenizer_.load(common);
    check_tokenizer_fits(tokenizer, model, directory);
    Output output;
    for (const std::string& query : arguments) {
      const std::vector<TokenId> ids = tokenizer.encode(query, tokenizer_.special_tokens());
      if (ids.empty()) {
        throw Error(ErrorCode::kOutOfRange, "", "the query has no tokens", "it is empty");
      }
      const std::vector<Neighbour> found = nearest_tokens(model, tokenizer, ids, top_);
      output.write(common.json ? json_line(tokenizer, query, ids, found)
                               : table(tokenizer, ids, found));
    }
    output.finish();
  }

 private:
  static std::string table(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                           const std::vector<Neighbour>& found) {
    std::string text;
    for (const TokenId id : ids) {
      text += (text.empty() ? "" : " ") + readable_token(tokenizer.token_bytes(id));
    }
    using enum Table::Align;
    Table table({kLeft, kRight, kRight, kRight});
    table.add_row({"token", "id", "cosine", "angle"});
    for (const Neighbour& neighbour : found) {
      table.add_row(
          {readable_token(tokenizer.token_bytes(neighbour.id)), std::to_string(neighbour.id),
           fmt::format("{:.3f}", neighbour.cosine),
           fmt::format("{:.1f}°", angle_in_degrees(static_cast<double>(neighbour.cosine)))});
    }
    return text + "\n" + table.to_string("  ");
  }

  static std::string json_line(const Tokenizer& tokenizer, const std::string& query,
                               const std::vector<TokenId>& ids,
                               const std::vector<Neighbour>& found) {
    std::string list;
    for (const Neighbour& neighbour : found) {
      list += fmt::format(R"({}{{"id":{},"token":{},"cosine":)", list.empty() ? "" : ",",
                          neighbour.id, json_string(tokenizer.token_bytes(neighbour.id)));
      append_json_float(list, neighbour.cosine);
      list += "}";
    }
    return fmt::format(R"({{"query":{},"ids":[{}],"nearest":[{}]}})"
                       "\n",
                       json_string(query), fmt::join(ids, ","), list);
  }

  std::size_t top_ = 10;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_nearest() { return std::make_unique<Nearest>(); }

}  // namespace glassgpt::cli
