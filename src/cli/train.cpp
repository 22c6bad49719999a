// glassgpt train: from corpora to a model directory.
#include "glassgpt/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "distributed/communicator.h"
#include "glassgpt/error.h"
#include "train/trainer.h"

namespace glassgpt::cli {
namespace {

std::string validation_line(const ValidationReport& report) {
  std::string line =
      fmt::format("step {}: held out {:.4f} nats per token, {:.4f} bits per byte{}", report.step,
                  report.nats_per_token, report.bits_per_byte, report.best ? ", best so far" : "");
  if (report.sources.size() > 1) {
    for (const ValidationResult& source : report.sources) {
      line += fmt::format("; {} {:.4f}", source.source, source.bits_per_byte);
    }
  }
  return line;
}

// Line ends and other control characters as spaces: a sample is shown on one line.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return line;
}

std::string progress_line(const TrainingProgress& now) {
  return fmt::format("step {}/{}  loss {:.4f}  lr {:.2e}  gradient {:.2f}  {} tokens/s  {} left",
                     now.step, now.steps, now.loss, now.learning_rate, now.gradient_norm,
                     short_count(now.tokens_per_second), clock_time(now.seconds_left));
}

// Numbers that the option's field takes, in the field's type: 0.99999999999 is 1 in float32.
template <class Number>
CLI::Validator number_that(bool (*fits)(Number), const char* expected) {
  return CLI::Validator(
      [=](std::string& text) {
        Number number{};
        if (CLI::detail::lexical_cast(text, number) && fits(number)) return std::string();
        return fmt::format("'{}' is not {}", text, expected);
      },
      "");
}

CLI::Validator positive() {
  return number_that<float>([](float x) { return std::isfinite(x) && x > 0; }, "a positive number");
}
CLI::Validator not_negative() {
  return number_that<float>([](float x) { return std::isfinite(x) && x >= 0; },
                            "zero or a positive number");
}
CLI::Validator below_one() {
  return number_that<float>([](float x) { return x >= 0 && x < 1; },
                            "a number from 0 to less than 1");
}
CLI::Validator one_or_more() {
  return number_that<std::uint64_t>([](std::uint64_t n) { return n > 0; }, "a whole number from 1");
}

class Train : public Command {
 public:
  CommandInfo info() const override {
    return {
        "train", "a model from text; stopped at any moment, --resume goes on", "",
        "  glassgpt train-tokenizer --vocab-size 1024 -o my-tokenizer texts.txt\n"
        "  echo '{\"model_type\": \"gpt2\", \"vocab_size\": 1024, \"n_positions\": 128, "
        "\"n_embd\": 128, \"n_layer\": 4, \"n_head\": 4, "
        "\"position_encoding\": \"sinusoidal\"}' >shape.json\n"
        "  glassgpt train --corpus texts.txt --tokenizer my-tokenizer --config shape.json "
        "-o my-model --steps 150 --batch-tokens 1024 --lr 2e-3 --warmup 20\n"
        "  glassgpt train -o my-model --resume\n"
        "  glassgpt train --init weights/mini --corpus texts.txt -o tuned --steps 300 --lr 2e-4 "
        "--warmup 20 --dropout 0.1\n"};
  }

  bool runs_distributed() const override { return true; }

  void add_options(CLI::App& app) override {
    add_file_options(app);
    add_schedule_options(app);
    add_run_options(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    if (!arguments.empty()) {
      throw UsageError(
          fmt::format("unexpected argument '{}'; corpora are named with --corpus", arguments[0]));
    }
    const TrainingOptions options = collect(common);
    distributed::Communicator& ranks = *common.ranks;
    Progress progress(common.quiet || !ranks.is_first());
    const TrainingSummary summary = training::train(options, callbacks(progress), ranks);
    if (summary.interrupted) {
      throw Error(ErrorCode::kInterrupted, "",
                  fmt::format("interrupted after step {} of {}; the checkpoint is in {}",
                              summary.steps, options.steps, output_),
                  fmt::format("go on with: glassgpt train -o {} --resume", output_));
    }
    if (ranks.is_first()) report(common, progress, summary);
  }

 private:
  // Sets a field of TrainingOptions only if the user gave the option: a resumed run keeps its own
  // values.
  template <class Value, class Field>
  CLI::Option* add(CLI::App& app, const std::string& names, Field TrainingOptions::*field,
                   const std::string& help) {
    auto value = std::make_shared<Value>(static_cast<Value>(TrainingOptions{}.*field));
    CLI::Option* option = app.add_option(names, *value, help)->capture_default_str();
    apply_.push_back([value, option, field](TrainingOptions& options) {
      if (option->count() > 0) options.*field = static_cast<Field>(*value);
    });
    return option;
  }
  template <class Field>
  CLI::Option* add_count(CLI::App& app, const std::string& names, Field TrainingOptions::*field,
                         const std::string& help) {
    return add<std::uint64_t>(app, names, field, help)
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N");
  }
  void add_real(CLI::App& app, const std::string& names, float TrainingOptions::*field,
                const CLI::Validator& allowed, const std::string& help) {
    add<float>(app, names, field, help)->check(allowed)->type_name("X");
  }

  void add_file_options(CLI::App& app) {
    corpus_option_ = app.add_option("--corpus", corpus_,
                                    "text files, .jsonl files or folders, each with an optional "
                                    ":WEIGHT; a blank line ends a document")
                         ->type_name("PATH");
    valid_option_ = app.add_option("--valid", valid_,
                                   "held-out texts (default: documents held out of the corpus)")
                        ->type_name("FILE");
    app.add_option("--tokenizer", tokenizer_, "directory or file with the tokenizer")
        ->type_name("DIR");
    app.add_option("--config", config_, "config.json with the model's shape")->type_name("FILE");
    app.add_option("--init", init_, "start from this model's weights")->type_name("DIR");
    app.add_option("-o,--output", output_, "the run's directory, and the trained model's")
        ->type_name("DIR")
        ->required();
    app.add_flag("--resume", resume_, "go on from the last checkpoint in -o, with its options");
  }

  void add_schedule_options(CLI::App& app) {
    using Options = TrainingOptions;
    add_count(app, "--steps", &Options::steps, "optimizer steps")->check(one_or_more());
    add_count(app, "--batch-tokens", &Options::batch_tokens, "tokens per step");
    add_count(app, "--micro-batch-tokens", &Options::micro_batch_tokens,
              "tokens per forward and backward pass; larger batches are accumulated");
    add_real(app, "--lr", &Options::learning_rate, positive(), "peak learning rate");
    min_lr_option_ =
        app.add_option("--min-lr", min_lr_,
                       "learning rate at the end (default: a tenth of --lr, at most 1e-4)")
            ->check(not_negative())
            ->type_name("X");
    add_count(app, "--warmup", &Options::warmup_steps, "steps of linear warm-up");
    app.add_option("--schedule", schedule_, "of the learning rate")
        ->check(one_of({"cosine", "constant"}));
    add_real(app, "--beta1", &Options::beta1, below_one(), "of AdamW");
    add_real(app, "--beta2", &Options::beta2, below_one(), "of AdamW");
    add_real(app, "--weight-decay", &Options::weight_decay, not_negative(),
             "of matrices and embeddings");
    add_real(app, "--clip", &Options::clip_norm, not_negative(),
             "largest norm of the gradient; 0: no clipping");
    add_real(app, "--dropout", &Options::dropout, below_one(),
             "probability with which values are left out; against overfitting small corpora");
    add_count(app, "--seed", &Options::seed, "of the initial weights and the order of the data");
  }

  void add_run_options(CLI::App& app) {
    using Options = TrainingOptions;
    add_count(app, "--log-every", &Options::log_every, "steps between lines of log.jsonl");
    add_count(app, "--eval-every", &Options::eval_every, "steps between evaluations");
    add_count(app, "--valid-tokens", &Options::valid_tokens,
              "tokens of each held-out source per evaluation; 0: all");
    add_count(app, "--checkpoint-every", &Options::checkpoint_every, "steps between checkpoints");
    add_count(app, "--snapshots", &Options::snapshots,
              "models kept along the run in snapshots/, denser at its beginning");
    add<std::string>(app, "--sample-prompt", &Options::sample_prompt,
                     "what samples begin with (default: a new document)")
        ->type_name("TEXT");
    add_count(app, "--sample-tokens", &Options::sample_tokens,
              "tokens of the sample at every evaluation; 0: none");
    app.add_flag("--shard-optimizer", shard_optimizer_,
                 "with several processes (mpirun): each keeps its share of AdamW's state alone");
    app.add_option("--storage", storage_, "type of the written weights")
        ->check(one_of({"f32", "f16", "bf16"}));
  }

  TrainingOptions collect(const CommonOptions& common) const {
    TrainingOptions options;
    namespace fs = std::filesystem;
    const bool stored = resume_ && fs::exists(fs::path(output_) / "training.json");
    if (stored) options = load_training_options(output_);
    options.output = output_;
    options.resume = resume_;
    if (corpus_option_->count() > 0) {
      options.corpus.clear();
      for (const std::string& source : corpus_) options.corpus.push_back(corpus_source(source));
    }
    if (valid_option_->count() > 0) options.valid.assign(valid_.begin(), valid_.end());
    if (!tokenizer_.empty()) options.tokenizer = tokenizer_;
    if (!config_.empty()) options.config = read_config(config_);
    if (!init_.empty()) options.init = init_;
    for (const auto& apply : apply_) apply(options);
    if (schedule_ == "cosine") options.schedule = LearningRateSchedule::kCosine;
    if (schedule_ == "constant") options.schedule = LearningRateSchedule::kConstant;
    if (min_lr_option_->count() > 0) options.final_learning_rate = min_lr_;
    if (!storage_.empty()) options.storage = storage_type(storage_);
    if (common.dtype_given) options.compute = common.compute_type();
    options.threads = common.threads;
    options.gemm = common.gemm_choice();
    options.shard_optimizer = shard_optimizer_;
    if (!stored && options.schedule == LearningRateSchedule::kCosine &&
        options.final_learning_rate.value_or(0) > options.learning_rate) {
      throw UsageError(
          fmt::format("--min-lr {} is above --lr {}: the rate falls from one to the other", min_lr_,
                      options.learning_rate));
    }
    if (options.corpus.empty()) throw UsageError("no corpus: name text files with --corpus");
    if (options.tokenizer.empty() && options.init.empty()) {
      throw UsageError("no tokenizer: name one with --tokenizer DIR (see train-tokenizer)");
    }
    if (!options.config && options.init.empty()) {
      throw UsageError(
          "no shape: name a config.json with --config FILE, or a model with --init DIR");
    }
    return options;
  }

  static CorpusSource corpus_source(const std::string& text) {
    try {
      return parse_corpus_source(text);
    } catch (const std::invalid_argument& error) {
      throw UsageError(fmt::format("--corpus: {}", error.what()));
    }
  }

  static TrainingCallbacks callbacks(Progress& progress) {
    TrainingCallbacks calls;
    calls.stop = &interrupt_flag();
    calls.on_message = [&](std::string_view text) { progress.line(text); };
    calls.on_warning = [](std::string_view text) { warn(text); };
    calls.on_tokenize = [&progress, start = seconds_now()](std::uint64_t done,
                                                           std::uint64_t total) {
      throw_if_interrupted("the corpora were not yet tokenized: the same command starts over");
      if (!progress.due()) return;
      const double rate = static_cast<double>(done) / std::max(1e-9, seconds_now() - start);
      progress.update(fmt::format("tokenizing: {} of {}, {}/s, {} left",
                                  byte_count(static_cast<double>(done)),
                                  byte_count(static_cast<double>(total)), byte_count(rate),
                                  clock_time(static_cast<double>(total - done) / rate)));
    };
    calls.on_progress = [&](const TrainingProgress& now) {
      if (progress.due()) progress.update(progress_line(now));
    };
    calls.on_validation = [&](const ValidationReport& report) {
      progress.line(validation_line(report));
    };
    calls.on_sample = [&](std::size_t, std::string_view text) {
      progress.line("  " + one_line(text));
    };
    return calls;
  }

  void report(const CommonOptions& common, Progress& progress,
              const TrainingSummary& summary) const {
    const int processes = common.ranks->size();
    const auto steps_here = static_cast<double>(summary.steps - summary.first_step);
    const double sent = steps_here > 0 ? static_cast<double>(summary.bytes_sent) / steps_here : 0.0;
    if (common.json) {
      Output out;
      out.write(fmt::format(
          "{{\"model\":{},\"steps\":{},\"tokens\":{},\"seconds\":{},\"tokens_per_second\":{},"
          "\"loss\":{},\"valid_bits_per_byte\":{}",
          json_string(summary.model.string()), summary.steps, summary.tokens,
          json_number(summary.seconds), json_number(summary.tokens_per_second),
          summary.loss ? json_number(*summary.loss) : "null",
          summary.validation ? json_number(summary.validation->bits_per_byte) : "null"));
      if (processes > 1)
        out.write(fmt::format(",\"processes\":{},\"bytes_sent_per_step\":{}", processes,
                              json_number(sent)));
      out.write("}\n");
      out.finish();
      return;
    }
    progress.line(fmt::format(
        "{}: {} steps, {} tokens in {} ({} tokens/s){}{}", summary.model.string(), summary.steps,
        short_count(static_cast<double>(summary.tokens)), clock_time(summary.seconds),
        short_count(summary.tokens_per_second),
        summary.loss ? fmt::format(", loss {:.4f}", *summary.loss) : "",
        processes > 1
            ? fmt::format("; {} processes, each sent {} per step", processes, byte_count(sent))
            : ""));
  }

  std::vector<std::function<void(TrainingOptions&)>> apply_;
  std::vector<std::string> corpus_, valid_;
  CLI::Option *corpus_option_ = nullptr, *valid_option_ = nullptr, *min_lr_option_ = nullptr;
  std::string tokenizer_, config_, init_, output_, schedule_, storage_;
  float min_lr_ = 0;
  bool resume_ = false, shard_optimizer_ = false;
};

}  // namespace

std::unique_ptr<Command> make_train() { return std::make_unique<Train>(); }

}  // namespace glassgpt::cli
