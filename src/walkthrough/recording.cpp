#include "walkthrough/recording.h"

#include "model/parts.h"

namespace glassgpt::walkthrough {
namespace {

class Recorder : public Observer {
 public:
  Recorder(Recording& recording, bool with_logits)
      : recording_(recording), with_logits_(with_logits) {}

  bool wants(Stage stage, std::size_t) const override {
    return stage == Stage::kLogits ? with_logits_ : place_of(stage) != nullptr;
  }

  // Stages come block by block, heads in their order, so that appending fills every shape.
  void on_stage(const StageView& view) override {
    Tensor& tensor = *place_of(view.stage);
    for (std::size_t r = 0; r < view.rows; ++r) {
      const float* row = view.data + r * view.stride;
      const std::size_t cols = tensor.layout == Layout::kLower ? r + 1 : view.cols;
      tensor.values.insert(tensor.values.end(), row, row + cols);
    }
    if (view.stage == Stage::kEmbedding) {
      recording_.input.values = recording_.residual.values;
    }
  }

 private:
  Tensor* place_of(Stage stage) const {
    switch (stage) {
      case Stage::kPosition:
        return &recording_.position;
      case Stage::kEmbedding:
      case Stage::kResidual:
        return &recording_.residual;
      case Stage::kQ:
        return &recording_.q;
      case Stage::kK:
        return &recording_.k;
      case Stage::kV:
        return &recording_.v;
      case Stage::kScores:
        return &recording_.scores;
      case Stage::kAttention:
        return &recording_.weights;
      case Stage::kAttentionHeads:
        return &recording_.heads;
      case Stage::kAttentionOut:
        return &recording_.attention_out;
      case Stage::kResidualMid:
        return &recording_.residual_mid;
      case Stage::kMlpOut:
        return &recording_.mlp_out;
      case Stage::kFinal:
        return &recording_.final;
      case Stage::kLogits:
        return &recording_.logits;
      default:
        return nullptr;
    }
  }

  Recording& recording_;
  bool with_logits_;
};

}  // namespace

Recording record(const Model& model, std::span<const TokenId> ids, const ForwardOptions& options) {
  const ModelConfig& config = model.config();
  const std::size_t tokens = ids.size(), width = config.n_embd, layers = config.n_layer;
  Recording recording;
  recording.position.shape = recording.input.shape = recording.final.shape = {tokens, width};
  for (Tensor* tensor : {&recording.q, &recording.k, &recording.v, &recording.heads,
                         &recording.attention_out, &recording.residual_mid, &recording.mlp_out}) {
    tensor->shape = {layers, tokens, width};
  }
  for (Tensor* tensor : {&recording.scores, &recording.weights}) {
    *tensor = {{layers, config.n_head, tokens, tokens}, Layout::kLower, {}};
  }
  recording.residual.shape = {layers + 1, tokens, width};
  recording.logits.shape = {tokens, config.vocab_size};
  const bool with_logits = model.parts().tensors.lm_head != nullptr;
  Recorder recorder(recording, with_logits);
  const std::size_t offsets[] = {0, tokens};
  model.forward(Batch{ids, offsets}, recorder, options);
  return recording;
}

}  // namespace glassgpt::walkthrough
