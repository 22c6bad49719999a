// What `glassgpt profile` measures: passes over one batch, their stages' times, and what the
// machine could do at best.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"
#include "glassgpt/model.h"
#include "glassgpt/profile.h"
#include "kernels/roofs/roofs.h"

namespace glassgpt::cli {

// The machine's limits for the instruction set and the threads of the passes.
struct ProfileRoof {
  std::string isa;
  int threads;
  bool bf16 = false;  // the type of the products with weights
  kernels::Roofs measured = {};

  // Measures once more and keeps the better: whatever disturbs the machine makes a roof lower,
  // nothing makes it higher.
  void measure();

  double gflops() const { return measured.peak(isa, threads, false); }
  double product_gflops() const { return measured.peak(isa, threads, bf16); }
  // Seconds that a stage takes at least. Its activations come from the level that holds them. Its
  // weights come from the level that holds the weights of the whole pass: between two uses of one
  // matrix all the others are read.
  double least_seconds(TimedStage stage, const StageCost& cost, double pass_weight_bytes) const;
};

// All passes of one batch by one matrix-product backend.
struct Measurement {
  std::string gemm;
  std::vector<double> wall_seconds;            // a pass, clocked from outside
  std::vector<std::vector<StageTime>> stages;  // of each pass; the same stages in each
  std::vector<PassProfile> first_passes;       // whole, for the trace
};

// A stage of one block, or of all blocks together.
struct StageSummary {
  TimedStage stage;
  std::optional<std::size_t> layer;
  std::size_t calls = 0;
  double seconds = 0;  // median over the passes
  StageCost cost;
  double least_seconds = 0;  // by the roof
};

struct ProfileSummary {
  std::vector<StageSummary> stages;  // in the order of the pass, without kOther
  double other_seconds = 0;          // median
  StageSummary total;                // seconds: the median pass
  double mean_seconds = 0;           // of a pass: what a long run has, slow moments and all
  double accounted = 0;              // the stages' share of the time, median
};

// Wants the vectors of all layers and is handed them where they lie.
class AllLayers : public Observer {
 public:
  bool wants(Stage stage, std::size_t) const override {
    return stage == Stage::kEmbedding || stage == Stage::kResidual || stage == Stage::kFinal;
  }
  void on_stage(const StageView&) override {}
};

// Warms up, then measures `repeat` passes; 0: as many as take about `budget_seconds`, three at
// least.
Measurement measure_passes(const Model& model, const Batch& batch, const ForwardOptions& options,
                           std::string gemm, std::size_t repeat, Progress& progress,
                           double budget_seconds = 1.0);

ProfileSummary summarize(const Measurement& measurement, const ProfileRoof& roof, bool per_layer);

}  // namespace glassgpt::cli
