#include <initializer_list>

#include "model/parts.h"

namespace glassgpt {
namespace {

// Every tensor of a model, in file order, as member, name and shape: the one list that the layout,
// the files and the initialisation are made from. Calls visit(pointer, name, shape) for each.
template <class T, class Visit>
void visit_block(BlockTensors<T>& block, const ModelConfig& config, const std::string& prefix,
                 const Visit& visit) {
  const std::size_t width = config.n_embd, inner = config.inner();
  visit(block.ln_1_weight, prefix + "ln_1.weight", {width});
  visit(block.ln_1_bias, prefix + "ln_1.bias", {width});
  visit(block.attention_qkv_weight, prefix + "attn.c_attn.weight", {width, 3 * width});
  visit(block.attention_qkv_bias, prefix + "attn.c_attn.bias", {3 * width});
  visit(block.attention_out_weight, prefix + "attn.c_proj.weight", {width, width});
  visit(block.attention_out_bias, prefix + "attn.c_proj.bias", {width});
  visit(block.ln_2_weight, prefix + "ln_2.weight", {width});
  visit(block.ln_2_bias, prefix + "ln_2.bias", {width});
  visit(block.mlp_in_weight, prefix + "mlp.c_fc.weight", {width, inner});
  visit(block.mlp_in_bias, prefix + "mlp.c_fc.bias", {inner});
  visit(block.mlp_out_weight, prefix + "mlp.c_proj.weight", {inner, width});
  visit(block.mlp_out_bias, prefix + "mlp.c_proj.bias", {width});
}

template <class T, class Visit>
void visit_model(ModelTensors<T>& model, const ModelConfig& config, const Visit& visit) {
  const std::size_t width = config.n_embd;
  visit(model.token_embedding, "wte.weight", {config.vocab_size, width});
  visit(model.position_embedding, "wpe.weight", {config.n_positions, width});
  model.blocks.resize(config.n_layer);
  for (std::size_t k = 0; k < config.n_layer; ++k)
    visit_block(model.blocks[k], config, "h." + std::to_string(k) + ".", visit);
  visit(model.ln_f_weight, "ln_f.weight", {width});
  visit(model.ln_f_bias, "ln_f.bias", {width});
  if (config.tie_word_embeddings)
    model.lm_head = model.token_embedding;
  else
    visit(model.lm_head, "lm_head.weight", {config.vocab_size, width});
}

using Shape = std::initializer_list<std::size_t>;

std::size_t product(Shape shape) noexcept {
  std::size_t size = 1;
  for (const std::size_t extent : shape) size *= extent;
  return size;
}

template <class T>
ModelTensors<T> tensors_in_buffer(const ModelConfig& config, T* buffer) {
  ModelTensors<T> model{};
  visit_model(model, config, [&](T*& tensor, const std::string&, Shape shape) {
    tensor = buffer;
    buffer += product(shape);
  });
  return model;
}

}  // namespace

TensorLayout::TensorLayout(const ModelConfig& config) : config_(config) {
  ModelTensors<const float> unused{};
  visit_model(unused, config, [&](const float*&, const std::string& name, Shape shape) {
    const bool is_position_table = name == "wpe.weight";
    entries.push_back({
        .name = name,
        .shape = shape,
        .offset = size,
        .size = product(shape),
        .decays = shape.size() == 2,
        .trained = !is_position_table || config.position_encoding == PositionEncoding::kLearned,
    });
    size += entries.back().size;
  });
}

ModelTensors<float> TensorLayout::tensors(float* buffer) const {
  return tensors_in_buffer(config_, buffer);
}

ModelTensors<const float> TensorLayout::tensors(const float* buffer) const {
  return tensors_in_buffer(config_, buffer);
}

std::vector<const float*> tensor_list(const ModelConfig& config,
                                      const ModelTensors<const float>& tensors) {
  std::vector<const float*> list;
  ModelTensors<const float> model = tensors;
  visit_model(model, config,
              [&](const float*& tensor, const std::string&, Shape) { list.push_back(tensor); });
  return list;
}

ModelTensors<const float> tensors_from_list(const ModelConfig& config,
                                            std::span<const float* const> list) {
  ModelTensors<const float> model{};
  auto next = list.begin();
  visit_model(model, config,
              [&](const float*& tensor, const std::string&, Shape) { tensor = *next++; });
  return model;
}

}  // namespace glassgpt
