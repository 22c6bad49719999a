// similar, nearest and classify: what they say is what the vectors of embed say.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "glassgpt/model.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "model/parts.h"
#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;
using Row = std::vector<float>;
using Rows = std::vector<Row>;

double cosine(const Row& a, const Row& b) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

class Looking : public Program {
 protected:
  Rows npy_rows(const std::string& file) const {
    const io::NpyArray array = io::read_npy(path(file));
    Rows rows;
    for (std::uint64_t r = 0; r < array.shape[0]; ++r) {
      const auto begin = array.data.begin() + static_cast<std::ptrdiff_t>(r * array.shape[1]);
      rows.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(array.shape[1]));
    }
    return rows;
  }

  void store(const std::vector<std::string>& more) const {
    const std::string texts = write("texts.txt",
                                    "The cat sat on the mat.\nA river bank is not a bank.\n\n"
                                    "银行在河岸上。\nThe dog sat on the cat.\n");
    std::vector<std::string> words = {"embed", "-i", texts, "-o", path("out")};
    words.insert(words.end(), more.begin(), more.end());
    ASSERT_EQ(run_glassgpt(words).code, 0);
  }

  // What nearest must say: rows by cosine to the query, those of the same cosine in their order.
  static std::vector<std::pair<std::size_t, double>> ranked(const Rows& rows, const Row& query) {
    std::vector<std::pair<std::size_t, double>> all;
    for (std::size_t r = 0; r < rows.size(); ++r) all.emplace_back(r, cosine(query, rows[r]));
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    return all;
  }
};

TEST_F(Looking, NearestTokensAreThoseOfTheTable) {
  const Model model = Model::load(this->model());
  const float* table = model.parts().tensors.token_embedding;
  const json found = one_json_of({"nearest", "--json", "--top", "5", "cat"});
  const std::size_t id = found["ids"][0];
  ASSERT_EQ(found["ids"].size(), 1u);
  Rows rows;
  for (std::size_t r = 0; r < 320; ++r)
    rows.emplace_back(table + r * kWidth, table + (r + 1) * kWidth);
  auto expected = ranked(rows, rows[id]);
  expected.erase(expected.begin());  // itself
  ASSERT_EQ(found["nearest"].size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(found["nearest"][i]["id"], expected[i].first);
    EXPECT_NEAR(found["nearest"][i]["cosine"].get<double>(), expected[i].second, 1e-12);
  }
}

TEST_F(Looking, NearestRowsOfAStoredOutputAreDescribedByItsRowsFile) {
  store({"--unit", "word", "--layers", "1,2"});
  const Rows rows = npy_rows("out/layer_02.npy");
  const json found = one_json_of(
      {"nearest", "-q", "--json", "--in", path("out"), "--layer", "2", "--row", "4", "--top", "7"});
  EXPECT_EQ(found["row"], 4);
  auto expected = ranked(rows, rows[4]);
  std::erase_if(expected, [](const auto& one) { return one.first == 4; });
  ASSERT_EQ(found["nearest"].size(), 7u);
  std::istringstream lines(read("out/rows.jsonl"));
  std::vector<json> described;
  for (std::string line; std::getline(lines, line);) described.push_back(json::parse(line));
  for (std::size_t i = 0; i < 7; ++i) {
    json one = found["nearest"][i];
    EXPECT_EQ(one["row"], expected[i].first);
    EXPECT_NEAR(one["cosine"].get<double>(), expected[i].second, 1e-12);
    one.erase("cosine");
    one.erase("row");
    EXPECT_EQ(one, described[expected[i].first]);
  }
}

TEST_F(Looking, ATextOfTheCorpusFindsItself) {
  store({"--unit", "text", "--pool", "last", "--layers", "0,final", "--out-dtype", "f16"});
  const std::vector<json> found = json_of({"nearest", "-q", "--json", "--in", path("out"),
                                           "The dog sat on the cat.", "银行在河岸上。"});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["query"], "The dog sat on the cat.");
  EXPECT_EQ(found[0]["nearest"][0]["text"], 4);
  EXPECT_GT(found[0]["nearest"][0]["cosine"], 0.9999);
  EXPECT_EQ(found[1]["nearest"][0]["text"], 3);
}

TEST_F(Looking, AWordInItsContextFindsItself) {
  store({"--unit", "word", "--layers", "3"});
  const json found = one_json_of({"nearest", "-q", "--json", "--in", path("out"), "--word", "bank",
                                  "A river bank is not a bank."});
  EXPECT_EQ(found["nearest"][0]["word"], "bank");
  EXPECT_EQ(found["nearest"][0]["bytes"], (json{8, 12}));  // the first of the two
  EXPECT_NEAR(found["nearest"][0]["cosine"].get<double>(), 1.0, 1e-6);
}

TEST_F(Looking, QueriesFromAnArrayComeTogether) {
  store({"--layers", "final"});
  const Rows rows = npy_rows("out/final.npy");
  const std::vector<json> found = json_of({"nearest", "-q", "--json", "--top", "3", "--in",
                                           path("out"), "--queries", path("out/final.npy")});
  ASSERT_EQ(found.size(), rows.size());
  for (std::size_t q = 0; q < rows.size(); ++q) {
    const auto expected = ranked(rows, rows[q]);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(found[q]["nearest"][i]["row"], expected[i].first) << q;
      EXPECT_NEAR(found[q]["nearest"][i]["cosine"].get<double>(), expected[i].second, 1e-12);
    }
  }
}

TEST_F(Looking, MoreQueriesThanFitTogetherAreAnsweredInTheirOrder) {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += static_cast<char>('0' + (i * 7 + i / 10) % 10);
  ASSERT_EQ(
      run_glassgpt({"embed", "--truncate", "window", "--layers", "0", "-o", path("out"), text})
          .code,
      0);
  const Rows rows = npy_rows("out/layer_00.npy");
  ASSERT_GT(rows.size(), 1100u);
  const std::vector<json> found = json_of({"nearest", "-q", "--json", "--top", "2", "--in",
                                           path("out"), "--queries", path("out/layer_00.npy")});
  ASSERT_EQ(found.size(), rows.size());
  for (std::size_t q = 0; q < rows.size(); q += 37) {
    EXPECT_EQ(found[q]["query"], q);
    const auto expected = ranked(rows, rows[q]);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(found[q]["nearest"][i]["row"], expected[i].first) << q;
    }
  }
}

TEST_F(Looking, CentredVectorsNeedTheirCentre) {
  store({"--unit", "text"});
  ASSERT_EQ(run_glassgpt({"embed", "--unit", "text", "The cat", "-o", path("mean")}).code, 0);
  store({"--unit", "text", "--center", path("mean")});
  expect_failure(run_glassgpt({"nearest", "--in", path("out"), "The cat"}), 2, "--center");
  const json found = one_json_of({"nearest", "-q", "--json", "--in", path("out"), "--center",
                                  path("mean"), "The dog sat on the cat."});
  EXPECT_EQ(found["nearest"][0]["text"], 4);
  EXPECT_NEAR(found["nearest"][0]["cosine"].get<double>(), 1.0, 1e-6);
}

TEST_F(Looking, AnotherCentreThanTheFoldersIsRefused) {
  const auto mean_of = [&](const std::string& text, const std::string& out) {
    ASSERT_EQ(
        run_glassgpt({"embed", "--layers", "1,final", "--unit", "text", text, "-o", path(out)})
            .code,
        0);
  };
  mean_of("The cat", "mean");
  mean_of("The dog", "other");
  store({"--unit", "text", "--layers", "1,final", "--center", path("mean")});
  const auto nearest = [&](const std::string& center) {
    return std::vector<std::string>{
        "nearest", "-q", "--json",   "--in",       path("out"),
        "--layer", "1",  "--center", path(center), "The dog sat on the cat."};
  };
  expect_failure(run_glassgpt(nearest("other")), 1, "is not the mean that was subtracted");
  const json found = one_json_of(nearest("mean"));
  EXPECT_EQ(found["nearest"][0]["text"], 4);
  EXPECT_NEAR(found["nearest"][0]["cosine"].get<double>(), 1.0, 1e-12);
}

TEST_F(Looking, QueriesAreReadAndComputedAsTheFolderWas) {
  const std::string text = "The cat<|endoftext|>sat on the mat.";
  const auto cosine_of = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"nearest", "-q", "--json", "--in", path("out"), text};
    words.insert(words.end(), more.begin(), more.end());
    return one_json_of(words)["nearest"][0]["cosine"].get<double>();
  };
  const std::vector<std::vector<std::string>> settings = {{"--special", "all"},
                                                          {"--dtype", "bf16"}};
  for (const std::vector<std::string>& setting : settings) {
    std::vector<std::string> words = {"embed", "-q", "--unit", "text", "-o", path("out"), text};
    words.insert(words.end(), setting.begin(), setting.end());
    ASSERT_EQ(run_glassgpt(words).code, 0);
    // The same computation: the same bytes.
    EXPECT_NEAR(cosine_of({}), 1.0, 1e-12);
    EXPECT_NEAR(cosine_of(setting), 1.0, 1e-12);
    const std::string other = setting[0] == "--dtype" ? "f32" : "none";
    expect_failure(run_glassgpt({"nearest", "--in", path("out"), setting[0], other, text}), 2,
                   setting[0] + " " + setting[1]);
  }
}

TEST_F(Looking, AFolderOfAnotherTokenizerNeedsThatTokenizer) {
  const std::string tokenizer = path("tok");
  ASSERT_EQ(run_glassgpt({"train-tokenizer", "--vocab-size", "280", "--min-frequency", "1", "-o",
                          tokenizer, path("corpus.txt")})
                .code,
            0);
  store({"--unit", "text", "--tokenizer", tokenizer});
  const std::vector<std::string> query = {
      "nearest", "-q", "--json", "--in", path("out"), "银行在河岸上。", "--tokenizer", tokenizer};
  const json found = one_json_of(query);
  EXPECT_EQ(found["nearest"][0]["text"], 3);
  EXPECT_NEAR(found["nearest"][0]["cosine"].get<double>(), 1.0, 1e-12);
  const std::vector<std::string> by_its_own(query.begin(), query.end() - 2);
  expect_failure(run_glassgpt(by_its_own), 1, "another model or tokenizer: tokenizer.json");
  store({"--unit", "text"});
  expect_failure(run_glassgpt(query), 1, "another model or tokenizer: tokenizer.json");
}

TEST_F(Looking, AModelIsKnownByTheFilesThatItIsLoadedFrom) {
  store({"--unit", "text"});
  const std::vector<std::string> query = {"nearest", "-q",        "--json",
                                          "--in",    path("out"), "The dog sat on the cat."};
  // What lies beside them is nobody's business.
  write("model/snapshots.safetensors", "of the training");
  EXPECT_EQ(one_json_of(query)["nearest"][0]["text"], 4);
  ASSERT_NO_FATAL_FAILURE(store({"--unit", "text", "--resume"}));
  // Another model, and in shards: no file has the name of one that made the folder.
  Model::random(Model::load(model()).config(), 8).save(model());
  const std::string shard = "model-00001-of-00001.safetensors";
  json index = {{"weight_map", json::object()}};
  {
    const io::SafetensorsFile weights(model() + "/model.safetensors");
    for (const auto& [name, tensor] : weights.tensors()) index["weight_map"][name] = shard;
  }
  std::filesystem::rename(model() + "/model.safetensors", model() + "/" + shard);
  write("model/model.safetensors.index.json", index.dump());
  expect_failure(run_glassgpt(query), 1, "another model");
  store({"--unit", "text"});
  EXPECT_EQ(one_json_of(query)["nearest"][0]["text"], 4);
  const json hashes = json::parse(read("out/manifest.json"))["model"]["sha256"];
  std::vector<std::string> names;
  for (const auto& [name, hash] : hashes.items()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"config.json", shard, "model.safetensors.index.json",
                                             "tokenizer.json"}));
}

TEST_F(Looking, AQueryLongerThanTheContextIsCutAsTheUserSays) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += static_cast<char>('0' + i % 10);
  const auto nearest = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"nearest", "-q", "--json", "--in", path("out"), text};
    words.insert(words.end(), more.begin(), more.end());
    return run_glassgpt(words);
  };
  store({"--unit", "text"});
  expect_failure(nearest({}), 1, "choose --truncate left, right or window");
  EXPECT_EQ(nearest({"--truncate", "left"}).code, 0);
  EXPECT_EQ(nearest({"--truncate", "window", "--stride", "3"}).code, 0);
  expect_failure(nearest({"--truncate", "window", "--stride", "33"}), 2, "--stride 33");
  expect_failure(nearest({"--stride", "3"}), 2, "--truncate window");
  expect_failure(run_glassgpt({"nearest", "--truncate", "left", "cat"}), 2, "--in");
  // Where the folder's texts were read in windows, queries are too.
  const std::string texts = write("long.txt", text + "\nThe cat\n");
  ASSERT_EQ(run_glassgpt({"embed", "--unit", "text", "--truncate", "window", "--stride", "5", "-i",
                          texts, "-o", path("out")})
                .code,
            0);
  const json found = json::parse(nearest({}).out);
  EXPECT_EQ(found["nearest"][0]["text"], 0);
  EXPECT_NEAR(found["nearest"][0]["cosine"].get<double>(), 1.0, 1e-12);
}

TEST_F(Looking, AWordIsTheFirstThatTruncationLeftWhole) {
  // Beyond the context of 32 tokens on either side.
  std::string digits;
  for (int i = 0; i < 40; ++i) digits += static_cast<char>('0' + i % 10);
  const std::string text = "The bank " + digits + " A river bank";
  const std::string texts = write("long.txt", text + "\n");
  for (const std::string side : {"left", "right"}) {
    ASSERT_EQ(run_glassgpt({"embed", "--unit", "word", "--truncate", side, "-i", texts, "-o",
                            path("words-" + side)})
                  .code,
              0);
    const json found = one_json_of({"nearest", "-q", "--json", "--top", "1", "--in",
                                    path("words-" + side), "--word", "bank", text})["nearest"][0];
    EXPECT_EQ(found["word"], "bank");
    EXPECT_NEAR(found["cosine"].get<double>(), 1.0, 1e-12) << "the row that embed wrote";
  }
  // A word that lost a token to truncation has no row, and is no query.
  const std::string cut = std::string(30, '7') + "bank of the river";
  ASSERT_GT(one_json_of({"tokenize", "--json", cut})["ids"].size(), 32U);
  expect_failure(run_glassgpt({"nearest", "--in", path("words-right"), "--word",
                               std::string(30, '7') + "bank", "--truncate", "left", cut}),
                 1, "--truncate kept");
}

TEST_F(Looking, AManifestOfAnotherHandIsRefused) {
  store({"--unit", "text"});
  const auto whole = nlohmann::ordered_json::parse(read("out/manifest.json"));
  const std::pair<const char*, json> changes[] = {
      {"pool", 3}, {"pool", "sum"}, {"stride", "x"}, {"truncate", {1}}, {"special", nullptr}};
  for (const auto& [key, value] : changes) {
    auto manifest = whole;
    manifest["options"][key] = value;
    if (key == std::string("stride")) manifest["options"]["truncate"] = "window";
    write("out/manifest.json", manifest.dump());
    const ProgramRun run = run_glassgpt({"nearest", "--in", path("out"), "cat"});
    expect_failure(run, 1, value == "sum" ? "no pooling 'sum'" : "manifest.json: has options");
    EXPECT_EQ(run.err.find("json.exception"), std::string::npos) << run.err;
  }
}

TEST_F(Looking, AQueryWithoutTokensIsNamed) {
  store({"--unit", "text"});
  const std::string queries = write("queries.txt", "The cat\n\nThe dog\n");
  expect_failure(run_glassgpt({"nearest", "--in", path("out"), "-i", queries}), 1,
                 "queries.txt: line 2: the query has no tokens");
}

TEST_F(Looking, NearestRefusesWhatDoesNotFit) {
  store({"--layers", "1,2"});
  const std::string out = path("out");
  expect_failure(run_glassgpt({"nearest", "--in", out, "cat"}), 1, "layer_01, layer_02");
  expect_failure(run_glassgpt({"nearest", "--in", out, "--layer", "1", "--row", "9999"}), 1,
                 "9999");
  expect_failure(run_glassgpt({"nearest", "--in", out, "--layer", "1", "--row", "1", "cat"}), 2,
                 "one of them");
  expect_failure(run_glassgpt({"nearest", "--layer", "1", "cat"}), 2, "--in");
  expect_failure(run_glassgpt({"nearest", "--in", path("none"), "cat"}), 1, "manifest.json");
  expect_failure(run_glassgpt({"nearest", "--in", out, "--layer", "1", "--word", "dog", "cat"}), 1,
                 "dog");
  // Another model.
  Model::random(Model::load(model()).config(), 8).save(model());
  expect_failure(run_glassgpt({"nearest", "--in", out, "--layer", "1", "cat"}), 1, "another model");
}

TEST_F(Looking, SimilarFollowsTheWholeWordThroughTheLayers) {
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

TEST_F(Looking, SimilarNamesTheTextThatIsTooLong) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += static_cast<char>('0' + i % 10);
  expect_failure(run_glassgpt({"similar", "The cat", text}), 1, "text B: ");
  expect_failure(run_glassgpt({"similar", text, "The cat"}), 1, "shorten it");
}

TEST_F(Looking, SimilarAsksForAReferenceWhereTheModelCannotWriteOne) {
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

TEST_F(Looking, SimilarCentresByTheReferenceTextsMean) {
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

TEST_F(Looking, SimilarTakesTheBeginningOfALongReference) {
  std::string text;
  for (int i = 0; i < 6000; ++i) text += static_cast<char>('0' + (i * 7 + i / 10) % 10);
  const std::string reference = write("reference.txt", text);
  EXPECT_EQ(one_json_of({"similar", "--json", "--reference", reference, "The cat",
                         "The dog"})["reference_tokens"],
            4096);
  const ProgramRun help = run_glassgpt({"similar", "--help"});
  EXPECT_NE(help.out.find("4096"), std::string::npos) << help.out;
}

TEST_F(Looking, ClassifyGivesTheLabelOfTheMostSimilarExample) {
  const std::string examples = write("examples.jsonl",
                                     "{\"label\":\"animal\",\"text\":\"The cat sat\"}\n"
                                     "{\"label\":\"money\",\"text\":\"money in the bank\"}\n"
                                     "{\"label\":\"animal\",\"text\":\"The dog sat\"}\n");
  const auto vector_of = [&](const std::string& text) {
    return one_json_of(
               {"embed", "--json", "--unit", "text", "--layers", "2", text})["layers"]["2"][0]
        .get<Row>();
  };
  const Row query = vector_of("A river bank");
  const double cat = cosine(query, vector_of("The cat sat")),
               dog = cosine(query, vector_of("The dog sat")),
               money = cosine(query, vector_of("money in the bank"));
  const json nearest =
      one_json_of({"classify", "--json", "--examples", examples, "--layer", "2", "A river bank"});
  EXPECT_NEAR(nearest["scores"]["animal"].get<double>(), std::max(cat, dog), 1e-6);
  EXPECT_NEAR(nearest["scores"]["money"].get<double>(), money, 1e-6);
  EXPECT_EQ(nearest["label"], money > std::max(cat, dog) ? "money" : "animal");
  const json mean = one_json_of({"classify", "--json", "--examples", examples, "--layer", "2",
                                 "--by", "mean", "A river bank"});
  EXPECT_NEAR(mean["scores"]["animal"].get<double>(), (cat + dog) / 2, 1e-6);
}

TEST_F(Looking, ClassifyByCountVectorsIsTheBagOfWordsCosine) {
  const std::string examples =
      write("examples.tsv", "a\tThe cat, the CAT and the dog\n\nb\t猫坐在垫子上\n");
  // the 3, cat 2, and 1, dog 1 with cat 1, dog 2.
  const std::vector<json> found = json_of({"classify", "--json", "--count-vectors", "--examples",
                                           examples, "Cat dog dog", "猫在河岸上", "xyz"});
  EXPECT_NEAR(found[0]["scores"]["a"].get<double>(), 4 / std::sqrt(15.0 * 5.0), 1e-15);
  EXPECT_EQ(found[0]["scores"]["b"], 0.0);
  EXPECT_EQ(found[0]["label"], "a");
  // 猫 在 河岸 上 with 猫 坐在 垫子 上 or 坐 在 垫子 上: at least 猫 and 上.
  EXPECT_EQ(found[1]["label"], "b");
  EXPECT_GE(found[1]["score"], 0.4);
  EXPECT_EQ(found[2]["label"], nullptr);  // nothing in common with any example
  EXPECT_EQ(found[2]["nearest"], nullptr);
  EXPECT_EQ(found[2]["score"], 0.0);
}

TEST_F(Looking, ClassifyChoosesTheFirstOfEqualLabels) {
  const std::string examples = write("examples.tsv", "b\tthe cat\na\tthe cat\n");
  const json said =
      one_json_of({"classify", "--json", "--count-vectors", "--examples", examples, "The cat"});
  EXPECT_EQ(said["label"], "b");
}

TEST_F(Looking, AnExampleWithoutAVectorDoesNotCount) {
  const std::string examples =
      write("examples.tsv", "none\t\na\tThe cat sat\nb\tmoney in the bank\na\t\n");
  const auto labels = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"classify", "--json", "--by", "mean", "--examples", examples};
    words.insert(words.end(), more.begin(), more.end());
    return run_glassgpt(words);
  };
  const ProgramRun run = labels({"--center", "The cat sat", "money in the bank"});
  EXPECT_NE(run.err.find("examples.tsv: line 1: has no tokens; 2 such examples are not counted"),
            std::string::npos)
      << run.err;
  std::istringstream lines(run.out);
  for (const std::string label : {"a", "b"}) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    const json said = json::parse(line);
    EXPECT_EQ(said["label"], label);
    EXPECT_EQ(said["scores"]["none"], nullptr);
    EXPECT_NEAR(said["score"].get<double>(), 1.0, 1e-9) << "the mean of one";
  }
  EXPECT_NE(labels({"--count-vectors", "cat"}).err.find("has no words"), std::string::npos);
  write("examples.tsv", "none\t\n");
  expect_failure(labels({"cat"}), 1, "no example has any tokens");
}

TEST_F(Looking, AByteOrderMarkIsNoPartOfALabelOrText) {
  const std::string mark = "\xEF\xBB\xBF";
  const std::string examples = write("examples.tsv", mark + "a\tThe cat\na\tThe dog\n");
  EXPECT_EQ(one_json_of({"classify", "--json", "--examples", examples, "cat"})["scores"].size(),
            1U);
  for (const std::string format : {"lines", "documents"}) {
    const std::vector<std::string> read = {"tokenize", "--ids", "--input-format", format};
    EXPECT_EQ(output_of(read, mark + "The cat\n\n" + mark), output_of(read, "The cat\n\n" + mark));
  }
  EXPECT_EQ(output_of({"detokenize"},
                      output_of({"tokenize", "--ids", "--input-format", "whole"}, mark + "a")),
            mark + "a");
}

TEST_F(Looking, ClassifyLeavesOneOut) {
  const std::string examples = write(
      "examples.tsv", "a\tred cat\na\tred dog\nb\tblue sky\nb\tblue sea\nb\tred sky\nc\tnothing\n");
  // "red sky": "blue sky" and "red cat" are as near; a came first. "nothing" is like none and has
  // no label.
  const json said = one_json_of(
      {"classify", "--json", "--count-vectors", "--leave-one-out", "--examples", examples});
  EXPECT_EQ(said["examples"], 6);
  EXPECT_EQ(said["right"], 4);
}

TEST_F(Looking, LeavingOneOutKeepsItOutOfTheMeanToo) {
  const std::vector<std::pair<std::string, std::string>> labelled = {
      {"animal", "The cat sat on the mat"},
      {"money", "money in the bank"},
      {"animal", "The dog sat"},
      {"money", "A bank with money"},
      {"animal", "猫坐在垫子上"},
      {"money", "银行"}};
  std::string lines;
  Rows rows;
  for (const auto& [label, text] : labelled) {
    lines += label + "\t" + text + "\n";
    const json object = one_json_of({"embed", "-q", "--json", "--unit", "text", text});
    rows.push_back(object["layers"]["final"][0].get<Row>());
  }
  std::size_t right = 0;
  for (std::size_t own = 0; own < rows.size(); ++own) {
    Rows centred = rows;
    for (std::size_t c = 0; c < kWidth; ++c) {
      double sum = 0;
      for (std::size_t r = 0; r < rows.size(); ++r) sum += r == own ? 0.0 : double{rows[r][c]};
      const double mean = sum / static_cast<double>(rows.size() - 1);
      for (Row& row : centred) row[c] = static_cast<float>(row[c] - mean);
    }
    std::size_t best = own == 0 ? 1 : 0;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (r != own && cosine(centred[own], centred[r]) > cosine(centred[own], centred[best]))
        best = r;
    }
    right += labelled[best].first == labelled[own].first ? 1 : 0;
  }
  const auto leave_one_out = [&](const std::string& examples) {
    return one_json_of({"classify", "--json", "--center", "--leave-one-out", "--examples",
                        write("examples.tsv", examples)});
  };
  EXPECT_EQ(leave_one_out(lines)["right"], right);
  // The mean of the others is the only other: nothing is left to compare with.
  EXPECT_EQ(leave_one_out("a\tThe cat\na\tThe dog\n")["right"], 0);
  EXPECT_EQ(leave_one_out("a\tThe cat\n")["right"], 0);
}

TEST_F(Looking, ClassifyWritesAsItGoes) {
  const std::string examples = write("examples.tsv", "a\tThe cat\nb\tmoney\n");
  std::string texts;
  for (int i = 0; i < 300; ++i) texts += i % 3 == 0 ? "The cat\n" : "money\n";
  texts += std::string(100, '#') + "\n";  // too long
  const ProgramRun run = run_with_input({"classify", "--examples", examples}, texts);
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("line 301"), std::string::npos) << run.err;
  EXPECT_GT(std::count(run.out.begin(), run.out.end(), '\n'), 200);
  // The parts in which it does so show nowhere.
  std::istringstream lines(run.out);
  std::string line;
  for (int i = 0; std::getline(lines, line); ++i) EXPECT_EQ(line[0], i % 3 == 0 ? 'a' : 'b') << i;
}

TEST_F(Looking, ClassifySaysWhatIsWrongWithItsExamples) {
  expect_failure(run_glassgpt({"classify", "cat"}), 2, "--examples");
  expect_failure(run_glassgpt({"classify", "--examples", path("none"), "cat"}), 1, "none");
  expect_failure(run_glassgpt({"classify", "--examples", write("e.tsv", "a\tb\nc\n"), "cat"}), 1,
                 "line 2");
  expect_failure(
      run_glassgpt({"classify", "--examples", write("e.jsonl", "{\"label\":1}\n"), "cat"}), 1,
      "label");
  expect_failure(run_glassgpt({"classify", "--examples", write("f.tsv", "\n"), "cat"}), 1,
                 "no examples");
}

}  // namespace
}  // namespace glassgpt::testing
