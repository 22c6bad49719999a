#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "glassgpt/error.h"
#include "glassgpt/tokenizer.h"
#include "glassgpt/train.h"
#include "io/file.h"
#include "kernels/dispatch.h"
#include "train/checkpoint.h"
#include "train/curve.h"
#include "train/hash.h"
#include "train/initial_state.h"
#include "train/learner.h"
#include "train/options.h"
#include "train/run_directory.h"
#include "train/sample.h"
#include "train/snapshots.h"
#include "train/trainer.h"
#include "train/training_data.h"
#include "train/training_log.h"

namespace glassgpt {
namespace training {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kCheckpointsKept = 2;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_due(std::uint64_t step, std::size_t every) { return every > 0 && step % every == 0; }

template <class Function, class... Arguments>
void call(const Function& function, Arguments&&... arguments) {
  if (function) function(std::forward<Arguments>(arguments)...);
}

class Run {
 public:
  Run(const TrainingOptions& options, InitialState initial, const TrainingCallbacks& callbacks,
      distributed::Communicator& ranks)
      : options_(options),
        callbacks_(callbacks),
        ranks_(ranks),
        threads_(options.threads > 0 ? options.threads : default_threads()),
        initial_(std::move(initial)),
        data_(options, initial_.tokenizer, initial_.config.n_positions, threads_, callbacks, ranks),
        identity_{config_hash(initial_.config), tokenizer_hash(initial_.tokenizer),
                  data_.file().content_hash(), options.seed},
        arithmetic_{kernels::active_kernels().isa, gemm_name(options.gemm),
                    compute_name(options.compute)},
        learner_(initial_.config, std::move(initial_.parameters),
                 {options.beta1, options.beta2, options.epsilon, options.weight_decay,
                  options.clip_norm},
                 gemm_options({threads_, options.gemm, options.compute}),
                 {&ranks, options.shard_optimizer}) {}

  TrainingSummary execute() {
    start();
    while (state_.step < options_.steps && !summary_.interrupted) {
      train_step();
      report();
      snapshot();
      summary_.interrupted = state_.step < options_.steps && stops();
      const bool must_write = summary_.interrupted || state_.step == options_.steps;
      if (must_write || is_due(state_.step, options_.checkpoint_every)) checkpoint(must_write);
    }
    return finish();
  }

 private:
  void start();
  void check_ranks();
  void resume();
  RunState read_newest_checkpoint();
  void warn_of_other_arithmetic(const Arithmetic& before) const;
  bool stops() const;
  void train_step();
  double pass(std::span<const Window> windows, std::uint64_t first_window, float d_loss);
  void report();
  void snapshot();
  TrainingProgress progress();
  ValidationReport validate();
  void checkpoint(bool must_write);
  void write_files(bool must_write);
  void export_model(const fs::path& directory);
  TrainingSummary finish();

  // For what a run of hours must not end for: a full disk, say.
  template <class Work>
  void or_warn(const Work& work) {
    try {
      work();
    } catch (const Error& error) {
      call(callbacks_.on_warning, error.what());
    }
  }

  const TrainingOptions options_;
  const TrainingCallbacks& callbacks_;
  distributed::Communicator& ranks_;
  int threads_;
  InitialState initial_;
  TrainingData data_;
  RunIdentity identity_;
  const Arithmetic arithmetic_;
  Learner learner_;
  RunState state_;
  const std::vector<std::size_t> snapshot_steps_{
      training::snapshot_steps(options_.steps, options_.snapshots)};
  std::unique_ptr<TrainingLog> log_;
  TrainingSummary summary_;
  Clock::time_point start_ = Clock::now();
  const std::uint64_t bytes_sent_before_ = ranks_.bytes_sent();
  double step_seconds_ = 0, interval_seconds_ = 0;  // in train_step alone
  std::uint64_t tokens_here_ = 0, interval_tokens_here_ = 0;
  double learning_rate_ = 0, gradient_norm_ = 0;
  bool any_rank_stops_ = false;
  std::vector<TokenId> window_, ids_, targets_;
  std::vector<std::size_t> offsets_;
};

void Run::start() {
  check_ranks();
  if (options_.resume) resume();
  state_.arithmetic = arithmetic_;
  summary_.first_step = state_.step;
  if (ranks_.is_first()) {
    io::make_directories(run_config_path(options_.output).parent_path());
    write_config(initial_.config, run_config_path(options_.output));
    write_training_options(options_, options_.output);
    initial_.tokenizer.save(options_.output / "tokenizer.json");
    log_ = std::make_unique<TrainingLog>(options_.output / "log.jsonl", state_.step);
    call(callbacks_.on_message,
         std::to_string(initial_.config.parameters()) + " parameters, " +
             std::to_string(data_.training_tokens()) + " training tokens, an epoch is " +
             std::to_string(data_.sampler().windows_per_epoch()) + " windows");
    if (state_.step == 0) snapshot();
  }
  start_ = Clock::now();
}

std::size_t windows_per_step(const TrainingOptions& options, std::size_t context) {
  return std::max<std::size_t>(1, options.batch_tokens / context);
}

// Before the first step: everything that the ranks must agree on.
void Run::check_ranks() {
  if (ranks_.is_alone()) return;
  const std::size_t context = initial_.config.n_positions;
  const auto ranks = static_cast<std::size_t>(ranks_.size());
  if (windows_per_step(options_, context) < ranks) {
    throw Error(ErrorCode::kUnsupported, "",
                "a batch of " + std::to_string(windows_per_step(options_, context)) +
                    " windows cannot be shared out among " + std::to_string(ranks) + " processes",
                "start fewer of them, or take --batch-tokens " + std::to_string(ranks * context) +
                    " or more");
  }
  const std::vector<float>& parameters = learner_.parameters();
  distributed::check_same(
      ranks_, {{"model configuration", identity_.config},
               {"tokenizer", identity_.tokenizer},
               {"corpus", identity_.data},
               {"initial model",
                Hasher().add_bytes(parameters.data(), parameters.size() * sizeof(float)).value()}});
}

// Rank 0 chooses the checkpoint, all read it.
void Run::resume() {
  learner_.make_room_for_moments();
  std::uint64_t step = 0;
  if (ranks_.is_first()) {
    state_ = read_newest_checkpoint();
    step = state_.step;
  }
  ranks_.broadcast(&step, sizeof step);
  if (!ranks_.is_first() && step > 0)
    state_ = read_checkpoint(checkpoint_path(options_.output, step), learner_, identity_);
  learner_.keep_own_moments();
  if (ranks_.is_first() && state_.step < options_.steps)
    warn_of_other_arithmetic(state_.arithmetic);
}

void Run::warn_of_other_arithmetic(const Arithmetic& before) const {
  const auto compare = [&](const char* what, const char* option, const std::string& then,
                           const std::string& now) {
    if (then.empty() || then == now) return;
    call(callbacks_.on_warning,
         std::string("the run's ") + what + " was " + then + " so far, now it is " + now +
             ": the result will not have the bytes of an uninterrupted run (see " + option + ")");
  };
  compare("instruction set", "--isa", before.isa, arithmetic_.isa);
  compare("matrix product", "--gemm", before.gemm, arithmetic_.gemm);
  compare("type of products", "--dtype", before.compute, arithmetic_.compute);
}

// The newest checkpoint that is whole. A damaged one costs the steps since the one before; none at
// all: from the start.
RunState Run::read_newest_checkpoint() {
  const std::vector<fs::path> checkpoints = list_checkpoints(options_.output);
  for (const fs::path& file : checkpoints) {
    try {
      RunState state = read_checkpoint(file, learner_, identity_);
      call(callbacks_.on_message, "resuming from " + file.string());
      return state;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kUnsupported || file == checkpoints.back()) throw;
      call(callbacks_.on_warning, error.what());
    }
  }
  return {};
}

bool Run::stops() const {
  if (!ranks_.is_alone()) return any_rank_stops_;
  return callbacks_.stop != nullptr && callbacks_.stop->load(std::memory_order_relaxed);
}

// What each rank tells the others after a step.
struct RankReport {
  double nats;
  bool stops;
};

void Run::train_step() {
  const Clock::time_point start = Clock::now();
  const std::size_t context = learner_.config().n_positions;
  std::vector<Window> windows(windows_per_step(options_, context));
  const std::uint64_t first_window = state_.windows;
  std::uint64_t tokens = 0;
  for (Window& window : windows) {
    window = data_.sampler().window(state_.windows++);
    tokens += window.length;
  }
  const std::size_t per_pass = std::max<std::size_t>(1, options_.micro_batch_tokens / context);
  const float d_loss = 1.0f / static_cast<float>(tokens);
  const auto own = distributed::piece_of(windows.size(), ranks_.rank(), ranks_.size());
  double own_nats = 0;
  for (std::size_t at = own.begin; at < own.end; at += per_pass) {
    const std::size_t count = std::min(per_pass, own.end - at);
    if (at + count == own.end) learner_.sum_with_next_pass();
    own_nats += pass(std::span(windows).subspan(at, count), first_window + at, d_loss);
  }
  ++state_.step;
  learning_rate_ = learning_rate_at(options_, state_.step);
  gradient_norm_ = learner_.update(state_.step, learning_rate_);
  double nats = 0;
  for (const RankReport& rank : distributed::gather_values(
           ranks_, RankReport{own_nats, callbacks_.stop != nullptr && callbacks_.stop->load()})) {
    nats += rank.nats;
    any_rank_stops_ = any_rank_stops_ || rank.stops;
  }
  if (!std::isfinite(nats) || !std::isfinite(gradient_norm_)) {
    throw Error(ErrorCode::kOutOfRange, options_.output.string(),
                "the loss or its gradient is not finite at step " + std::to_string(state_.step),
                "resume from the last checkpoint with a lower learning rate");
  }
  state_.tokens += tokens;
  state_.interval_loss += nats;
  state_.interval_tokens += tokens;
  const double seconds = seconds_since(start);
  step_seconds_ += seconds;
  interval_seconds_ += seconds;
  tokens_here_ += tokens;
  interval_tokens_here_ += tokens;
}

double Run::pass(std::span<const Window> windows, std::uint64_t first_window, float d_loss) {
  ids_.clear();
  targets_.clear();
  offsets_.assign(1, 0);
  for (const Window& window : windows) {
    window_.resize(window.length + 1);
    data_.file().read(window.stream, window.begin, window_);
    ids_.insert(ids_.end(), window_.begin(), window_.end() - 1);
    targets_.insert(targets_.end(), window_.begin() + 1, window_.end());
    offsets_.push_back(ids_.size());
  }
  if (options_.dropout == 0) return learner_.accumulate({ids_, offsets_}, targets_, d_loss);
  // By the window's number in the run: an interrupted run leaves out what a whole one does.
  std::vector<std::uint64_t> keys(windows.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    keys[i] = Hasher().add("dropout").add(options_.seed).add(first_window + i).value();
  const Dropout dropout(options_.dropout, std::move(keys));
  return learner_.accumulate({ids_, offsets_}, targets_, d_loss, &dropout);
}

void Run::report() {
  if (!ranks_.is_first()) return;
  const bool last = state_.step == options_.steps;
  const bool evaluate =
      !data_.validator().empty() && (is_due(state_.step, options_.eval_every) || last);
  if (!evaluate && !last && !is_due(state_.step, options_.log_every)) return;
  const TrainingProgress now = progress();
  call(callbacks_.on_progress, now);
  std::string sample;
  if (evaluate) {
    summary_.validation = validate();
    if (options_.sample_tokens > 0)
      sample = sample_text(learner_, initial_.tokenizer, options_.sample_prompt,
                           options_.sample_tokens, {threads_, options_.gemm});
  }
  or_warn([&] {
    log_->append(now, evaluate ? &*summary_.validation : nullptr, sample);
    if (evaluate) write_curve(options_.output);
  });
  if (evaluate) call(callbacks_.on_validation, *summary_.validation);
  if (!sample.empty()) call(callbacks_.on_sample, state_.step, sample);
}

void Run::snapshot() {
  if (!ranks_.is_first() ||
      !std::binary_search(snapshot_steps_.begin(), snapshot_steps_.end(), state_.step)) {
    return;
  }
  or_warn([&] { export_model(snapshot_path(options_.output, state_.step)); });
}

TrainingProgress Run::progress() {
  const double steps_here = static_cast<double>(state_.step - summary_.first_step);
  TrainingProgress now{.step = state_.step,
                       .steps = options_.steps,
                       .tokens = state_.tokens,
                       .loss = state_.interval_loss / static_cast<double>(state_.interval_tokens),
                       .learning_rate = learning_rate_,
                       .gradient_norm = gradient_norm_,
                       .tokens_per_second = static_cast<double>(interval_tokens_here_) /
                                            std::max(interval_seconds_, 1e-9),
                       .seconds_left = seconds_since(start_) / steps_here *
                                       static_cast<double>(options_.steps - state_.step)};
  summary_.loss = now.loss;
  state_.interval_loss = 0;
  state_.interval_tokens = 0;
  interval_seconds_ = 0;
  interval_tokens_here_ = 0;
  return now;
}

ValidationReport Run::validate() {
  ValidationReport report = data_.validator().run(learner_, options_.micro_batch_tokens);
  report.step = state_.step;
  report.best = !state_.best_bits_per_byte || report.bits_per_byte < *state_.best_bits_per_byte;
  if (report.best) {
    or_warn([&] {
      export_model(options_.output / "best");
      // Not before: a model that could not be kept must not stand in the way of the next one.
      state_.best_bits_per_byte = report.bits_per_byte;
    });
  }
  return report;
}

void Run::export_model(const fs::path& directory) {
  save_model(learner_.config(),
             learner_.layout().tensors(static_cast<const float*>(learner_.parameters().data())),
             directory, options_.storage);
  initial_.tokenizer.save(directory / "tokenizer.json");
}

void Run::checkpoint(bool must_write) {
  learner_.gather_moments();
  if (ranks_.is_first()) write_files(must_write);
  learner_.keep_own_moments();
  // Nobody is done before the last checkpoint is there.
  if (must_write) ranks_.barrier();
}

void Run::write_files(bool must_write) {
  const fs::path file = checkpoint_path(options_.output, state_.step);
  const auto done = [&](const char* otherwise, const auto& work) {
    try {
      work();
      return true;
    } catch (const Error& error) {
      if (must_write) throw;
      call(callbacks_.on_warning, std::string(otherwise) + ": " + error.what());
      return false;
    }
  };
  const bool is_safe = done("no checkpoint was written", [&] {
    write_checkpoint(file, learner_, state_, identity_);
    remove_old_checkpoints(options_.output, kCheckpointsKept);
  });
  if (!is_safe) return;
  done("the checkpoint was written, but not the model", [&] { export_model(options_.output); });
  call(callbacks_.on_checkpoint, file);
}

TrainingSummary Run::finish() {
  if (ranks_.is_first()) {
    or_warn([&] { write_curve(options_.output); });
    // Also when there was nothing left to do: an earlier call may have been killed before this.
    if (summary_.first_step == state_.step) export_model(options_.output);
  }
  summary_.steps = state_.step;
  summary_.tokens = state_.tokens;
  summary_.seconds = seconds_since(start_);
  if (step_seconds_ > 0) {
    summary_.tokens_per_second = static_cast<double>(tokens_here_) / step_seconds_;
  }
  summary_.best_bits_per_byte = state_.best_bits_per_byte.value_or(0);
  summary_.model = options_.output;
  summary_.bytes_sent = ranks_.bytes_sent() - bytes_sent_before_;
  return summary_;
}

// What a run that goes on starts from. Its checkpoints and its folder hold all that the initial
// model and the tokenizer brought: these may be gone.
InitialState own_state(TrainingOptions options) {
  options.init.clear();
  if (!options.config) options.config = read_config(run_config_path(options.output));
  std::error_code ignored;
  const bool has_tokenizer = fs::exists(options.output / "tokenizer.json", ignored);
  if (options.tokenizer.empty() || (has_tokenizer && !fs::exists(options.tokenizer, ignored)))
    options.tokenizer = options.output;
  return initial_state(options, options.threads);
}

// A checkpoint has weights of its own, whatever initial model is named.
void warn_of_another_start(const TrainingOptions& options, const TrainingCallbacks& callbacks) {
  if (options.init.empty()) return;
  const auto plain = [](const fs::path& path) {
    const fs::path whole = fs::absolute(path).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
  };
  try {
    const fs::path start = load_training_options(options.output).init;
    if (!start.empty() && plain(start) == plain(options.init)) return;
    call(callbacks.on_warning, options.init.string() +
                                   " is not read: the run goes on from its checkpoint; to start "
                                   "from that model, choose another output directory");
  } catch (const Error& error) {
    call(callbacks.on_warning, error.what());
  }
}

enum class Found : std::uint8_t { kNothing, kRun, kModel };

// A run's model is written after its first checkpoint: a model without checkpoints is somebody's
// finished work.
Found look_into(const fs::path& output) {
  if (!list_checkpoints(output).empty()) return Found::kRun;
  std::error_code ignored;
  for (const char* weights : {"model.safetensors", "model.safetensors.index.json"})
    if (fs::exists(output / weights, ignored)) return Found::kModel;
  return Found::kNothing;
}

// All options that the ranks must share: their threads are their own.
std::uint64_t options_hash(const TrainingOptions& options) {
  return Hasher()
      .add(training_options_text(options))
      .add(fs::absolute(options.output).string())
      .add(options.config ? config_hash(*options.config) : 0)
      .add(static_cast<std::uint64_t>(options.gemm))
      .add(options.resume ? 1 : 0)
      .add(options.shard_optimizer ? 1 : 0)
      .value();
}

}  // namespace

TrainingSummary train(const TrainingOptions& options, const TrainingCallbacks& callbacks,
                      distributed::Communicator& ranks) {
  check_options(options);
  distributed::check_same(ranks, {{"instruction set (choose one with --isa)",
                                   Hasher().add(kernels::active_kernels().isa).value()},
                                  {"set of options", options_hash(options)}});
  // One process locks it, makes it, and looks into it; all go the way that it finds.
  std::optional<RunDirectory> directory;
  Found found = Found::kNothing;
  if (ranks.is_first()) {
    found = look_into(options.output);
    if (found != Found::kModel) {  // which is left as it is, without a lock
      directory.emplace(options.output);
      found = look_into(options.output);
    }
  }
  ranks.broadcast(&found, sizeof found);
  if (found == Found::kModel) {
    throw Error(
        ErrorCode::kUnwritable, options.output.string(),
        "holds a model and no checkpoint: a new run would overwrite it",
        "choose another output directory; to train on from that model, name it with --init");
  }
  if (found == Found::kNothing) {
    check_new_run(options);
    return Run(options, initial_state(options, options.threads), callbacks, ranks).execute();
  }
  if (!options.resume) {
    throw Error(ErrorCode::kUnwritable, options.output.string(), "holds a run already",
                "go on with --resume, or choose another output directory");
  }
  if (ranks.is_first()) warn_of_another_start(options, callbacks);
  return Run(options, own_state(options), callbacks, ranks).execute();
}

}  // namespace training

TrainingSummary train(const TrainingOptions& options, const TrainingCallbacks& callbacks) {
  distributed::Communicator alone;
  return training::train(options, callbacks, alone);
}

}  // namespace glassgpt
