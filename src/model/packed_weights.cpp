#include "model/parts.h"

namespace glassgpt {

using kernels::WeightMatrix;

PackedWeights::PackedWeights(const ModelConfig& config, const ModelTensors<const float>& tensors) {
  const std::size_t width = config.n_embd, inner = config.inner();
  blocks.reserve(tensors.blocks.size());
  for (const BlockTensors<const float>& block : tensors.blocks) {
    blocks.push_back({
        .qkv = WeightMatrix(width, 3 * width, block.attention_qkv_weight, 3 * width, false),
        .attention_out = WeightMatrix(width, width, block.attention_out_weight, width, false),
        .mlp_in = WeightMatrix(width, inner, block.mlp_in_weight, inner, false),
        .mlp_out = WeightMatrix(inner, width, block.mlp_out_weight, width, false),
    });
  }
  if (tensors.lm_head != nullptr)
    lm_head = WeightMatrix(width, config.vocab_size, tensors.lm_head, width, true);
}

void PackedWeights::pack_blocks(std::size_t begin, std::size_t end,
                                const kernels::GemmOptions& options) {
  for (std::size_t k = begin; k < end; ++k) {
    blocks[k].qkv.pack(options);
    blocks[k].attention_out.pack(options);
    blocks[k].mlp_in.pack(options);
    blocks[k].mlp_out.pack(options);
  }
}

void PackedWeights::pack(const kernels::GemmOptions& options, bool with_lm_head) {
  pack_blocks(0, blocks.size(), options);
  if (with_lm_head) lm_head.pack(options);
}

std::size_t PackedWeights::packed_bytes() const noexcept {
  std::size_t bytes = lm_head.packed_bytes();
  for (const PackedBlock& block : blocks)
    bytes += block.qkv.packed_bytes() + block.attention_out.packed_bytes() +
             block.mlp_in.packed_bytes() + block.mlp_out.packed_bytes();
  return bytes;
}

}  // namespace glassgpt
