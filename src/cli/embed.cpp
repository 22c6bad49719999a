// glassgpt embed: text to the vectors of every layer.
#include "glassgpt/embed.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/embed_blocks.h"
#include "cli/embed_center.h"
#include "cli/embed_folder.h"
#include "cli/embed_pipeline.h"
#include "cli/embed_plot.h"
#include "cli/embed_texts.h"
#include "cli/embed_writers.h"
#include "cli/json_text.h"
#include "cli/model_identity.h"
#include "cli/output.h"
#include "cli/output_lock.h"
#include "cli/text_source.h"
#include "cli/text_vectors.h"
#include "distributed/communicator.h"
#include "glassgpt/error.h"
#include "io/file.h"
#include "kernels/dispatch.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string extension_format(const std::string& output) {
  const std::string extension = fs::path(output).extension().string();
  if (extension == ".npz" || extension == ".safetensors" || extension == ".jsonl" ||
      extension == ".csv") {
    return extension.substr(1);
  }
  if (extension == ".json") return "jsonl";
  if (extension == ".txt") return "table";
  return "npy";
}

class Embed : public Command {
 public:
  CommandInfo info() const override {
    return {
        "embed", "text to the contextual vectors of every layer", "[TEXT...]",
        "  glassgpt embed --layers all \"The river bank was muddy.\"\n"
        "  glassgpt embed --json --layers 0,-1,final \"猫坐在垫子上。\"\n"
        "  glassgpt embed --input texts.txt --layers all -o vectors/    # npy files\n"
        "  glassgpt embed --input texts.txt --layers all -o vectors/ --resume    # after Ctrl-C\n"
        "  glassgpt embed --layers all --plot tokens.svg \"The river bank was muddy.\"\n"
        "  glassgpt embed --unit text --pool mean --normalize --input texts.jsonl -o v.npz\n"};
  }

  bool runs_distributed() const override { return true; }

  void add_options(CLI::App& app) override {
    add_selection_options(app);
    add_output_options(app);
    text_.add_to(app);
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (output_ == "-") output_.clear();
    resolve_format(common);
    check_options();
    distributed::Communicator& ranks = *common.ranks;
    const bool in_blocks = !ranks.is_alone() || (resume_ && was_in_blocks(output_));
    if (in_blocks) check_shareable(arguments);
    TextSource source(text_, arguments, common.after_separator);
    const fs::path directory = model_directory(common);
    const ModelConfig config = read_config(directory / "config.json");
    const std::vector<VectorKind> kinds = selected_kinds(config);
    const Tokenizer tokenizer = tokenizer_.load(common);
    EmbedOptions options = embed_options(config);
    if (dry_run_) {
      if (ranks.is_first()) print_dry_run(common, source, tokenizer, options, kinds);
      return;
    }
    if (format_ == "npy" && ranks.is_first()) io::make_directories(output_);
    const OutputLock lock(ranks.is_first() ? output_ : ""), plot_lock(plot_);
    const Model model = Model::load(directory);
    check_tokenizer_fits(tokenizer, model, directory);
    const int threads = common.threads > 0 ? common.threads : default_threads();
    ExtractionOptions extraction{pooling(), {}, normalize_, threads};
    if (!center_.empty()) extraction.center = load_center(center_, kinds);
    Progress progress(common.quiet || !ranks.is_first());
    EmbedTarget target{output_, kinds, out_dtype_ == "f16", &tokenizer, {}};
    if (is_array_format()) {
      target.provenance = {model_identity(directory, tokenizer_),
                           described_options(common, options, extraction)};
    }
    if (in_blocks) {
      embed_in_blocks(
          {model,
           tokenizer,
           options,
           common.forward(),
           std::move(extraction),
           target,
           {resume_, checkpoint_seconds_, threads},
           text_.input,
           [&] { return std::make_unique<TextSource>(text_, arguments, common.after_separator); }},
          ranks, progress);
      return;
    }
    FolderStart start = open_writer(target, threads);
    if (start.complete) {
      check_same_texts(source, start.progress, output_);
      progress.line(fmt::format("{}: {}, complete already", output_,
                                counted(start.progress.counts.texts, "text")));
      return;
    }
    announce(start, progress);
    if (!plot_.empty()) {
      start.writer = make_plotting_writer(std::move(start.writer), target, plot_);
    }
    VectorExtractor extractor(kinds, std::move(extraction), *start.writer);
    EmbedPipeline pipeline(model, tokenizer, options, common.forward(), extractor, *start.writer);
    if (start.progress.counts.texts > 0) {
      pipeline.skip_done(source, start.progress, output_);
      progress.line(fmt::format("{}: goes on after {}", output_,
                                counted(start.progress.counts.texts, "text")));
    }
    run_or_suspend(pipeline, source, progress, start, kinds.size());
  }

 private:
  void add_selection_options(CLI::App& app) {
    app.add_option("--layers", layers_,
                   "0 = token + position, k = output of block k-1, -1 = output of the last block, "
                   "final = after the last layer norm, all; a list with commas")
        ->type_name("LIST")
        ->capture_default_str();
    app.add_option(
           "--taps", taps_,
           "inner stages of all blocks (q,k,v,attention_out,mlp_hidden,mlp_out,...) or of one "
           "(q.3)")
        ->type_name("LIST");
    app.add_option("--unit", unit_,
                   "a row per token, per word (UAX 29; Chinese by dictionary), or per text")
        ->check(one_of({"token", "word", "text"}))
        ->capture_default_str();
    pool_option_ =
        app.add_option("--pool", pool_, "how the token vectors of a word or text become one")
            ->check(one_of({"mean", "last", "first", "max", "weighted-mean"}))
            ->capture_default_str();
    app.add_flag("--normalize", normalize_, "scale each row to length 1");
    app.add_option("--center", center_,
                   "subtract a stored mean: .npy of [C], .safetensors or a folder by array names")
        ->check(not_empty())
        ->type_name("FILE");
    app.add_option(
           "--truncate", truncate_,
           "a text longer than the context: error, or drop its left or right end, or read it "
           "in windows that overlap")
        ->check(one_of({"error", "left", "right", "window"}))
        ->capture_default_str();
    app.add_option("--stride", stride_, "tokens from window to window (default: half the context)")
        ->check(CLI::Range(1, 1 << 30).description(""))
        ->type_name("N");
    app.add_option("--batch-tokens", batch_tokens_,
                   "tokens per forward pass: memory and speed, not the result")
        ->check(CLI::Range(1, 1 << 30).description(""))
        ->type_name("N")
        ->capture_default_str();
  }

  void add_output_options(CLI::App& app) {
    app.add_option("-o,--output", output_,
                   "a folder for npy files, or FILE.npz, .safetensors, .jsonl, .csv (default, or "
                   "-: a table on standard output)")
        ->check(not_empty())
        ->type_name("DIR|FILE");
    app.add_option("--format", format_, "of the result (default: by the name after -o)")
        ->check(one_of({"table", "jsonl", "csv", "npy", "npz", "safetensors"}));
    app.add_option("--out-dtype", out_dtype_, "of npy, npz and safetensors arrays")
        ->check(one_of({"f32", "f16"}))
        ->capture_default_str();
    app.add_option("--values", values_, "numbers per row of the table")
        ->check(CLI::Range(0, 1 << 20).description(""))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--plot", plot_,
                   "also draw the first rows: a panel per layer, each in its own two principal "
                   "components")
        ->check(not_empty())
        ->type_name("FILE.svg");
    app.add_flag("--dry-run", dry_run_,
                 "only count rows and bytes: of the arrays and rows.jsonl, without the manifest "
                 "and the records of npz and safetensors, or, for table, jsonl and csv, of the "
                 "values as float32");
    app.add_flag("--resume", resume_,
                 "go on with what an interrupted run left in DIR; the result has the same bytes as "
                 "without the interruption");
    app.add_option("--checkpoint-seconds", checkpoint_seconds_,
                   "how often what is in DIR is made safe against kill -9 and power failures; 0: "
                   "after every pass")
        ->check(CLI::Range(0.0, 1e6).description(""))
        ->type_name("S")
        ->capture_default_str();
  }

  bool is_array_format() const {
    return format_ == "npy" || format_ == "npz" || format_ == "safetensors";
  }

  void resolve_format(const CommonOptions& common) {
    if (common.json && !dry_run_) {
      if (!format_.empty() && format_ != "jsonl") {
        throw UsageError("--json and --format " + format_ + " exclude each other");
      }
      const std::string named = extension_format(output_);
      if (format_.empty() && (named == "npz" || named == "safetensors" || named == "csv")) {
        throw UsageError("--json writes JSON lines, and -o " + output_ + " names " + named +
                         "; leave one of them out");
      }
      format_ = "jsonl";
    }
    if (format_.empty()) format_ = output_.empty() ? "table" : extension_format(output_);
  }

  void check_options() const {
    if (is_array_format() && output_.empty() && !dry_run_) {
      throw UsageError("--format " + format_ + " needs -o " + (format_ == "npy" ? "DIR" : "FILE"));
    }
    if (format_ == "npy" && fs::path(output_).extension() == ".npy") {
      throw UsageError("npy files go to a folder, one per layer; name a folder with -o");
    }
    if (out_dtype_ != "f32" && !is_array_format()) {
      throw UsageError("--out-dtype " + out_dtype_ + " is for npy, npz and safetensors");
    }
    if (unit_ == "token" && pool_option_->count() > 0) {
      throw UsageError("--pool needs --unit text or word: a token has one vector");
    }
    if (resume_ && format_ != "npy") {
      throw UsageError(
          "--resume is for a folder of npy files (-o DIR), which grows as it is "
          "written; a file appears whole at the end");
    }
    if (resume_ && !plot_.empty()) {
      throw UsageError("--plot needs the rows from the first on, which --resume does not compute");
    }
    if (stride_ > 0 && truncate_ != "window") throw UsageError("--stride needs --truncate window");
  }

  // What several processes can do together: each reads its texts where they begin, and writes rows
  // where they belong.
  void check_shareable(const std::vector<std::string>& arguments) const {
    if (format_ != "npy" && !dry_run_) {
      throw UsageError("several processes write a folder of npy files together, no " + format_ +
                       "; name a folder with -o");
    }
    if (!plot_.empty()) throw UsageError("--plot is the work of one process");
    std::error_code error;
    const bool named = arguments.empty() && !text_.input.empty() && text_.input != "-";
    // One that is not there says so when it is opened.
    if (!named || (fs::exists(text_.input, error) && !fs::is_regular_file(text_.input, error))) {
      throw UsageError(
          "several processes read their texts from a file that all of them see, and whoever goes "
          "on with their work from the same: name it with --input FILE");
    }
  }

  std::vector<VectorKind> selected_kinds(const ModelConfig& config) const {
    std::vector<VectorKind> kinds;
    try {
      if (!layers_.empty()) kinds = parse_layers(config, layers_);
      if (!taps_.empty()) {
        for (VectorKind& kind : parse_taps(config, taps_)) {
          // "final" is a layer and a tap.
          const bool there = std::any_of(kinds.begin(), kinds.end(), [&](const VectorKind& other) {
            return other.name == kind.name;
          });
          if (!there) kinds.push_back(std::move(kind));
        }
      }
    } catch (const std::invalid_argument& error) {
      throw UsageError(error.what());
    }
    if (kinds.empty()) throw UsageError("nothing to extract: --layers and --taps are both empty");
    if (format_ == "csv") {
      for (const VectorKind& kind : kinds) {
        if (kind.cols != kinds[0].cols) {
          throw UsageError(kind.name + " and " + kinds[0].name +
                           " have different widths: csv takes one width at a time");
        }
      }
    }
    return kinds;
  }

  EmbedOptions embed_options(const ModelConfig& config) const {
    EmbedOptions options;
    options.unit = unit_ == "text" ? Unit::kText : unit_ == "word" ? Unit::kWord : Unit::kToken;
    options.truncation = truncation_of(truncate_);
    options.context = config.n_positions;
    options.stride = stride_;
    options.batch_tokens = batch_tokens_;
    options.special = tokenizer_.special_tokens();
    check_stride(stride_, config.n_positions);
    return options;
  }

  Pooling pooling() const {
    if (unit_ == "token") return Pooling::kNone;
    return pooling_of(pool_);
  }

  FolderStart open_writer(const EmbedTarget& target, int threads) const {
    FolderStart start;
    if (format_ == "npy") return open_folder(target, {resume_, checkpoint_seconds_, threads});
    if (format_ == "jsonl") start.writer = make_jsonl_writer(target);
    if (format_ == "csv") start.writer = make_csv_writer(target);
    if (format_ == "table") start.writer = make_table_writer(target, values_);
    if (format_ == "npz") start.writer = make_npz_writer(target);
    if (format_ == "safetensors") start.writer = make_safetensors_writer(target);
    return start;
  }

  void announce(const FolderStart& start, Progress& progress) const {
    if (start.abandoned_texts > 0) {
      progress.line(fmt::format(
          "{}: begins again; an interrupted run had done {} (--resume would have gone on)", output_,
          counted(start.abandoned_texts, "text")));
    }
  }

  void run_or_suspend(EmbedPipeline& pipeline, TextSource& source, Progress& progress,
                      const FolderStart& from, std::size_t arrays) const {
    const double start = seconds_now();
    EmbedProgress done;
    try {
      done = pipeline.run(source, progress);
    } catch (const Error& error) {
      if (!from.writer->suspend()) throw;
      const std::string hint = error.hint().empty() ? "" : error.hint() + "; ";
      throw Error(error.code(), error.path(), error.detail(),
                  hint + "what is done stays, go on with --resume" +
                      (plot_.empty() ? "" : " and without --plot"));
    } catch (...) {
      from.writer->suspend();
      throw;
    }
    // A table on the terminal speaks for itself.
    const bool seen = format_ == "table" && output_.empty() && ::isatty(STDOUT_FILENO) == 1;
    if (seen && done.counts.truncated_texts == 0) return;
    const double seconds = seconds_now() - start;
    // Of a moment it would tell of packing the weights.
    const std::string in_model = seconds < 1
                                     ? ""
                                     : fmt::format(", {:.0f}% of the time in the model",
                                                   100 * pipeline.forward_seconds() / seconds);
    const EmbedCounts& counts = done.counts;
    const auto tokens = static_cast<double>(counts.tokens - from.progress.counts.tokens);
    progress.line(fmt::format("{}: {}, {}, {} in each of {}, {} truncated, {:.2f} s, {} tokens/s{}",
                              output_.empty() ? "embed" : output_, counted(counts.texts, "text"),
                              counted(counts.tokens, "token"), counted(counts.rows, "row"),
                              counted(arrays, "array"), counted(counts.truncated_texts, "text"),
                              seconds, short_count(tokens / std::max(seconds, 1e-9)), in_model));
  }

  ordered_json described_options(const CommonOptions& common, const EmbedOptions& options,
                                 const ExtractionOptions& extraction) const {
    ordered_json described = {{"layers", layers_},
                              {"taps", taps_},
                              {"unit", unit_},
                              {"normalize", normalize_},
                              {"center", false},
                              {"truncate", truncate_},
                              {"special", tokenizer_.special},
                              {"dtype", common.dtype},
                              {"isa", kernels::active_kernels().isa},
                              {"gemm", common.gemm}};
    if (!extraction.center.empty()) described["center"] = center_hash(extraction.center);
    if (options.unit != Unit::kToken) described["pool"] = pool_;
    if (options.truncation == Truncation::kWindow) {
      described["stride"] = stride_ > 0 ? stride_ : std::max<std::size_t>(1, options.context / 2);
    }
    return described;
  }

  void print_dry_run(const CommonOptions& common, TextSource& source, const Tokenizer& tokenizer,
                     const EmbedOptions& options, const std::vector<VectorKind>& kinds) const {
    EmbedCounts counts;
    std::uint64_t rows_bytes = 0;  // of rows.jsonl, which goes with arrays
    Text text;
    while (source.next(text)) {
      const EmbeddedText prepared = prepare_text(tokenizer, text, options);
      counts.add(prepared);
      if (is_array_format()) rows_bytes += row_lines(tokenizer, prepared).size();
    }
    const EmbedTarget target{output_, kinds, out_dtype_ == "f16", &tokenizer, {}};
    std::uint64_t total = rows_bytes;
    ordered_json arrays = ordered_json::array();
    Table table({Table::Align::kLeft, Table::Align::kRight, Table::Align::kRight});
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      const bool npy = format_ == "npy" || format_ == "npz";
      const std::uint64_t bytes = (npy ? npy_header_of(target, k, counts.rows).size() : 0) +
                                  counts.rows * row_bytes(target, k);
      total += bytes;
      arrays.push_back(
          {{"name", kinds[k].name}, {"shape", {counts.rows, kinds[k].cols}}, {"bytes", bytes}});
      table.add_row({kinds[k].name, fmt::format("[{}, {}]", counts.rows, kinds[k].cols),
                     fmt::format("{} bytes", bytes)});
    }
    if (is_array_format()) {
      table.add_row(
          {"rows.jsonl", fmt::format("[{}]", counts.rows), fmt::format("{} bytes", rows_bytes)});
    }
    Output output;
    if (common.json) {
      ordered_json told = {{"texts", counts.texts}, {"tokens", counts.tokens},
                           {"rows", counts.rows},   {"truncated_texts", counts.truncated_texts},
                           {"format", format_},     {"bytes", total}};
      if (is_array_format()) told["rows_bytes"] = rows_bytes;
      told["arrays"] = arrays;
      output.write(told.dump() + "\n");
    } else {
      output.write(fmt::format("{}, {}, {}, {} truncated\n", counted(counts.texts, "text"),
                               counted(counts.tokens, "token"), counted(counts.rows, "row"),
                               counted(counts.truncated_texts, "text")) +
                   table.to_string("  ") +
                   (is_array_format()
                        ? fmt::format("{} bytes, without {}\n", total,
                                      format_ == "npy" ? "manifest.json"
                                                       : "the file's own records, a few kB")
                        : fmt::format("{} bytes as float32; as {} they have another size\n", total,
                                      format_)));
    }
    output.finish();
  }

  std::string layers_ = "final", taps_, unit_ = "token", pool_ = "mean", center_;
  std::string truncate_ = "error", output_, format_, out_dtype_ = "f32", plot_;
  std::size_t stride_ = 0, batch_tokens_ = kBatchTokens, values_ = 6;
  double checkpoint_seconds_ = 10;
  bool normalize_ = false, dry_run_ = false, resume_ = false;
  CLI::Option* pool_option_ = nullptr;
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_embed() { return std::make_unique<Embed>(); }

}  // namespace glassgpt::cli
