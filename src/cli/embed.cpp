// glassgpt embed: text to the vectors of every layer.
#include "glassgpt/embed.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/command.h"
#include "cli/display.h"
#include "cli/embed_texts.h"
#include "cli/embed_writers.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/sha256.h"
#include "cli/text_source.h"
#include "glassgpt/error.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "kernels/dispatch.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::size_t kNpyHeaderBytes = 128;

// Runs the passes: texts in, rows out, in order, memory for one batch.
class Pipeline {
 public:
  Pipeline(const Model& model, const Tokenizer& tokenizer, const EmbedOptions& options,
           const ForwardOptions& forward, VectorExtractor& extractor, EmbedWriter& writer)
      : model_(model),
        tokenizer_(tokenizer),
        options_(options),
        forward_(forward),
        extractor_(extractor),
        writer_(writer) {}

  EmbedCounts run(TextSource& source, Progress& progress) {
    Text text;
    start_ = seconds_now();
    while (source.next(text)) {
      EmbeddedText prepared = prepare_text(tokenizer_, text, options_);
      counts_.add(prepared);
      writer_.add_text(prepared);
      for (const Window& window : windows_of(prepared.ids.size(), options_)) {
        if (!batch_.fits(window.end - window.begin, options_.batch_tokens)) {
          pass();
          show(source, progress);
        }
        batch_.add(prepared, window);
      }
    }
    pass();
    writer_.finish(counts_);
    return counts_;
  }

 private:
  void pass() {
    throw_if_interrupted();
    if (batch_.empty()) return;
    extractor_.set_ranges(batch_.ranges());
    model_.forward(batch_.batch(), extractor_, forward_);
    writer_.end_batch();
    batch_.clear();
  }

  void show(const TextSource& source, Progress& progress) const {
    if (!progress.due()) return;
    const double seconds = std::max(1e-9, seconds_now() - start_);
    std::string left;
    if (source.bytes_total() > 0 && source.bytes_read() > 0) {
      const double share =
          static_cast<double>(source.bytes_read()) / static_cast<double>(source.bytes_total());
      left = fmt::format(", {} left", clock_time(seconds * (1 - share) / share));
    }
    progress.update(fmt::format("embedding: {} texts, {} texts/s, {} tokens/s{}", counts_.texts,
                                short_count(static_cast<double>(counts_.texts) / seconds),
                                short_count(static_cast<double>(counts_.tokens) / seconds), left));
  }

  const Model& model_;
  const Tokenizer& tokenizer_;
  EmbedOptions options_;
  ForwardOptions forward_;
  VectorExtractor& extractor_;
  EmbedWriter& writer_;
  BatchBuilder batch_;
  EmbedCounts counts_;
  double start_ = 0;
};

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

// The stored mean of each kind: FILE.npy of [C] or [1, C] for all kinds, a folder of such files by
// the kinds' names, or a safetensors file with tensors of those names.
std::vector<std::vector<float>> load_center(const std::string& path,
                                            const std::vector<VectorKind>& kinds) {
  std::vector<std::vector<float>> centers;
  const auto add = [&](const std::string& where, const std::vector<std::uint64_t>& shape,
                       std::vector<float> values) {
    const VectorKind& kind = kinds[centers.size()];
    const bool row = shape.size() == 1 || (shape.size() == 2 && shape[0] == 1);
    if (!row || values.size() != kind.cols) {
      throw Error(ErrorCode::kMalformed, where,
                  fmt::format("expected one row of {} values for {}, got the shape [{}]", kind.cols,
                              kind.name, fmt::join(shape, ", ")));
    }
    centers.push_back(std::move(values));
  };
  const bool folder = fs::is_directory(path);
  if (!folder && fs::path(path).extension() == ".safetensors") {
    const io::SafetensorsFile file(path);
    for (const VectorKind& kind : kinds) {
      const io::TensorView* tensor = file.find(kind.name);
      if (tensor == nullptr) {
        throw Error(ErrorCode::kMalformed, path, "there is no tensor " + kind.name);
      }
      std::vector<float> values(tensor->elements());
      io::to_float(*tensor, values.data());
      add(path, tensor->shape, std::move(values));
    }
    return centers;
  }
  for (const VectorKind& kind : kinds) {
    const fs::path file = folder ? fs::path(path) / (kind.name + ".npy") : fs::path(path);
    io::NpyArray array = io::read_npy(file);
    add(file.string(), array.shape, std::move(array.data));
  }
  return centers;
}

class Embed : public Command {
 public:
  CommandInfo info() const override {
    return {"embed", "text to the contextual vectors of every layer", "[TEXT...]",
            "  glassgpt embed --layers all \"The river bank was muddy.\"\n"
            "  glassgpt embed --json --layers 0,-1,final \"猫坐在垫子上。\"\n"
            "  glassgpt embed --input texts.txt --layers all -o vectors/    # npy files\n"
            "  glassgpt embed --unit text --pool mean --normalize --input texts.jsonl -o v.npz\n"};
  }

  void add_options(CLI::App& app) override {
    add_selection_options(app);
    add_output_options(app);
    text_.add_to(app);
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    resolve_format(common);
    check_options();
    TextSource source(text_, arguments);
    const fs::path directory = model_directory(common);
    const ModelConfig config = read_config(directory / "config.json");
    const std::vector<VectorKind> kinds = selected_kinds(config);
    const Tokenizer tokenizer = tokenizer_.load(common);
    EmbedOptions options = embed_options(config);
    if (dry_run_) {
      print_dry_run(common, source, tokenizer, options, kinds);
      return;
    }
    const Model model = Model::load(directory);
    check_tokenizer_fits(tokenizer, model, directory);
    ExtractionOptions extraction{pooling(), {}, normalize_};
    if (!center_.empty()) extraction.center = load_center(center_, kinds);
    const auto writer = make_writer(common, directory, tokenizer, kinds, options);
    VectorExtractor extractor(kinds, std::move(extraction), *writer);
    Progress progress(common.quiet);
    const double start = seconds_now();
    Pipeline pipeline(model, tokenizer, options, common.forward(), extractor, *writer);
    const EmbedCounts counts = pipeline.run(source, progress);
    if (!output_.empty() || counts.truncated_texts > 0) {
      progress.line(fmt::format("{}: {}, {}, {} in each of {}, {} truncated, {:.2f} s",
                                output_.empty() ? "embed" : output_, counted(counts.texts, "text"),
                                counted(counts.tokens, "token"), counted(counts.rows, "row"),
                                counted(kinds.size(), "array"),
                                counted(counts.truncated_texts, "text"), seconds_now() - start));
    }
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
    app.add_option("--unit", unit_, "a row per token, or per text")
        ->check(one_of({"token", "text"}))
        ->capture_default_str();
    pool_option_ = app.add_option("--pool", pool_, "how a text's token vectors become one")
                       ->check(one_of({"mean", "last", "first", "max", "weighted-mean"}))
                       ->capture_default_str();
    app.add_flag("--normalize", normalize_, "scale each row to length 1");
    app.add_option("--center", center_,
                   "subtract a stored mean: .npy of [C], .safetensors or a folder by array names")
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
    app.add_option(
           "-o,--output", output_,
           "a folder for npy files, or FILE.npz, .safetensors, .jsonl, .csv (default: a table "
           "on standard output)")
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
    app.add_flag("--dry-run", dry_run_, "only count rows and bytes");
  }

  bool is_array_format() const {
    return format_ == "npy" || format_ == "npz" || format_ == "safetensors";
  }

  void resolve_format(const CommonOptions& common) {
    if (common.json && !dry_run_) {
      if (!format_.empty() && format_ != "jsonl") {
        throw UsageError("--json and --format " + format_ + " exclude each other");
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
      throw UsageError("--pool needs --unit text: a token has one vector");
    }
    if (stride_ > 0 && truncate_ != "window") throw UsageError("--stride needs --truncate window");
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
    options.unit = unit_ == "text" ? Unit::kText : Unit::kToken;
    options.truncation = truncate_ == "left"     ? Truncation::kLeft
                         : truncate_ == "right"  ? Truncation::kRight
                         : truncate_ == "window" ? Truncation::kWindow
                                                 : Truncation::kError;
    options.context = config.n_positions;
    options.stride = stride_;
    options.batch_tokens = batch_tokens_;
    options.special = tokenizer_.special_tokens();
    if (stride_ > config.n_positions) {
      throw UsageError(fmt::format("--stride {} is more than the model's context of {}", stride_,
                                   config.n_positions));
    }
    return options;
  }

  Pooling pooling() const {
    if (unit_ == "token") return Pooling::kNone;
    if (pool_ == "last") return Pooling::kLast;
    if (pool_ == "first") return Pooling::kFirst;
    if (pool_ == "max") return Pooling::kMax;
    if (pool_ == "weighted-mean") return Pooling::kWeightedMean;
    return Pooling::kMean;
  }

  std::unique_ptr<EmbedWriter> make_writer(const CommonOptions& common, const fs::path& directory,
                                           const Tokenizer& tokenizer,
                                           const std::vector<VectorKind>& kinds,
                                           const EmbedOptions& options) const {
    EmbedTarget target{output_, kinds, out_dtype_ == "f16", &tokenizer, {}};
    if (format_ == "jsonl") return make_jsonl_writer(target);
    if (format_ == "csv") return make_csv_writer(target);
    if (format_ == "table") return make_table_writer(target, values_);
    target.provenance = {hashes(directory), described_options(common, options)};
    if (format_ == "npz") return make_npz_writer(target);
    if (format_ == "safetensors") return make_safetensors_writer(target);
    return make_npy_writer(target);
  }

  ordered_json hashes(const fs::path& directory) const {
    ordered_json files = ordered_json::object();
    for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json",
                             "tokenizer.json", "vocab.json", "merges.txt"}) {
      const fs::path file = directory / name;
      if (fs::exists(file)) files[name] = sha256_of_file(file);
    }
    return {{"sha256", files}};
  }

  ordered_json described_options(const CommonOptions& common, const EmbedOptions& options) const {
    ordered_json described = {{"layers", layers_},
                              {"taps", taps_},
                              {"unit", unit_},
                              {"normalize", normalize_},
                              {"center", !center_.empty()},
                              {"truncate", truncate_},
                              {"special", tokenizer_.special},
                              {"dtype", common.dtype},
                              {"isa", kernels::active_kernels().isa},
                              {"gemm", common.gemm}};
    if (options.unit != Unit::kToken) described["pool"] = pool_;
    if (options.truncation == Truncation::kWindow) {
      described["stride"] = stride_ > 0 ? stride_ : std::max<std::size_t>(1, options.context / 2);
    }
    return described;
  }

  void print_dry_run(const CommonOptions& common, TextSource& source, const Tokenizer& tokenizer,
                     const EmbedOptions& options, const std::vector<VectorKind>& kinds) const {
    EmbedCounts counts;
    Text text;
    while (source.next(text)) counts.add(prepare_text(tokenizer, text, options));
    const std::uint64_t element = out_dtype_ == "f16" ? 2 : 4;
    const std::uint64_t header = is_array_format() ? kNpyHeaderBytes : 0;
    std::uint64_t total = 0;
    ordered_json arrays = ordered_json::array();
    Table table({Table::Align::kLeft, Table::Align::kRight, Table::Align::kRight});
    for (const VectorKind& kind : kinds) {
      const std::uint64_t bytes = header + counts.rows * kind.cols * element;
      total += bytes;
      arrays.push_back(
          {{"name", kind.name}, {"shape", {counts.rows, kind.cols}}, {"bytes", bytes}});
      table.add_row({kind.name, fmt::format("[{}, {}]", counts.rows, kind.cols),
                     fmt::format("{} bytes", bytes)});
    }
    Output output;
    if (common.json) {
      output.write(ordered_json{{"texts", counts.texts},
                                {"tokens", counts.tokens},
                                {"rows", counts.rows},
                                {"truncated_texts", counts.truncated_texts},
                                {"bytes", total},
                                {"arrays", arrays}}
                       .dump() +
                   "\n");
    } else {
      output.write(fmt::format("{}, {}, {}, {} truncated\n", counted(counts.texts, "text"),
                               counted(counts.tokens, "token"), counted(counts.rows, "row"),
                               counted(counts.truncated_texts, "text")) +
                   table.to_string("  ") + fmt::format("{} bytes in all\n", total));
    }
    output.finish();
  }

  std::string layers_ = "final", taps_, unit_ = "token", pool_ = "mean", center_;
  std::string truncate_ = "error", output_, format_, out_dtype_ = "f32";
  std::size_t stride_ = 0, batch_tokens_ = 2048, values_ = 6;
  bool normalize_ = false, dry_run_ = false;
  CLI::Option* pool_option_ = nullptr;
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_embed() { return std::make_unique<Embed>(); }

}  // namespace glassgpt::cli
