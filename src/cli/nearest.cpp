// glassgpt nearest: the tokens of the embedding table, or the rows of a stored embed output, that
// point the same way as a query.
#include "glassgpt/nearest.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/embed_center.h"
#include "cli/embed_journal.h"
#include "cli/json_text.h"
#include "cli/layer_vectors.h"
#include "cli/model_identity.h"
#include "cli/neighbours.h"
#include "cli/output.h"
#include "cli/stored_vectors.h"
#include "cli/text_vectors.h"
#include "glassgpt/error.h"
#include "io/npy.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

// Queries that are answered together: their results and what rows.jsonl says of them are in memory.
constexpr std::size_t kMostQueries = 1024, kMostResults = std::size_t{1} << 16;

// What is looked for: a vector each, a name for people, and a beginning for the JSON object.
struct Queries {
  std::vector<float> values;
  std::vector<std::string> titles;
  std::vector<std::string> json;          // "\"query\":\"bank\""
  std::vector<std::size_t> excluded_row;  // that is not a result; kNone: none
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void add(std::string title, std::string object, std::size_t row = kNone) {
    titles.push_back(std::move(title));
    json.push_back(std::move(object));
    excluded_row.push_back(row);
  }
};

class Nearest : public Command {
 public:
  CommandInfo info() const override {
    return {"nearest", "nearest tokens of the embedding table, or rows of a stored output",
            "QUERY...",
            "  glassgpt nearest \" river\" 北京\n"
            "  glassgpt nearest --top 5 --json \" king\"\n"
            "  glassgpt embed --unit word --layers 3 -i texts.txt -o vectors/\n"
            "  glassgpt nearest --in vectors/ --word bank \"He sat on the bank of the river.\"\n"
            "  glassgpt nearest --in vectors/ --row 17    # the neighbours of one of its rows\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--top", top_, "how many")
        ->check(CLI::Range(1, 1 << 20).description(""))
        ->type_name("K")
        ->capture_default_str();
    app.add_option("--in", in_, "search the rows of this folder, which embed -o DIR wrote")
        ->check(not_empty())
        ->type_name("DIR");
    app.add_option("--layer", layer_,
                   "of the folder: 3, final, q_02 (default: its only one, or final)")
        ->check(not_empty())
        ->type_name("NAME");
    app.add_option("--row", rows_, "the query is this row of the folder (from 0); may be repeated")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 62).description(""))
        ->allow_extra_args(false)
        ->type_name("R");
    app.add_option("--queries", queries_, "the queries are the rows of this .npy file")
        ->check(not_empty())
        ->type_name("FILE");
    app.add_option("--word", word_, "of each query text, only the tokens of this word")
        ->check(not_empty())
        ->type_name("W");
    app.add_option("--pool", pool_,
                   "how a query's tokens become one vector (default: as the folder's "
                   "rows were pooled, or mean)")
        ->check(one_of({"mean", "last", "first", "max", "weighted-mean"}));
    app.add_option("--center", center_, "the mean that embed --center subtracted from the folder")
        ->check(not_empty())
        ->type_name("FILE");
    app.add_option("--truncate", truncate_,
                   "a query text longer than the context (default: as embed did)")
        ->check(one_of({"error", "left", "right", "window"}));
    app.add_option("--stride", stride_, "tokens from window to window (default: as embed did)")
        ->check(CLI::Range(1, 1 << 30).description(""))
        ->type_name("N");
    text_.add_to(app);
    tokenizer_.add_to(app);
    special_option_ = app.get_option("--special");
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    check_options(arguments);
    if (in_.empty()) {
      search_table(common, arguments);
    } else {
      search_folder(common, arguments);
    }
  }

 private:
  void check_options(const std::vector<std::string>& arguments) const {
    const int sources = (rows_.empty() ? 0 : 1) + (queries_.empty() ? 0 : 1) +
                        (arguments.empty() && text_.input.empty() ? 0 : 1);
    if (sources == 0) throw UsageError("no query given");
    if (sources > 1)
      throw UsageError("queries come as texts, from --row, or from --queries: one of them");
    const bool folder_options = !layer_.empty() || !rows_.empty() || !queries_.empty() ||
                                !word_.empty() || !pool_.empty() || !center_.empty() ||
                                !truncate_.empty() || stride_ > 0;
    if (in_.empty() && folder_options) {
      throw UsageError(
          "--layer, --row, --queries, --word, --pool, --center, --truncate and --stride need --in "
          "DIR");
    }
  }

  std::vector<Text> read_texts(const CommonOptions& common,
                               const std::vector<std::string>& arguments) const {
    TextSource source(text_, arguments, common.after_separator);
    std::vector<Text> texts;
    for (Text text; source.next(text);) texts.push_back(text);
    return texts;
  }

  static int threads(const CommonOptions& common) {
    return common.threads > 0 ? common.threads : default_threads();
  }

  // The query is the mean of its tokens' rows; they are not among the results.
  void search_table(const CommonOptions& common, const std::vector<std::string>& arguments) const {
    const auto directory = model_directory(common);
    const Model model = Model::load(directory);
    const Tokenizer tokenizer = tokenizer_.load(common);
    check_tokenizer_fits(tokenizer, model, directory);
    Output output;
    for (const Text& text : read_texts(common, arguments)) {
      const std::vector<TokenId> ids =
          encode_text(tokenizer, text.bytes, tokenizer_.special_tokens(), text.where);
      if (ids.empty()) {
        throw Error(ErrorCode::kOutOfRange, text.where, "the query has no tokens", "it is empty");
      }
      const std::vector<Neighbour> found =
          nearest_tokens(model, tokenizer, ids, top_, threads(common));
      output.write(common.json ? tokens_json(tokenizer, text.bytes, ids, found)
                               : tokens_table(tokenizer, ids, found));
    }
    output.finish();
  }

  static std::string tokens_table(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                                  const std::vector<Neighbour>& found) {
    std::string text;
    for (const TokenId id : ids) {
      text += (text.empty() ? "" : " ") + readable_token(tokenizer.token_bytes(id));
    }
    using enum Table::Align;
    Table table({kLeft, kRight, kRight, kRight});
    table.add_row({"token", "id", "cosine", "angle"});
    for (const Neighbour& neighbour : found) {
      const auto id = static_cast<TokenId>(neighbour.row);
      table.add_row({readable_token(tokenizer.token_bytes(id)), std::to_string(id),
                     fmt::format("{:.3f}", neighbour.cosine),
                     fmt::format("{:.1f}°", angle_in_degrees(neighbour.cosine))});
    }
    return text + "\n" + table.to_string("  ");
  }

  static std::string tokens_json(const Tokenizer& tokenizer, const std::string& query,
                                 const std::vector<TokenId>& ids,
                                 const std::vector<Neighbour>& found) {
    std::string list;
    for (const Neighbour& neighbour : found) {
      const auto id = static_cast<TokenId>(neighbour.row);
      list += fmt::format(R"({}{{"id":{},"token":{},"cosine":{}}})", list.empty() ? "" : ",", id,
                          json_string(tokenizer.token_bytes(id)), json_number(neighbour.cosine));
    }
    return fmt::format(R"({{"query":{},"ids":[{}],"nearest":[{}]}})"
                       "\n",
                       json_string(query), fmt::join(ids, ","), list);
  }

  void search_folder(const CommonOptions& common, const std::vector<std::string>& arguments) const {
    const StoredVectors stored(in_, layer_);
    const Queries queries = make_queries(common, stored, arguments);
    const RowsView& rows = stored.rows();
    Progress progress(common.quiet);
    Output output;
    double seconds = 0;
    const std::size_t count = queries.titles.size();
    const std::size_t together =
        std::clamp(kMostResults / (top_ + 1), std::size_t{1}, kMostQueries);
    for (std::size_t first = 0; first < count; first += together) {
      throw_if_interrupted();
      const std::size_t part = std::min(together, count - first);
      const double start = seconds_now();
      // One more, for the row that is the query itself.
      std::vector<std::vector<Neighbour>> found =
          nearest_rows(rows, std::span(queries.values).subspan(first * rows.cols, part * rows.cols),
                       top_ + 1, threads(common));
      seconds += seconds_now() - start;
      for (std::size_t q = 0; q < part; ++q) {
        const std::size_t excluded = queries.excluded_row[first + q];
        std::erase_if(found[q], [&](const Neighbour& one) { return one.row == excluded; });
        found[q].resize(std::min(found[q].size(), top_));
      }
      write_rows(output, common, stored, queries, first, found);
    }
    output.finish();
    progress.line(fmt::format("{}: {} among {} of {} values, {:.4f} s",
                              (fs::path(in_) / stored.name()).string(),
                              fmt::format("{} {}", count, count == 1 ? "query" : "queries"),
                              counted(rows.rows, "row"), rows.cols, seconds));
  }

  Queries make_queries(const CommonOptions& common, const StoredVectors& stored,
                       const std::vector<std::string>& arguments) const {
    Queries queries;
    if (!rows_.empty()) {
      std::vector<std::size_t> rows(rows_.begin(), rows_.end());
      for (const std::size_t row : rows) {
        if (row >= stored.rows().rows) {
          throw Error(ErrorCode::kOutOfRange, in_,
                      fmt::format("has no row {}: it has {}", row, stored.rows().rows),
                      "rows are numbered from 0");
        }
        const ordered_json described = stored.describe({row})[0];
        const std::vector<float> values = stored.row(row);
        queries.values.insert(queries.values.end(), values.begin(), values.end());
        queries.add(fmt::format("row {}: {}", row, row_title(described)),
                    fmt::format("\"row\":{}", row), row);
      }
      return queries;
    }
    if (!queries_.empty()) {
      const io::NpyArray array = io::read_npy(queries_);
      if (array.shape.empty() || array.shape.back() != stored.rows().cols) {
        throw Error(ErrorCode::kMalformed, queries_,
                    fmt::format("expected rows of {} values, got the shape [{}]",
                                stored.rows().cols, fmt::join(array.shape, ", ")));
      }
      queries.values = array.data;
      for (std::size_t q = 0; q < array.data.size() / stored.rows().cols; ++q) {
        queries.add(fmt::format("query {}", q), fmt::format("\"query\":{}", q));
      }
      return queries;
    }
    embed_queries(common, stored, read_texts(common, arguments), queries);
    return queries;
  }

  // By the model and the settings that made the folder.
  void embed_queries(const CommonOptions& common, const StoredVectors& stored,
                     const std::vector<Text>& texts, Queries& queries) const {
    const auto directory = model_directory(common);
    check_same_model(stored, directory);
    const Model model = Model::load(directory);
    const Tokenizer tokenizer = tokenizer_.load(common);
    check_tokenizer_fits(tokenizer, model, directory);
    const VectorKind kind = kind_of_name(model.config(), stored.name());
    TextVectorOptions options;
    try {
      options = as_embedded(common, stored, model.config());
    } catch (const nlohmann::json::exception&) {
      throw Error(ErrorCode::kMalformed, (fs::path(in_) / "manifest.json").string(),
                  "has options that embed does not write", "embed the texts again");
    }
    const TextVectors vectors = text_vectors(model, tokenizer, kind, texts, options);
    // Texts without tokens have no row.
    for (std::size_t t = 0; t < texts.size(); ++t) {
      if (t < vectors.text_of.size() && vectors.text_of[t] == t) continue;
      throw Error(ErrorCode::kOutOfRange, texts[t].where, "the query has no tokens", "it is empty");
    }
    queries.values = vectors.values;
    for (const Text& text : texts) {
      const std::string title = readable_excerpt(text.bytes, 60);
      queries.add(
          word_.empty() ? fmt::format("\"{}\"", title) : fmt::format("{} in \"{}\"", word_, title),
          fmt::format("\"query\":{}", json_string(text.bytes)));
    }
  }

  // What decides the numbers is as in the folder. How a text becomes one vector, and what happens
  // to one that is too long, the user may choose.
  TextVectorOptions as_embedded(const CommonOptions& common, const StoredVectors& stored,
                                const ModelConfig& config) const {
    const ordered_json settings = stored.manifest().value("options", ordered_json::object());
    CommonOptions computed = common;
    computed.dtype = as_stored(settings, "dtype", common.dtype_given, common.dtype);
    TokenizerOptions read = tokenizer_;
    read.special = as_stored(settings, "special", special_option_->count() > 0, read.special);
    TextVectorOptions options;
    options.pooling = pooling_of(pool_.empty() ? settings.value("pool", "mean") : pool_);
    options.word = word_;
    options.texts.special = read.special_tokens();
    options.texts.truncation =
        truncation_of(truncate_.empty() ? settings.value("truncate", "error") : truncate_);
    if (options.texts.truncation == Truncation::kWindow) {
      options.texts.stride = stride_ > 0 ? stride_ : settings.value("stride", std::size_t{0});
      check_stride(options.texts.stride, config.n_positions);
    } else if (stride_ > 0) {
      throw UsageError("--stride needs --truncate window");
    }
    options.extraction.center = centre(stored, settings, config);
    options.forward = computed.forward();
    return options;
  }

  static std::string as_stored(const ordered_json& settings, const char* name, bool given,
                               const std::string& value) {
    std::string stored = settings.value(name, value);
    if (given && value != stored) {
      throw UsageError(
          fmt::format("the folder was made with --{} {}, not {}", name, stored, value));
    }
    return stored;
  }

  std::vector<std::vector<float>> centre(const StoredVectors& stored, const ordered_json& settings,
                                         const ModelConfig& config) const {
    const bool centred = settings.contains("center") && settings["center"] != false;
    if (centred && center_.empty()) {
      throw UsageError("the folder's vectors are centred: name the same file with --center");
    }
    if (!centred && !center_.empty()) throw UsageError("the folder's vectors are not centred");
    if (!centred) return {};
    // The folder names the centres of all its arrays together.
    const std::vector<std::string> names = stored.all_names();
    std::vector<VectorKind> kinds;
    for (const std::string& name : names) kinds.push_back(kind_of_name(config, name));
    std::vector<std::vector<float>> all = load_center(center_, kinds);
    if (settings["center"] != center_hash(all)) {
      throw Error(ErrorCode::kMalformed, center_, "is not the mean that was subtracted from " + in_,
                  "name the file that embed --center had");
    }
    const auto own = std::find(names.begin(), names.end(), stored.name());
    return {std::move(all[static_cast<std::size_t>(own - names.begin())])};
  }

  void check_same_model(const StoredVectors& stored, const fs::path& directory) const {
    const ordered_json model = stored.manifest().value("model", ordered_json::object());
    if (model.empty()) {
      throw Error(ErrorCode::kMalformed, in_, "its manifest.json does not say which model made it",
                  "search it by --row or --queries");
    }
    const std::string difference = first_difference(model, model_identity(directory, tokenizer_));
    if (difference.empty()) return;
    // "sha256.model.safetensors was …"
    std::string what = difference.substr(0, difference.find(' '));
    if (what.starts_with("sha256.")) what.erase(0, what.find('.') + 1);
    throw Error(ErrorCode::kMalformed, in_,
                fmt::format("was made by another model or tokenizer: {} is not the same", what),
                "choose the model that made it with -m, and a tokenizer that was named with "
                "--tokenizer");
  }

  static VectorKind kind_of_name(const ModelConfig& config, const std::string& name) {
    std::vector<VectorKind> kinds = parse_layers(config, "all");
    if (!name.starts_with("layer_") && name != "final") {
      const std::size_t end = name.find_last_not_of("0123456789");
      const bool numbered = end + 1 < name.size() && name[end] == '_';
      kinds = parse_taps(config, numbered ? name.substr(0, end) : name);
    }
    for (VectorKind& kind : kinds) {
      if (kind.name == name) return kind;
    }
    throw std::invalid_argument("the model has no vectors " + name);
  }

  // A token, a word, or the beginning of what a text's row is about.
  static std::string row_title(const ordered_json& row) {
    for (const char* key : {"token", "word"}) {
      if (row.contains(key) && row[key].is_string()) {
        return readable_token(row[key].get<std::string>());
      }
    }
    return fmt::format("text {}", row.value("text", ordered_json()).dump());
  }

  // Of queries `first` and on.
  static void write_rows(Output& output, const CommonOptions& common, const StoredVectors& stored,
                         const Queries& queries, std::size_t first,
                         const std::vector<std::vector<Neighbour>>& found) {
    std::vector<std::size_t> needed;
    for (const auto& list : found) {
      for (const Neighbour& one : list) needed.push_back(one.row);
    }
    std::sort(needed.begin(), needed.end());
    needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
    const std::vector<ordered_json> described = stored.describe(needed);
    const auto row_of = [&](std::size_t row) -> const ordered_json& {
      const auto at = std::lower_bound(needed.begin(), needed.end(), row);
      return described[static_cast<std::size_t>(at - needed.begin())];
    };
    for (std::size_t q = 0; q < found.size(); ++q) {
      output.write(common.json ? rows_json(queries.json[first + q], found[q], row_of)
                               : rows_table(queries.titles[first + q], found[q], row_of));
    }
  }

  template <class RowOf>
  static std::string rows_json(const std::string& query, const std::vector<Neighbour>& found,
                               const RowOf& row_of) {
    std::string list;
    for (const Neighbour& one : found) {
      const std::string row =
          row_of(one.row).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
      list += fmt::format(R"({}{{"row":{},"cosine":{},{})", list.empty() ? "" : ",", one.row,
                          json_number(one.cosine), std::string_view(row).substr(1));
    }
    return fmt::format("{{{},\"nearest\":[{}]}}\n", query, list);
  }

  template <class RowOf>
  static std::string rows_table(const std::string& title, const std::vector<Neighbour>& found,
                                const RowOf& row_of) {
    using enum Table::Align;
    Table table({kLeft, kRight, kRight, kRight, kRight, kRight});
    table.add_row({"", "text", "bytes", "row", "cosine", "angle"});
    for (const Neighbour& one : found) {
      const ordered_json& row = row_of(one.row);
      const ordered_json bytes = row.value("bytes", ordered_json());
      table.add_row({row_title(row), row.value("text", ordered_json()).dump(),
                     bytes.is_array() && bytes.size() == 2
                         ? fmt::format("{}-{}", bytes[0].dump(), bytes[1].dump())
                         : "",
                     std::to_string(one.row), fmt::format("{:.3f}", one.cosine),
                     fmt::format("{:.1f}°", angle_in_degrees(one.cosine))});
    }
    return title + "\n" + table.to_string("  ");
  }

  std::size_t top_ = 10, stride_ = 0;
  std::string in_, layer_, queries_, word_, pool_, center_, truncate_;
  const CLI::Option* special_option_ = nullptr;
  std::vector<std::uint64_t> rows_;
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_nearest() { return std::make_unique<Nearest>(); }

}  // namespace glassgpt::cli
