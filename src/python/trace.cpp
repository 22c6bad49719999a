// Every named stage of the pass over one text.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "glassgpt/observer.h"
#include "model/parts.h"
#include "python/bindings.h"

namespace glassgpt::python {
namespace {

bool is_matrix_per_head(Stage stage) {
  return stage == Stage::kScores || stage == Stage::kAttention;
}

// Keeps the wanted stages, each as one array: [T, cols], with the blocks in front for what is in a
// block, [L, T, cols], and the heads for attention, [L, H, T, T].
class Recorder : public Observer {
 public:
  Recorder(const ModelConfig& config, std::size_t tokens, const std::vector<Stage>& stages)
      : config_(config) {
    for (const Stage stage : stages) arrays_.emplace(stage, shape_of(stage, tokens));
  }

  bool wants(Stage stage, std::size_t) const override { return arrays_.contains(stage); }

  void on_stage(const StageView& view) override {
    if (view.data == nullptr) return;
    const std::size_t part =
        is_matrix_per_head(view.stage) ? view.layer * config_.n_head + view.head : view.layer;
    float* out = arrays_.at(view.stage).data() + part * view.rows * view.cols;
    for (std::size_t r = 0; r < view.rows; ++r)
      out = std::copy_n(view.data + r * view.stride, view.cols, out);
  }

  py::array_t<float> release(Stage stage) { return arrays_.at(stage).release(); }

 private:
  std::vector<std::size_t> shape_of(Stage stage, std::size_t tokens) const {
    if (is_matrix_per_head(stage)) return {config_.n_layer, config_.n_head, tokens, tokens};
    const std::size_t cols = stage == Stage::kMlpHidden ? config_.inner()
                             : stage == Stage::kLogits  ? config_.vocab_size
                                                        : config_.n_embd;
    if (stage_is_per_block(stage)) return {config_.n_layer, tokens, cols};
    return {tokens, cols};
  }

  const ModelConfig& config_;
  std::map<Stage, FloatArray> arrays_;
};

std::vector<std::string> stage_names(const Engine& engine) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(Stage::kLogits); ++i) {
    const Stage stage = static_cast<Stage>(i);
    if (stage == Stage::kTokens) continue;
    // What GPT2Model saved has no output matrix.
    if (stage == Stage::kLogits && engine.model.parts().tensors.lm_head == nullptr) continue;
    names.emplace_back(stage_name(stage));
  }
  return names;
}

std::vector<Stage> stages_of(const Engine& engine, const std::vector<std::string>& names) {
  std::vector<Stage> stages;
  for (const std::string& name : names) {
    const auto stage = stage_from_name(name);
    if (!stage || *stage == Stage::kTokens) {
      throw std::invalid_argument(fmt::format("there is no stage '{}'; there are {}", name,
                                              fmt::join(stage_names(engine), ", ")));
    }
    stages.push_back(*stage);
  }
  std::sort(stages.begin(), stages.end());
  stages.erase(std::unique(stages.begin(), stages.end()), stages.end());
  return stages;
}

// {name: array}, in the order of the pass.
py::dict trace(const Engine& engine, const std::vector<TokenId>& ids,
               const std::vector<std::string>& names, int threads, const std::string& gemm,
               const std::string& dtype) {
  const ForwardOptions options = forward_options(threads, gemm, dtype);
  const std::vector<Stage> stages = stages_of(engine, names);
  const std::size_t context = engine.model.config().n_positions;
  if (ids.size() > context)
    throw std::invalid_argument(
        fmt::format("the text has {} tokens, {} more than the model's context of {}; shorten it",
                    ids.size(), ids.size() - context, context));
  std::unique_ptr<Recorder> recorder;
  {
    const py::gil_scoped_release released;
    recorder = std::make_unique<Recorder>(engine.model.config(), ids.size(), stages);
    const std::size_t offsets[] = {0, ids.size()};
    engine.model.forward({.ids = ids, .offsets = offsets}, *recorder, options);
  }
  py::dict out;
  for (const Stage stage : stages)
    out[py::str(std::string(stage_name(stage)))] = recorder->release(stage);
  return out;
}

}  // namespace

void define_trace(py::class_<Engine>& engine) {
  engine.def("stages", &stage_names)
      .def("trace", &trace, py::arg("ids"), py::kw_only(), py::arg("stages"), py::arg("threads"),
           py::arg("gemm"), py::arg("dtype"));
}

}  // namespace glassgpt::python
