// The numbers of a walkthrough follow from each other, in double precision and by the formulas that
// the page explains.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>

#include "glassgpt/error.h"
#include "model/parts.h"
#include "subject.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

constexpr const char* kText = "The cat sat on the mat. 猫坐在垫子上。";
constexpr std::size_t kHeadDim = 8;

class WalkthroughNumbers : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    exporter_ = std::make_unique<Exporter>(model());
    data_ = exporter_->data(kText);
    tokens_ = data_["text"]["ids"].size();
    ASSERT_GT(tokens_, 10u);
  }

  std::unique_ptr<Exporter> exporter_;
  json data_;
  std::size_t tokens_ = 0;
};

TEST_F(WalkthroughNumbers, ScoresAreScaledProductsOfQueriesAndKeys) {
  const Array q(data_["attention"]["q"]), k(data_["attention"]["k"]),
      scores(data_["attention"]["scores"]);
  ASSERT_TRUE(scores.lower);
  EXPECT_FLOAT_EQ(data_["attention"]["scale"].get<float>(), 1.0f / std::sqrt(8.0f));
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    for (std::size_t h = 0; h < kHeads; ++h) {
      for (std::size_t t = 0; t < tokens_; ++t) {
        for (std::size_t s = 0; s <= t; ++s) {
          double dot = 0, size = 0;
          for (std::size_t d = h * kHeadDim; d < (h + 1) * kHeadDim; ++d) {
            dot += q.row({layer, t})[d] * k.row({layer, s})[d];
            size += std::abs(q.row({layer, t})[d] * k.row({layer, s})[d]);
          }
          EXPECT_NEAR(scores.causal_row(layer, h, t)[s], dot / std::sqrt(8.0),
                      20 * std::ldexp(size, -24))
              << layer << " " << h << " " << t << " " << s;
        }
      }
    }
  }
}

TEST_F(WalkthroughNumbers, WeightsAreTheSoftmaxOfTheScoresAndSumToOne) {
  const Array scores(data_["attention"]["scores"]), weights(data_["attention"]["weights"]);
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    for (std::size_t h = 0; h < kHeads; ++h) {
      for (std::size_t t = 0; t < tokens_; ++t) {
        const double* x = scores.causal_row(layer, h, t);
        const double* w = weights.causal_row(layer, h, t);
        double sum = 0, total = 0;
        for (std::size_t s = 0; s <= t; ++s) sum += std::exp(x[s] - x[0]);
        for (std::size_t s = 0; s <= t; ++s) {
          EXPECT_NEAR(w[s], std::exp(x[s] - x[0]) / sum, 1e-6);
          total += w[s];
        }
        EXPECT_NEAR(total, 1.0, 1e-6);
      }
    }
  }
}

TEST_F(WalkthroughNumbers, HeadsAreTheWeightedSumsOfTheValues) {
  const Array weights(data_["attention"]["weights"]), v(data_["attention"]["v"]),
      heads(data_["attention"]["heads"]);
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    for (std::size_t t = 0; t < tokens_; ++t) {
      for (std::size_t c = 0; c < kWidth; ++c) {
        double sum = 0, size = 0;
        for (std::size_t s = 0; s <= t; ++s) {
          const double term = weights.causal_row(layer, c / kHeadDim, t)[s] * v.row({layer, s})[c];
          sum += term;
          size += std::abs(term);
        }
        EXPECT_NEAR(heads.row({layer, t})[c], sum, 1e-5 * size + 1e-7);
      }
    }
  }
}

TEST_F(WalkthroughNumbers, TheResidualStreamIsTheSumOfWhatIsAddedToIt) {
  const json& layers = data_["layers"];
  const Array residual(layers["residual"]), attention(layers["attention_out"]),
      mlp(layers["mlp_out"]);
  for (std::size_t k = 0; k < kLayers; ++k) {
    for (std::size_t t = 0; t < tokens_; ++t) {
      double mid_squares = 0, attention_squares = 0;
      for (std::size_t c = 0; c < kWidth; ++c) {
        // Two roundings to float32, as the model has them.
        const auto mid = static_cast<float>(residual.row({k, t})[c] + attention.row({k, t})[c]);
        const auto out = static_cast<float>(static_cast<double>(mid) + mlp.row({k, t})[c]);
        EXPECT_EQ(static_cast<double>(out), residual.row({k + 1, t})[c]) << k << " " << t;
        mid_squares += static_cast<double>(mid) * static_cast<double>(mid);
        attention_squares += attention.row({k, t})[c] * attention.row({k, t})[c];
      }
      EXPECT_NEAR(layers["norms"]["residual_mid"][k][t], std::sqrt(mid_squares), 1e-7);
      EXPECT_NEAR(layers["norms"]["attention_out"][k][t], std::sqrt(attention_squares), 1e-7);
    }
  }
}

TEST_F(WalkthroughNumbers, TheInputIsTheScaledRowPlusThePosition) {
  const Array rows(data_["embedding"]["rows"]), input(data_["embedding"]["input"]),
      position(data_["positions"]["text"]), residual(data_["layers"]["residual"]);
  const double scale = data_["embedding"]["scale"];
  for (std::size_t t = 0; t < tokens_; ++t) {
    const std::size_t place = data_["embedding"]["index"][t];
    EXPECT_EQ(data_["embedding"]["ids"][place], data_["text"]["ids"][t]);
    for (std::size_t c = 0; c < kWidth; ++c) {
      const double sum = scale * rows.row({place})[c] + position.row({t})[c];
      EXPECT_NEAR(input.row({t})[c], sum, 1e-6);
      EXPECT_EQ(input.row({t})[c], residual.row({0, t})[c]);
    }
  }
}

// The model's last norm and output matrix in double.
std::vector<double> lens_by_hand(const Model& model, const double* x) {
  const ModelTensors<const float>& tensors = model.parts().tensors;
  const std::size_t width = model.config().n_embd, vocabulary = model.config().vocab_size;
  double mean = 0, variance = 0;
  for (std::size_t c = 0; c < width; ++c) mean += x[c] / static_cast<double>(width);
  for (std::size_t c = 0; c < width; ++c) {
    variance += (x[c] - mean) * (x[c] - mean) / static_cast<double>(width);
  }
  std::vector<double> probabilities(vocabulary, 0.0);
  double sum = 0;
  for (std::size_t id = 0; id < vocabulary; ++id) {
    double logit = 0;
    for (std::size_t c = 0; c < width; ++c) {
      const double normed = (x[c] - mean) /
                                std::sqrt(variance + double{model.config().layer_norm_epsilon}) *
                                double{tensors.ln_f_weight[c]} +
                            double{tensors.ln_f_bias[c]};
      logit += normed * double{tensors.lm_head[id * width + c]};
    }
    sum += probabilities[id] = std::exp(logit);
  }
  for (double& p : probabilities) p /= sum;
  return probabilities;
}

TEST_F(WalkthroughNumbers, TheLensIsTheLastNormAndTheOutputMatrixOnEveryLayer) {
  const Array residual(data_["layers"]["residual"]);
  const json& lens = data_["layers"]["lens"];
  for (std::size_t k = 0; k <= kLayers; ++k) {
    for (std::size_t t = 0; t < tokens_; ++t) {
      const std::vector<double> p = lens_by_hand(exporter_->model(), residual.row({k, t}));
      double previous = 1, bits = 0;
      for (const double one : p) bits -= one * std::log2(one);
      EXPECT_NEAR(lens["entropy_bits"][k][t], bits, 1e-4);
      for (const json& one : lens["top"][k][t]) {
        const std::size_t id = one[0];
        EXPECT_NEAR(one[1], p[id], 1e-5 * p[id] + 1e-7);
        EXPECT_LE(one[1], previous);
        EXPECT_TRUE(lens["tokens"].contains(std::to_string(id)));
        previous = one[1];
      }
      EXPECT_NEAR(lens["top"][k][t][0][1], *std::max_element(p.begin(), p.end()), 1e-6);
      const json& next = lens["next"][k][t];
      ASSERT_EQ(next.is_null(), t + 1 == tokens_);
      if (next.is_null()) continue;
      const std::size_t id = data_["text"]["ids"][t + 1];
      EXPECT_NEAR(next[0], p[id], 1e-5 * p[id] + 1e-7);
    }
  }
}

TEST_F(WalkthroughNumbers, MergesAndByteTokensAloneEncodeTheText) {
  const json& bpe = data_["bpe"];
  const Array merges(bpe["merges"]);
  std::vector<std::size_t> ids;
  for (const json& piece : bpe["pieces"]) {
    std::vector<double> tokens;
    const std::string hex = piece["hex"];
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      tokens.push_back(bpe["byte_ids"][std::stoul(hex.substr(i, 2), nullptr, 16)]);
    }
    // The pair of the lowest rank, the leftmost first, until there is none.
    for (bool again = true; again;) {
      again = false;
      for (std::size_t rank = 0; rank < merges.shape[0] && !again; ++rank) {
        const double* merge = merges.row({rank});
        for (std::size_t i = 0; i + 1 < tokens.size() && !again; ++i) {
          if (tokens[i] != merge[0] || tokens[i + 1] != merge[1]) continue;
          tokens[i] = merge[2];
          tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(i) + 1);
          again = true;
        }
      }
    }
    for (const double id : tokens) ids.push_back(static_cast<std::size_t>(id));
  }
  EXPECT_EQ(json(ids), data_["text"]["ids"]);
}

TEST_F(WalkthroughNumbers, PositionsAndTheirDotProductsAreThoseOfTheFormula) {
  const json& table = data_["positions"]["sinusoidal"];
  EXPECT_EQ(data_["positions"]["own"], "sinusoidal");
  const auto value = [](std::size_t p, std::size_t c) {
    const double angle = static_cast<double>(p) *
                         std::pow(10000.0, -static_cast<double>(c / 2 * 2) / double{kWidth});
    return c % 2 == 0 ? std::sin(angle) : std::cos(angle);
  };
  const Array rows(table["rows"]);
  ASSERT_EQ(rows.shape, (std::vector<std::size_t>{kContext, kWidth}));
  for (std::size_t p = 0; p < kContext; ++p) {
    for (std::size_t c = 0; c < kWidth; ++c) EXPECT_NEAR(rows.row({p})[c], value(p, c), 1e-6);
  }
  for (std::size_t distance = 0; distance < kContext; ++distance) {
    double dot = 0;
    for (std::size_t c = 0; c < kWidth; ++c) dot += value(0, c) * value(distance, c);
    // Of sinusoids the dot product depends on the distance alone.
    EXPECT_NEAR(table["mean_dot"][distance], dot, 1e-4);
    EXPECT_NEAR(table["min_dot"][distance], table["max_dot"][distance], 1e-4);
    EXPECT_NEAR(table["mean_cosine"][distance], dot / (kWidth / 2.0), 1e-5);
  }
}

TEST_F(WalkthroughNumbers, EveryRecordedUpdateOfSkipGramCanBeDoneAgain) {
  for (const json& trace : data_["skip_gram"]["traces"]) {
    const Array draws(trace["draws"]), vectors(trace["vectors"]), outputs(trace["outputs"]);
    const std::size_t words = trace["words"].size(), epochs = trace["epochs"],
                      per_epoch = trace["updates_per_epoch"];
    const double rate = trace["learning_rate"];
    EXPECT_EQ(draws.shape[0], epochs * per_epoch);
    std::vector<double> v(vectors.values.begin(),
                          vectors.values.begin() + 2 * static_cast<std::ptrdiff_t>(words));
    std::vector<double> u(2 * words, 0.0);
    for (std::size_t i = 0; i < draws.shape[0]; ++i) {
      const double* draw = draws.row({i});
      double* x = &v[2 * static_cast<std::size_t>(draw[0])];
      double moved[2] = {0, 0};
      for (std::size_t j = 1; j < draws.shape[1]; ++j) {
        double* y = &u[2 * static_cast<std::size_t>(draw[j])];
        const double p = 1 / (1 + std::exp(-(x[0] * y[0] + x[1] * y[1])));
        const double g = p - (j == 1 ? 1.0 : 0.0);
        for (int c = 0; c < 2; ++c) {
          moved[c] += g * y[c];
          y[c] -= rate * g * x[c];
        }
      }
      for (int c = 0; c < 2; ++c) x[c] -= rate * moved[c];
      if ((i + 1) % per_epoch != 0) continue;
      const std::size_t epoch = (i + 1) / per_epoch;
      for (std::size_t w = 0; w < words; ++w) {
        for (std::size_t c = 0; c < 2; ++c) {
          EXPECT_NEAR(vectors.row({epoch, w})[c], v[2 * w + c], 1e-3) << epoch;
          EXPECT_NEAR(outputs.row({epoch, w})[c], u[2 * w + c], 1e-3) << epoch;
        }
      }
    }
    EXPECT_LT(trace["loss"].back(), trace["loss"].front());
  }
}

TEST_F(WalkthroughNumbers, CosinesOfCorpusWordsAreThoseOfTheirVectors) {
  ASSERT_EQ(data_["skip_gram"]["corpora"].size(), 2u);
  for (const json& corpus : data_["skip_gram"]["corpora"]) {
    const Array vectors(corpus["vectors"]);
    const std::size_t dim = vectors.shape[1];
    ASSERT_EQ(vectors.shape[0], corpus["words"].size());
    const auto row = [&](const json& word) {
      const auto at = std::find(corpus["words"].begin(), corpus["words"].end(), word);
      EXPECT_NE(at, corpus["words"].end()) << word;
      const double* first = vectors.row({static_cast<std::size_t>(at - corpus["words"].begin())});
      return std::vector<double>(first, first + dim);
    };
    const auto cosine_of = [&](const std::vector<double>& x, const std::vector<double>& y) {
      double xy = 0, xx = 0, yy = 0;
      for (std::size_t i = 0; i < dim; ++i) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
        yy += y[i] * y[i];
      }
      return xy / std::sqrt(xx * yy);
    };
    for (const json& one : corpus["nearest"]) {
      for (const json& near : one["nearest"]) {
        EXPECT_NEAR(near["cosine"], cosine_of(row(one["word"]), row(near["word"])), 1e-5);
      }
    }
    for (const json& one : corpus["analogies"]) {
      std::vector<double> sum = row(one["words"][1]);
      const std::vector<double> a = row(one["words"][0]), c = row(one["words"][2]);
      for (std::size_t i = 0; i < dim; ++i) sum[i] += c[i] - a[i];
      for (const json& near : one["nearest"]) {
        EXPECT_NEAR(near["cosine"], cosine_of(sum, row(near["word"])), 1e-5);
      }
    }
  }
}

// Two snapshots of four words in two dimensions, whose cosines are plain to see.
std::string snapshots_file() {
  const std::vector<float> early = {1, 0, 0, 1, -1, 0, 0, -1}, late = {1, 0, 1, 0, -1, 0, -1, 0};
  std::string data;
  const std::int32_t steps[] = {0, 70};
  data.append(reinterpret_cast<const char*>(steps), sizeof steps);
  for (int view = 0; view < 2; ++view) {
    for (const std::vector<float>& rows : {early, late}) {
      data.append(reinterpret_cast<const char*>(rows.data()), 4 * rows.size());
    }
  }
  std::string header =
      R"({"__metadata__":{"format":"glassgpt snapshots 1","words":"[\"king\",\"queen\",\"dog\",\"cat\"]"},)"
      R"("step":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},)"
      R"("table":{"dtype":"F32","shape":[2,4,2],"data_offsets":[8,72]},)"
      R"("final":{"dtype":"F32","shape":[2,4,2],"data_offsets":[72,136]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

TEST_F(WalkthroughNumbers, SnapshotsShowWordsOfOneKindDrawingTogether) {
  EXPECT_EQ(data_["embedding"]["formation"], nullptr);
  write("model/snapshots.safetensors", snapshots_file());
  const json formation = exporter_->data("The cat")["embedding"]["formation"];
  EXPECT_EQ(formation["steps"], (json{0, 70}));
  EXPECT_EQ(formation["words"], (json{"king", "queen", "dog", "cat"}));
  ASSERT_EQ(formation["groups"].size(), 2u);
  EXPECT_EQ(formation["groups"][0]["words"], (json{0, 1}));
  for (const char* name : {"table", "final"}) {
    const json& view = formation["views"][name];
    const Array nearest(view["nearest"]), cosines(view["cosines"]), xy(view["xy"]);
    EXPECT_EQ(xy.shape, (std::vector<std::size_t>{2, 4, 2}));
    // At first king is at right angles to queen and cat, and opposite to dog.
    EXPECT_NEAR(view["same"][0], 0.0, 1e-6);
    EXPECT_NEAR(view["different"][0], -0.5, 1e-6);
    EXPECT_NEAR(view["same"][1], 1.0, 1e-6);
    EXPECT_NEAR(view["different"][1], -1.0, 1e-6);
    EXPECT_EQ(nearest.row({1, 2})[0], 3.0);
    EXPECT_NEAR(cosines.row({1, 2})[0], 1.0, 1e-6);
    EXPECT_NEAR(cosines.row({1, 2})[1], -1.0, 1e-6);
    // One plane: distances in two dimensions are those of the vectors.
    EXPECT_NEAR(
        std::hypot(xy.row({1, 0})[0] - xy.row({1, 3})[0], xy.row({1, 0})[1] - xy.row({1, 3})[1]),
        2.0, 1e-5);
  }
}

TEST_F(WalkthroughNumbers, SnapshotsThatAreBrokenAreAnErrorThatSaysWhere) {
  const auto expect_error = [&](std::string bytes, const std::string& part) {
    write("model/snapshots.safetensors", bytes);
    try {
      exporter_->data("The cat");
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("snapshots.safetensors"), std::string::npos);
    }
  };
  const auto changed = [](const std::string& from, const std::string& to) {
    std::string bytes = snapshots_file();
    return bytes.replace(bytes.find(from), from.size(), to);
  };
  expect_error(changed("snapshots 1", "snapshots 9"), "is not of the format");
  expect_error(changed("\"final\"", "\"other\""), "has no tensor final");
  expect_error(changed("I32", "F32"), "no steps");
  std::string infinite = snapshots_file();
  infinite.replace(infinite.size() - 4, 4, std::string("\x00\x00\x80\x7F", 4));
  expect_error(infinite, "not finite");
}

TEST_F(WalkthroughNumbers, CountVectorsHaveTheAnglesOfTheirNumbers) {
  const json& counts = data_["counts"];
  const auto angle = [](const json& a, const json& b) {
    double dot = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      dot += a[i].get<double>() * b[i].get<double>();
      aa += a[i].get<double>() * a[i].get<double>();
      bb += b[i].get<double>() * b[i].get<double>();
    }
    return std::acos(std::min(1.0, dot / std::sqrt(aa * bb))) * 180 / M_PI;
  };
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_NEAR(counts["angles"][i][j],
                  angle(counts["texts"][i]["counts"], counts["texts"][j]["counts"]), 1e-5);
    }
  }
  EXPECT_NEAR(counts["angles"][0][1], 82.4, 0.05);
  EXPECT_NEAR(counts["angles"][1][2], 12.4, 0.05);
  EXPECT_NEAR(counts["proportional"]["angles"][0], 0.0, 1e-5);
  EXPECT_EQ(counts["query"]["nearest"], 1);
}

}  // namespace
}  // namespace glassgpt::testing
