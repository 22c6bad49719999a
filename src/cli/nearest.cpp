// glassgpt nearest: the tokens whose rows of the embedding table point the same way as a query's.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/json_text.h"
#include "cli/layer_vectors.h"
#include "cli/output.h"
#include "glassgpt/error.h"
#include "kernels/dispatch.h"
#include "model/parts.h"

namespace glassgpt::cli {
namespace {

struct Neighbour {
  TokenId id;
  float cosine;
};

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
      const std::vector<Neighbour> found = search(model, tokenizer, ids);
      output.write(common.json ? json_line(tokenizer, query, ids, found)
                               : table(tokenizer, ids, found));
    }
    output.finish();
  }

 private:
  // Cosine with every row; the query is the mean of its tokens' rows and is not among the results.
  std::vector<Neighbour> search(const Model& model, const Tokenizer& tokenizer,
                                const std::vector<TokenId>& ids) const {
    const std::size_t width = model.config().n_embd;
    const std::size_t rows = std::min(model.config().vocab_size, tokenizer.vocab_size());
    const float* rows_begin = model.parts().tensors.token_embedding;
    std::vector<float> query(width, 0.0f);
    for (std::size_t c = 0; c < width; ++c) {
      double sum = 0;
      for (const TokenId id : ids) sum += static_cast<double>(rows_begin[id * width + c]);
      query[c] = static_cast<float>(sum / static_cast<double>(ids.size()));
    }
    std::vector<float> cosines(rows);
    kernels::active_kernels().cosine_similarity(rows, width, query.data(), rows_begin, width,
                                                cosines.data());
    std::vector<TokenId> order;
    for (TokenId id = 0; id < rows; ++id) {
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) order.push_back(id);
    }
    const std::size_t count = std::min(top_, order.size());
    // Ties go to the smaller id, so that the list does not depend on the library's sort.
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                      order.end(), [&](TokenId a, TokenId b) {
                        return cosines[a] != cosines[b] ? cosines[a] > cosines[b] : a < b;
                      });
    std::vector<Neighbour> found;
    for (std::size_t i = 0; i < count; ++i) found.push_back({order[i], cosines[order[i]]});
    return found;
  }

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
