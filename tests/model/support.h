// What the model's tests share: models with random weights that no part can hide behind, an
// observer that keeps what it sees, and a forward pass in double that was written apart from the
// one under test.
#pragma once

#include <map>
#include <ostream>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "glassgpt/model.h"

namespace glassgpt::testing {

// A configuration and its tensors in double, by their names in the file.
struct PlainModel {
  ModelConfig config;
  std::map<std::string, std::vector<double>> tensors;
};

struct NamedConfig {
  std::string name;
  ModelConfig config;
};
inline void PrintTo(const NamedConfig& config, std::ostream* out) { *out << config.name; }
// Head widths that no vector length divides, tied and untied, both forms of GELU, both position
// encodings.
const std::vector<NamedConfig>& test_configs();
ModelConfig config_named(const std::string& name);

// The tensors' values, rounded to float; the model holds the same.
struct TestModel {
  PlainModel plain;
  std::vector<float> buffer;
  Model model;
};
TestModel make_test_model(const ModelConfig& config, unsigned seed = 1);

// Stage, block, sequence, head: sequence and head are 0 but for scores and attention.
using StageKey = std::tuple<Stage, std::size_t, std::size_t, std::size_t>;

template <class T>
struct StageData {
  std::size_t rows = 0, cols = 0;
  std::vector<T> values;
  bool operator==(const StageData&) const = default;
};
using Seen = std::map<StageKey, StageData<float>>;

// Fails the test, naming the stage, where the two differ in a byte.
void expect_same_bytes(const Seen& found, const Seen& expected);

// Keeps what it wants of one pass.
class Collector : public Observer {
 public:
  Collector() = default;  // wants everything
  explicit Collector(std::vector<Stage> stages) : stages_(std::move(stages)) {}
  bool wants(Stage stage, std::size_t layer) const override;
  void on_stage(const StageView& view) override;

  Seen seen;
  std::vector<StageKey> order;

 private:
  std::vector<Stage> stages_;
};

// Sequences one behind the other.
struct OwnedBatch {
  std::vector<TokenId> ids;
  std::vector<std::size_t> offsets = {0};
  Batch batch() const { return {.ids = ids, .offsets = offsets}; }
};
std::vector<TokenId> random_ids(std::size_t count, std::size_t vocab_size, unsigned seed);
OwnedBatch make_batch(std::span<const std::vector<TokenId>> sequences);

// Every stage of one sequence (as sequence 0), in double.
std::map<StageKey, StageData<double>> reference_forward(const PlainModel& model,
                                                        std::span<const TokenId> ids);

// The largest |found - expected|, relative to the largest |expected|; infinite where a value is NaN
// or shapes differ. Minus infinity agrees with itself alone.
double relative_error(std::span<const float> found, std::span<const double> expected);

}  // namespace glassgpt::testing
