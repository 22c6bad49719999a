// Training a model from text: one call, from corpora to a model directory, that can be stopped and
// resumed at any moment.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glassgpt/config.h"
#include "glassgpt/model.h"

namespace glassgpt {

// One corpus: a text file, a .jsonl file (the "text" of each line is a document), or a folder (its
// .txt and .jsonl files, recursively, in the order of their names). In text files a blank line ends
// a document. A token of a source with weight 2 is seen twice as often as one of a source with
// weight 1.
struct CorpusSource {
  std::filesystem::path path;
  double weight = 1.0;
};

// "PATH" or "PATH:WEIGHT" (a path that exists as it stands is taken whole). Throws
// std::invalid_argument for a weight that is not a positive finite number.
CorpusSource parse_corpus_source(std::string_view text);

enum class LearningRateSchedule { kCosine, kConstant };

// Everything that decides the result is in here: same options, same files, same ISA -> same bytes,
// for any number of threads.
struct TrainingOptions {
  std::vector<CorpusSource> corpus;
  // Held-out texts, each reported by itself. Empty: documents are held out of the corpus, chosen by
  // a hash of their bytes alone, so the split is the same for every seed and order of the sources.
  std::vector<std::filesystem::path> valid;
  // Of the documents, when `valid` is empty. A corpus of which none is chosen, or most of the text,
  // gives its end instead.
  double valid_fraction = 0.005;
  std::size_t valid_tokens =
      65536;  // tokens of each held-out source looked at per evaluation, the first ones; 0: all

  std::filesystem::path tokenizer;  // directory or file; empty with `init`: the initial model's own
  std::optional<ModelConfig>
      config;  // needed unless `init` is given; vocab_size may not be less than the tokenizer's
  // A model directory to start from (fine-tuning), or empty. A run that goes on has its checkpoint.
  std::filesystem::path init;
  std::filesystem::path output;  // the run's directory
  bool resume =
      false;  // go on from the newest good checkpoint in `output`; without one, from the start

  std::size_t steps = 1000;
  std::size_t batch_tokens =
      4096;  // per step; rounded down to whole windows of n_positions, at least one
  std::size_t micro_batch_tokens =
      4096;  // per forward and backward pass; a batch larger than this is accumulated

  float learning_rate = 1e-3f;
  // The cosine's floor, at most learning_rate; empty: a tenth of that, but no more than 1e-4.
  std::optional<float> final_learning_rate;
  std::size_t warmup_steps = 100;  // linear, from 0
  LearningRateSchedule schedule = LearningRateSchedule::kCosine;
  float beta1 = 0.9f, beta2 = 0.95f, epsilon = 1e-8f;
  float weight_decay = 0.1f;  // of matrices and embedding tables; biases and norms do not decay
  // Probability with which values of the embedding and of what attention and MLP add are left out.
  float dropout = 0.0f;
  float clip_norm = 1.0f;  // global norm of the gradient; 0: no clipping
  std::uint64_t seed = 1;

  std::size_t log_every = 10;          // steps; 0: only evaluations and the end
  std::size_t eval_every = 250;        // steps; 0: only at the end
  std::size_t checkpoint_every = 250;  // steps; 0: only at the end and when stopped
  // Models kept in snapshots/, the first before any step and the last after all, denser at the
  // beginning; 0: none.
  std::size_t snapshots = 0;
  // Written at every evaluation: the prompt (empty: the beginning of a document) and what the model
  // makes of it.
  std::string sample_prompt;
  std::size_t sample_tokens = 32;  // 0: no samples

  StorageType storage =
      StorageType::kFloat32;  // of the written model.safetensors; checkpoints are always float32
  // What the products of both passes round their factors to. Parameters, gradients and moments are
  // float32 either way.
  ComputeType compute = ComputeType::kFloat32;
  int threads = 0;  // 0: default_threads()
  GemmChoice gemm = GemmChoice::kAuto;
  // Of several processes (docs/distributed.md) each keeps its share of the optimizer's state alone.
  // Changes memory, not the result.
  bool shard_optimizer = false;
};

// The options of an earlier run in `output` (what train() stored in training.json), so that
// --resume needs no repetition: the caller overrides what its user says. threads and gemm are the
// caller's. Throws Error.
TrainingOptions load_training_options(const std::filesystem::path& output);

struct TrainingProgress {
  std::size_t step, steps;  // steps done, of how many
  std::uint64_t tokens;     // seen since the start of the run
  double loss;              // nats per token, mean since the last report
  double learning_rate;
  double gradient_norm;      // of the last step, before clipping
  double tokens_per_second;  // since the last report
  double seconds_left;       // estimated, evaluations included
};

struct ValidationResult {
  // The name of the file, or of the corpus that it was held out of; where several are called so,
  // with the folders that tell them apart.
  std::string source;
  std::size_t tokens = 0;
  std::size_t bytes = 0;
  double nats_per_token = 0;
  double bits_per_byte = 0;
};

struct ValidationReport {
  std::size_t step;
  double nats_per_token;  // over all sources together
  double bits_per_byte;
  bool best;  // better than the model that is kept in best/
  std::vector<ValidationResult> sources;
};

// Each may be empty. All are called from the thread that called train().
struct TrainingCallbacks {
  std::function<void(std::string_view)> on_message;  // what is being done, one line without end
  // A checkpoint could not be written, say, or a run goes on with other kernels. It does go on.
  std::function<void(std::string_view)> on_warning;
  std::function<void(std::uint64_t done, std::uint64_t total)> on_tokenize;  // bytes
  // Every log_every steps, at every evaluation, and after the last step.
  std::function<void(const TrainingProgress&)> on_progress;
  std::function<void(const ValidationReport&)> on_validation;
  std::function<void(std::size_t step, std::string_view text)> on_sample;  // at every evaluation
  std::function<void(const std::filesystem::path&)> on_checkpoint;
  // Set (by a signal handler, say) to stop: the step under way is finished, a checkpoint is
  // written, train() returns.
  const std::atomic<bool>* stop = nullptr;
};

struct TrainingSummary {
  bool interrupted = false;    // stopped by `stop` before the last step
  std::size_t first_step = 0;  // 0, or where a resumed run went on
  std::size_t steps = 0;       // done in all
  std::uint64_t tokens = 0;    // seen in all
  double seconds = 0;          // of this call
  double tokens_per_second = 0;
  std::optional<double> loss;                  // the last report's; empty if this call made none
  std::optional<ValidationReport> validation;  // the last one
  double best_bits_per_byte = 0;               // of the model in best/; 0: there is none
  std::filesystem::path model;                 // the directory with the final model: `output`
  std::uint64_t bytes_sent = 0;                // by this process, to the others of its run
};

// Trains. `output` becomes a model directory (config.json, tokenizer.json, model.safetensors,
// renewed with every checkpoint) with log.jsonl, loss.csv and loss.svg (renewed with every
// evaluation), training.json, tokens.bin (the corpora, tokenized once), checkpoints/ (the last
// two), best/ (the best model by validation) and snapshots/ (if any are asked for). Every file is
// written whole or not at all; a run stopped or killed at any moment and called again with `resume`
// ends with the same model.safetensors as one that was never stopped. Throws std::invalid_argument
// for options that make no sense (with the field, got and expected), Error for files; an output
// directory that holds a run already is an error unless `resume` is set; one that holds a model and
// no checkpoint of a run always is.
TrainingSummary train(const TrainingOptions& options, const TrainingCallbacks& callbacks = {});

}  // namespace glassgpt
