// similar: its cosines are those of the vectors of embed.
#include <algorithm>
#include <cmath>

#include "glassgpt/model.h"
#include "io/safetensors.h"
#include "model/parts.h"
#include "program.h"
#include "vectors.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Similar : public Program {};

TEST_F(Similar, FollowsTheWholeWordThroughTheLayers) {
  const std::string a = "A banker on the bank", b = "银行 the bank with money";
  const json said = one_json_of({"similar", "--json", "--word", "bank", a, b});
  const auto word_rows = [&](const std::string& text, const std::string& layer) {
    const json object = one_json_of({"embed", "--json", "--layers", "all", "--unit", "word", text});
    const auto word = std::find(object["words"].begin(), object["words"].end(), "bank");
    return object["layers"][layer][static_cast<std::size_t>(word - object["words"].begin())]
        .get<Row>();
  };
  ASSERT_EQ(said["layers"].size(), kLayers + 2);
  for (const std::string layer : {"0", "1", "2", "3", "final"}) {
    const double expected = cosine(word_rows(a, layer), word_rows(b, layer));
    EXPECT_NEAR(said["layers"][layer]["cosine"].get<double>(), expected, 1e-6) << layer;
    EXPECT_NEAR(said["layers"][layer]["angle"].get<double>(), std::acos(expected) * 180 / M_PI,
                1e-3);
  }
  expect_failure(run_glassgpt({"similar", "--word", "dog", a, b}), 1, "dog");
}

TEST_F(Similar, NamesTheTextThatIsTooLong) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += static_cast<char>('0' + i % 10);
  expect_failure(run_glassgpt({"similar", "The cat", text}), 1, "text B: ");
  expect_failure(run_glassgpt({"similar", text, "The cat"}), 1, "shorten it");
}

TEST_F(Similar, AsksForAReferenceWhereTheModelCannotWriteOne) {
  // As GPT2Model.save_pretrained writes an untied model: without lm_head.
  const std::string prefix = "transformer.", headless = path("headless");
  std::filesystem::create_directory(headless);
  const io::SafetensorsFile weights(model() + "/model.safetensors");
  std::vector<std::vector<float>> values;
  std::vector<io::TensorToWrite> tensors;
  for (const auto& [name, tensor] : weights.tensors()) {
    if (name.rfind(prefix, 0) != 0) continue;
    values.emplace_back(tensor.elements());
    io::to_float(tensor, values.back().data());
    tensors.push_back({name.substr(prefix.size()), tensor.shape, values.back().data()});
  }
  ASSERT_FALSE(tensors.empty());
  io::write_safetensors(headless + "/model.safetensors", tensors, io::DType::kF32);
  json config = json::parse(read("model/config.json"));
  config["tie_word_embeddings"] = false;
  write("headless/config.json", config.dump());
  write("headless/tokenizer.json", read("model/tokenizer.json"));
  expect_failure(run_glassgpt({"similar", "-m", headless, "The cat", "The dog"}), 1,
                 "--reference FILE");
  EXPECT_EQ(run_glassgpt({"similar", "-m", headless, "--reference", path("corpus.txt"), "The cat",
                          "The dog"})
                .code,
            0);
}

TEST_F(Similar, CentresByTheReferenceTextsMean) {
  const std::string reference = write("reference.txt", "The cat sat on the mat. 银行在河岸上。");
  const json said =
      one_json_of({"similar", "--json", "--reference", reference, "The cat", "The dog"});
  const auto rows = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"embed", "--json", "--layers", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return one_json_of(words)["layers"]["2"].get<Rows>();
  };
  const Rows all = rows({"-i", reference});
  Row a = rows({"--unit", "text", "The cat"})[0], b = rows({"--unit", "text", "The dog"})[0];
  for (std::size_t c = 0; c < kWidth; ++c) {
    double sum = 0;
    for (const Row& row : all) sum += row[c];
    const auto mean = static_cast<float>(sum / static_cast<double>(all.size()));
    a[c] -= mean;
    b[c] -= mean;
  }
  EXPECT_EQ(said["reference_tokens"], all.size());
  EXPECT_NEAR(said["layers"]["2"]["centred_cosine"].get<double>(), cosine(a, b), 1e-5);
  // Random pairs: their mean is that of all pairs, within five standard errors of a thousand.
  Rows centred = all;
  for (std::size_t c = 0; c < kWidth; ++c) {
    double sum = 0;
    for (const Row& row : all) sum += row[c];
    for (Row& row : centred) row[c] -= static_cast<float>(sum / static_cast<double>(all.size()));
  }
  const auto expect_mean_of_pairs = [&](const std::string& key, const Rows& of) {
    double sum = 0, squares = 0, pairs = 0;
    for (std::size_t r = 0; r < of.size(); ++r) {
      for (std::size_t other = 0; other < of.size(); ++other) {
        if (other == r) continue;
        const double value = cosine(of[r], of[other]);
        sum += value;
        squares += value * value;
        ++pairs;
      }
    }
    const double mean = sum / pairs, deviation = std::sqrt(squares / pairs - mean * mean);
    EXPECT_NEAR(said["layers"]["2"][key].get<double>(), mean, 5 * deviation / std::sqrt(1000.0));
  };
  expect_mean_of_pairs("random_pairs", all);
  expect_mean_of_pairs("centred_random_pairs", centred);
}

TEST_F(Similar, TakesTheBeginningOfALongReference) {
  std::string text;
  for (int i = 0; i < 6000; ++i) text += static_cast<char>('0' + (i * 7 + i / 10) % 10);
  const std::string reference = write("reference.txt", text);
  EXPECT_EQ(one_json_of({"similar", "--json", "--reference", reference, "The cat",
                         "The dog"})["reference_tokens"],
            4096);
  const ProgramRun help = run_glassgpt({"similar", "--help"});
  EXPECT_NE(help.out.find("4096"), std::string::npos) << help.out;
}

}  // namespace
}  // namespace glassgpt::testing
