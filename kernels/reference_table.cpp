#include "kernels/reference_table.h"

#include "kernels/dispatch.h"

namespace glassgpt::kernels {

const KernelTable& reference_table() {
  static const KernelTable table = [] {
    KernelTable t = *supported_kernels().front();
    t.isa = "reference";
    t.lanes = 1;
    t.layer_norm = layer_norm_reference;
    t.layer_norm_backward = layer_norm_backward_reference;
    t.layer_norm_backward_parameters = layer_norm_backward_parameters_reference;
    t.softmax = softmax_reference;
    t.softmax_backward = softmax_backward_reference;
    t.gelu_tanh = gelu_tanh_reference;
    t.gelu_erf = gelu_erf_reference;
    t.gelu_tanh_backward = gelu_tanh_backward_reference;
    t.gelu_erf_backward = gelu_erf_backward_reference;
    t.embedding_gather = embedding_gather_reference;
    t.embedding_scatter_add = embedding_scatter_add_reference;
    t.sinusoidal_positions = sinusoidal_positions_reference;
    t.cross_entropy = cross_entropy_reference;
    t.adamw = adamw_reference;
    t.cosine_similarity = cosine_similarity_reference;
    t.skip_gram = skip_gram_reference;
    t.exp = exp_reference;
    t.tanh = tanh_reference;
    t.erf = erf_reference;
    t.add = add_reference;
    t.sum_of_squares = sum_of_squares_reference;
    t.column_sum = column_sum_reference;
    return t;
  }();
  return table;
}

}  // namespace glassgpt::kernels
