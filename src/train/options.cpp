#include "train/options.h"

#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>
#include <system_error>

#include "glassgpt/error.h"
#include "io/file.h"
#include "io/json.h"

namespace glassgpt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFileName = "training.json";

// The one list of the plain fields, read and written alike.
template <class Options, class Visit>
void visit_fields(Options& options, const Visit& visit) {
  visit("valid_fraction", options.valid_fraction);
  visit("valid_tokens", options.valid_tokens);
  visit("steps", options.steps);
  visit("batch_tokens", options.batch_tokens);
  visit("micro_batch_tokens", options.micro_batch_tokens);
  visit("learning_rate", options.learning_rate);
  visit("warmup_steps", options.warmup_steps);
  visit("beta1", options.beta1);
  visit("beta2", options.beta2);
  visit("epsilon", options.epsilon);
  visit("weight_decay", options.weight_decay);
  visit("clip_norm", options.clip_norm);
  visit("dropout", options.dropout);
  visit("seed", options.seed);
  visit("log_every", options.log_every);
  visit("eval_every", options.eval_every);
  visit("checkpoint_every", options.checkpoint_every);
  visit("snapshots", options.snapshots);
  visit("sample_prompt", options.sample_prompt);
  visit("sample_tokens", options.sample_tokens);
}

constexpr const char* kSchedules[] = {"cosine", "constant"};
constexpr const char* kStorageTypes[] = {"float32", "float16", "bfloat16"};
constexpr const char* kComputeTypes[] = {"float32", "bfloat16"};
constexpr const char* kGemmChoices[] = {"auto", "simd", "blas", "reference"};

template <class Enum, std::size_t n>
Enum enum_from(const json& value, const char* const (&names)[n]) {
  const std::string text = value.get<std::string>();
  for (std::size_t i = 0; i < n; ++i) {
    if (text == names[i]) return static_cast<Enum>(i);
  }
  throw std::invalid_argument("unknown value \"" + text + "\"");
}

// JSON holds no other texts.
bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(json(text).dump());
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

std::string absolute_text(const fs::path& path) {
  if (path.empty()) return {};
  std::string text = fs::absolute(path).lexically_normal().string();
  if (!is_utf8(text)) {
    throw Error(ErrorCode::kUnsupported, text,
                std::string("is a path that is not UTF-8, which ") + kFileName + " cannot hold",
                "rename it, or name it by a link");
  }
  return text;
}

void read_fields(const json& object, TrainingOptions& options) {
  for (const json& source : object.at("corpus")) {
    options.corpus.push_back(
        {source.at("path").get<std::string>(), source.at("weight").get<double>()});
  }
  for (const json& path : object.at("valid")) options.valid.emplace_back(path.get<std::string>());
  options.tokenizer = object.at("tokenizer").get<std::string>();
  options.init = object.at("init").get<std::string>();
  options.schedule = enum_from<LearningRateSchedule>(object.at("schedule"), kSchedules);
  options.storage = enum_from<StorageType>(object.at("storage"), kStorageTypes);
  // A run of an earlier version does not know the newer fields: their defaults do what it did.
  if (object.contains("compute"))
    options.compute = enum_from<ComputeType>(object["compute"], kComputeTypes);
  if (object.contains("final_learning_rate"))
    options.final_learning_rate = object["final_learning_rate"].get<float>();
  visit_fields(options, [&](const char* name, auto& field) {
    if (object.contains(name)) field = object[name].get<std::remove_reference_t<decltype(field)>>();
  });
}

template <class T>
[[noreturn]] void bad(const char* field, const T& got, const char* expected) {
  throw std::invalid_argument(std::string("TrainingOptions: ") + field + " is " +
                              std::to_string(got) + ", expected " + expected);
}

void check_rates(const TrainingOptions& o) {
  const auto positive = [](const char* field, double value) {
    if (!(value > 0 && std::isfinite(value))) bad(field, value, "a positive number");
  };
  const auto not_negative = [](const char* field, double value) {
    if (!(value >= 0 && std::isfinite(value))) bad(field, value, "zero or a positive number");
  };
  const auto below_one = [](const char* field, double value) {
    if (!(value >= 0 && value < 1)) bad(field, value, "at least 0 and less than 1");
  };
  positive("learning_rate", o.learning_rate);
  if (o.final_learning_rate) not_negative("final_learning_rate", *o.final_learning_rate);
  positive("epsilon", o.epsilon);
  not_negative("weight_decay", o.weight_decay);
  not_negative("clip_norm", o.clip_norm);
  below_one("beta1", o.beta1);
  below_one("beta2", o.beta2);
  below_one("dropout", o.dropout);
  below_one("valid_fraction", o.valid_fraction);
  for (const CorpusSource& source : o.corpus) positive("a corpus' weight", source.weight);
}

}  // namespace

CorpusSource parse_corpus_source(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::error_code ignored;
  if (colon == std::string_view::npos || fs::exists(fs::path(text), ignored)) return {text, 1.0};
  const std::string number(text.substr(colon + 1));
  double weight = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (number.empty() || error != std::errc() || end != number.data() + number.size() ||
      !(weight > 0 && std::isfinite(weight))) {
    throw std::invalid_argument("corpus \"" + std::string(text) + "\": got the weight \"" + number +
                                "\", expected PATH or PATH:WEIGHT with a positive number");
  }
  return {text.substr(0, colon), weight};
}

TrainingOptions load_training_options(const fs::path& output) {
  const fs::path file = output / kFileName;
  const json object = io::read_json(file);
  TrainingOptions options;
  try {
    read_fields(object, options);
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kMalformed, file.string(),
                std::string("is not what train() wrote: ") + error.what());
  }
  options.config = read_config(training::run_config_path(output));
  options.output = output;
  return options;
}

namespace training {

const char* gemm_name(GemmChoice gemm) noexcept { return kGemmChoices[static_cast<int>(gemm)]; }

const char* compute_name(ComputeType compute) noexcept {
  return kComputeTypes[static_cast<int>(compute)];
}

void check_options(const TrainingOptions& options) {
  if (options.corpus.empty()) {
    throw std::invalid_argument("TrainingOptions: corpus is empty, expected at least one path");
  }
  if (options.output.empty()) {
    throw std::invalid_argument("TrainingOptions: output is empty, expected a directory");
  }
  if (!options.config && options.init.empty()) {
    throw std::invalid_argument("TrainingOptions: got neither config nor init, expected one");
  }
  if (options.tokenizer.empty() && options.init.empty()) {
    throw std::invalid_argument("TrainingOptions: got neither tokenizer nor init, expected one");
  }
  if (options.config) options.config->validate();
  if (options.steps == 0) bad("steps", options.steps, "at least 1");
  if (options.threads < 0) bad("threads", options.threads, "0 or more");
  if (options.compute == ComputeType::kBFloat16 && options.gemm != GemmChoice::kAuto &&
      options.gemm != GemmChoice::kSimd) {
    throw std::invalid_argument(
        "TrainingOptions: compute is bfloat16, expected gemm to be auto or simd");
  }
  check_rates(options);
}

void check_new_run(const TrainingOptions& options) {
  if (options.schedule == LearningRateSchedule::kCosine && options.final_learning_rate &&
      *options.final_learning_rate > options.learning_rate) {
    bad("final_learning_rate", *options.final_learning_rate,
        "at most learning_rate with the cosine schedule, which would climb to it");
  }
}

std::string training_options_text(const TrainingOptions& options) {
  if (!is_utf8(options.sample_prompt)) {
    throw Error(ErrorCode::kUnsupported, "", "the prompt of the samples is not UTF-8",
                std::string("write it in UTF-8: ") + kFileName + " holds nothing else");
  }
  json object{{"tokenizer", absolute_text(options.tokenizer)},
              {"init", absolute_text(options.init)},
              {"schedule", kSchedules[static_cast<int>(options.schedule)]},
              {"storage", kStorageTypes[static_cast<int>(options.storage)]},
              {"compute", compute_name(options.compute)},
              {"corpus", json::array()},
              {"valid", json::array()}};
  for (const CorpusSource& source : options.corpus) {
    object["corpus"].push_back({{"path", absolute_text(source.path)}, {"weight", source.weight}});
  }
  for (const fs::path& path : options.valid) object["valid"].push_back(absolute_text(path));
  if (options.final_learning_rate) object["final_learning_rate"] = *options.final_learning_rate;
  visit_fields(options, [&](const char* name, const auto& field) { object[name] = field; });
  return object.dump(2) + "\n";
}

void write_training_options(const TrainingOptions& options, const fs::path& run) {
  io::write_file(run / kFileName, training_options_text(options));
}

fs::path run_config_path(const fs::path& run) { return run / "checkpoints" / "config.json"; }

}  // namespace training
}  // namespace glassgpt
