#include "cli/layer_vectors.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace glassgpt::cli {
namespace {

class Recorder : public VectorSink {
 public:
  explicit Recorder(LayerVectors& vectors) : vectors_(vectors) {}
  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    std::vector<float>& values = vectors_.values[kind];
    for (std::size_t r = 0; r < count; ++r) {
      values.insert(values.end(), rows + r * stride, rows + r * stride + vectors_.cols);
    }
  }

 private:
  LayerVectors& vectors_;
};

}  // namespace

LayerVectors record_layers(const Model& model, std::span<const TokenId> ids,
                           const ForwardOptions& options) {
  LayerVectors vectors;
  vectors.kinds = parse_layers(model.config(), "all");
  vectors.rows = ids.size();
  vectors.cols = model.config().n_embd;
  vectors.values.resize(vectors.kinds.size());
  Recorder recorder(vectors);
  VectorExtractor extractor(vectors.kinds, {}, recorder);
  const RowRange all{0, ids.size()};
  extractor.set_ranges({&all, 1});
  const std::size_t offsets[] = {0, ids.size()};
  model.forward(Batch{ids, offsets}, extractor, options);
  return vectors;
}

std::vector<std::vector<double>> mean_rows(const LayerVectors& vectors, std::size_t begin,
                                           std::size_t end) {
  std::vector<std::vector<double>> means;
  for (std::size_t kind = 0; kind < vectors.kinds.size(); ++kind) {
    std::vector<double> mean(vectors.cols, 0.0);
    for (std::size_t r = begin; r < end; ++r) {
      const auto row = vectors.row(kind, r);
      for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += static_cast<double>(row[c]);
    }
    for (double& value : mean) value /= static_cast<double>(std::max<std::size_t>(1, end - begin));
    means.push_back(std::move(mean));
  }
  return means;
}

double centred_cosine(std::span<const double> a, std::span<const double> b,
                      std::span<const double> center) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double middle = center.empty() ? 0.0 : center[i];
    const double x = a[i] - middle, y = b[i] - middle;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : 0.0;
}

double angle_in_degrees(double cosine) {
  return std::acos(std::clamp(cosine, -1.0, 1.0)) * 180.0 / std::numbers::pi;
}

}  // namespace glassgpt::cli
