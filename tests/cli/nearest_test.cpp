// nearest: what it finds is what comparing all rows of embed finds.
#include <algorithm>
#include <sstream>

#include "glassgpt/model.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "model/parts.h"
#include "program.h"
#include "vectors.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;

class Nearest : public Program {
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

TEST_F(Nearest, TokensAreThoseOfTheTable) {
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

TEST_F(Nearest, RowsOfAStoredOutputAreDescribedByItsRowsFile) {
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

TEST_F(Nearest, ATextOfTheCorpusFindsItself) {
  store({"--unit", "text", "--pool", "last", "--layers", "0,final", "--out-dtype", "f16"});
  const std::vector<json> found = json_of({"nearest", "-q", "--json", "--in", path("out"),
                                           "The dog sat on the cat.", "银行在河岸上。"});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["query"], "The dog sat on the cat.");
  EXPECT_EQ(found[0]["nearest"][0]["text"], 4);
  EXPECT_GT(found[0]["nearest"][0]["cosine"], 0.9999);
  EXPECT_EQ(found[1]["nearest"][0]["text"], 3);
}

TEST_F(Nearest, AWordInItsContextFindsItself) {
  store({"--unit", "word", "--layers", "3"});
  const json found = one_json_of({"nearest", "-q", "--json", "--in", path("out"), "--word", "bank",
                                  "A river bank is not a bank."});
  EXPECT_EQ(found["nearest"][0]["word"], "bank");
  EXPECT_EQ(found["nearest"][0]["bytes"], (json{8, 12}));  // the first of the two
  EXPECT_NEAR(found["nearest"][0]["cosine"].get<double>(), 1.0, 1e-6);
}

TEST_F(Nearest, QueriesFromAnArrayComeTogether) {
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

TEST_F(Nearest, MoreQueriesThanFitTogetherAreAnsweredInTheirOrder) {
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

TEST_F(Nearest, CentredVectorsNeedTheirCentre) {
  store({"--unit", "text"});
  ASSERT_EQ(run_glassgpt({"embed", "--unit", "text", "The cat", "-o", path("mean")}).code, 0);
  store({"--unit", "text", "--center", path("mean")});
  expect_failure(run_glassgpt({"nearest", "--in", path("out"), "The cat"}), 2, "--center");
  const json found = one_json_of({"nearest", "-q", "--json", "--in", path("out"), "--center",
                                  path("mean"), "The dog sat on the cat."});
  EXPECT_EQ(found["nearest"][0]["text"], 4);
  EXPECT_NEAR(found["nearest"][0]["cosine"].get<double>(), 1.0, 1e-6);
}

TEST_F(Nearest, AnotherCentreThanTheFoldersIsRefused) {
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

TEST_F(Nearest, QueriesAreReadAndComputedAsTheFolderWas) {
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

TEST_F(Nearest, AFolderOfAnotherTokenizerNeedsThatTokenizer) {
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

TEST_F(Nearest, AModelIsKnownByTheFilesThatItIsLoadedFrom) {
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

TEST_F(Nearest, AQueryLongerThanTheContextIsCutAsTheUserSays) {
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

TEST_F(Nearest, AWordIsTheFirstThatTruncationLeftWhole) {
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

TEST_F(Nearest, AManifestOfAnotherHandIsRefused) {
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

TEST_F(Nearest, AQueryWithoutTokensIsNamed) {
  store({"--unit", "text"});
  const std::string queries = write("queries.txt", "The cat\n\nThe dog\n");
  expect_failure(run_glassgpt({"nearest", "--in", path("out"), "-i", queries}), 1,
                 "queries.txt: line 2: the query has no tokens");
}

TEST_F(Nearest, RefusesWhatDoesNotFit) {
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

}  // namespace
}  // namespace glassgpt::testing
