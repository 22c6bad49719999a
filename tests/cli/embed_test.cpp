// embed: its numbers are the library's, its files are each other's.
#include "glassgpt/embed.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "glassgpt/model.h"
#include "glassgpt/tokenizer.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;
using Rows = std::vector<std::vector<float>>;

const char* const kText = "The cat sat on 猫";

Rows rows_of(const json& list) {
  Rows rows;
  for (const json& row : list) {
    rows.emplace_back();
    for (const json& value : row) rows.back().push_back(value.get<float>());
  }
  return rows;
}

Rows npy_rows(const std::string& file) {
  const io::NpyArray array = io::read_npy(file);
  EXPECT_EQ(array.shape.size(), 2u);
  Rows rows;
  for (std::uint64_t r = 0; r < array.shape[0]; ++r) {
    const auto begin = array.data.begin() + static_cast<std::ptrdiff_t>(r * array.shape[1]);
    rows.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(array.shape[1]));
  }
  return rows;
}

// Bytes, not values: -0 is not 0, and NaN equals itself.
bool same_bytes(const Rows& a, const Rows& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t r = 0; r < a.size(); ++r) {
    if (a[r].size() != b[r].size()) return false;
    if (std::memcmp(a[r].data(), b[r].data(), a[r].size() * sizeof(float)) != 0) return false;
  }
  return true;
}

// Every stage with rows, by name, straight from the forward pass.
class Everything : public Observer {
 public:
  bool wants(Stage stage, std::size_t) const override {
    return stage != Stage::kScores && stage != Stage::kAttention && stage != Stage::kTokens;
  }
  void on_stage(const StageView& view) override {
    Rows& rows = stages[{view.stage, view.layer}];
    for (std::size_t r = 0; r < view.rows; ++r) {
      const float* row = view.data + r * view.stride;
      rows.emplace_back(row, row + view.cols);
    }
  }
  std::map<std::pair<Stage, std::size_t>, Rows> stages;
};

class Embedding : public Program {
 protected:
  std::map<std::pair<Stage, std::size_t>, Rows> expected(const std::string& text) const {
    const auto ids = Tokenizer::load(model()).encode(text);
    const std::size_t offsets[] = {0, ids.size()};
    Everything everything;
    Model::load(model()).forward({ids, offsets}, everything, {});
    return everything.stages;
  }
};

TEST_F(Embedding, JsonHasTheTextsTokensAndEveryLayersVectors) {
  const json object = one_json_of({"embed", "--json", "--layers", "all", kText});
  const json tokens = one_json_of({"tokenize", "--json", kText});
  EXPECT_EQ(object["id"], 0);
  EXPECT_EQ(object["ids"], tokens["ids"]);
  EXPECT_EQ(object["tokens"], tokens["tokens"]);
  EXPECT_EQ(object["bytes"], tokens["bytes"]);
  EXPECT_EQ(object["truncated"], false);
  ASSERT_EQ(object["layers"].size(), kLayers + 2);
  const auto stages = expected(kText);
  EXPECT_TRUE(same_bytes(rows_of(object["layers"]["0"]), stages.at({Stage::kEmbedding, 0})));
  for (std::size_t k = 1; k <= kLayers; ++k) {
    EXPECT_TRUE(same_bytes(rows_of(object["layers"][std::to_string(k)]),
                           stages.at({Stage::kResidual, k - 1})))
        << k;
  }
  EXPECT_TRUE(same_bytes(rows_of(object["layers"]["final"]), stages.at({Stage::kFinal, 0})));
  EXPECT_FALSE(object.contains("taps"));
}

TEST_F(Embedding, LayersMayBeNegativeRepeatedAndInAnyOrder) {
  const auto layers = [&](const std::string& list) {
    return one_json_of({"embed", "--json", "--layers", list, kText})["layers"];
  };
  const json all = layers("all");
  EXPECT_EQ(one_json_of({"embed", "--json", kText})["layers"].dump(),
            json({{"final", all["final"]}}).dump());
  EXPECT_EQ(layers("-1"), json({{"3", all["3"]}}));
  EXPECT_EQ(layers("-4"), json({{"0", all["0"]}}));
  EXPECT_EQ(layers("final,-1,3,0, 0"),
            json({{"0", all["0"]}, {"3", all["3"]}, {"final", all["final"]}}));
  EXPECT_NE(all["3"], all["final"]);
}

TEST_F(Embedding, TapsAreTheStagesOfTheirNames) {
  const json object = one_json_of({"embed", "--json", "--layers", "0", "--taps",
                                   "q,mlp_hidden.1,token_embedding,logits", kText});
  const auto stages = expected(kText);
  const json& taps = object["taps"];
  ASSERT_EQ(taps.size(), kLayers + 3);
  EXPECT_TRUE(same_bytes(rows_of(taps["q_02"]), stages.at({Stage::kQ, 2})));
  EXPECT_TRUE(same_bytes(rows_of(taps["mlp_hidden_01"]), stages.at({Stage::kMlpHidden, 1})));
  EXPECT_TRUE(same_bytes(rows_of(taps["token_embedding"]), stages.at({Stage::kTokenEmbedding, 0})));
  EXPECT_TRUE(same_bytes(rows_of(taps["logits"]), stages.at({Stage::kLogits, 0})));
}

TEST_F(Embedding, NpyFilesHaveTheBytesOfTheJson) {
  const std::string file = write("texts.jsonl",
                                 "{\"id\":\"a\",\"text\":\"The cat\"}\n{\"text\":\"\"}\n"
                                 "{\"id\":7,\"text\":\"A river bank 猫\"}\n");
  const std::vector<json> objects = json_of({"embed", "--json", "--layers", "all", "-i", file});
  ASSERT_EQ(objects.size(), 3u);
  ASSERT_EQ(
      run_glassgpt({"embed", "--layers", "all", "--taps", "v.1", "-i", file, "-o", path("out")})
          .code,
      0);
  for (const std::string key : {"0", "1", "2", "3", "final"}) {
    Rows rows;
    for (const json& object : objects) {
      for (auto& row : rows_of(object["layers"][key])) rows.push_back(std::move(row));
    }
    const std::string name = key == "final" ? "final" : "layer_0" + key;
    EXPECT_TRUE(same_bytes(npy_rows(path("out/" + name + ".npy")), rows)) << key;
  }
  EXPECT_TRUE(exists("out/v_01.npy"));
  std::istringstream lines(read("out/rows.jsonl"));
  for (const json& object : objects) {
    for (std::size_t t = 0; t < object["ids"].size(); ++t) {
      std::string line;
      ASSERT_TRUE(std::getline(lines, line));
      EXPECT_EQ(json::parse(line), (json{{"text", object["id"]},
                                         {"token", object["tokens"][t]},
                                         {"id", object["ids"][t]},
                                         {"bytes", object["bytes"][t]}}));
    }
  }
  const json manifest = json::parse(read("out/manifest.json"));
  EXPECT_EQ(manifest["counts"]["texts"], 3);
  EXPECT_EQ(manifest["counts"]["empty_texts"], 1);
  EXPECT_EQ(manifest["counts"]["rows"], npy_rows(path("out/final.npy")).size());
  EXPECT_EQ(manifest["arrays"].size(), 6u);
  EXPECT_EQ(manifest["model"]["sha256"]["model.safetensors"].get<std::string>().size(), 64u);
}

TEST_F(Embedding, OneFileFormatsHoldTheSameArrays) {
  ASSERT_EQ(run_glassgpt({"embed", "--layers", "1,final", kText, "-o", path("out")}).code, 0);
  ASSERT_EQ(run_glassgpt({"embed", "--layers", "1,final", kText, "-o", path("v.safetensors")}).code,
            0);
  ASSERT_EQ(run_glassgpt({"embed", "--layers", "1,final", kText, "-o", path("v.npz")}).code, 0);
  const io::SafetensorsFile file(path("v.safetensors"));
  ASSERT_EQ(file.tensors().size(), 2u);
  const std::string archive = read("v.npz");
  for (const std::string name : {"layer_01", "final"}) {
    const std::string npy = read("out/" + name + ".npy");
    // Members of an npz are stored as they are.
    EXPECT_NE(archive.find(name + ".npy" + npy), std::string::npos) << name;
    const io::TensorView* tensor = file.find(name);
    ASSERT_NE(tensor, nullptr);
    const io::NpyArray array = io::read_npy(path("out/" + name + ".npy"));
    EXPECT_EQ(tensor->shape, array.shape);
    ASSERT_EQ(tensor->data.size(), array.data.size() * sizeof(float));
    EXPECT_EQ(std::memcmp(tensor->data.data(), array.data.data(), tensor->data.size()), 0);
  }
  // Each file has a table of its own.
  ASSERT_EQ(run_glassgpt({"embed", "--layers", "1,final", "A dog", "-o", path("v.npz")}).code, 0);
  EXPECT_EQ(read("v.safetensors.rows.jsonl"), read("out/rows.jsonl"));
  EXPECT_NE(read("v.npz.rows.jsonl"), read("out/rows.jsonl"));
}

TEST_F(Embedding, HalfPrecisionIsTheRoundedFloat) {
  ASSERT_EQ(run_glassgpt({"embed", kText, "-o", path("f32")}).code, 0);
  ASSERT_EQ(run_glassgpt({"embed", kText, "--out-dtype", "f16", "-o", path("f16")}).code, 0);
  Rows rounded = npy_rows(path("f32/final.npy"));
  for (auto& row : rounded) {
    for (float& value : row) {
      // Eleven significant bits, but no place below 2^-24; ties to even.
      const double place = std::ldexp(1.0, std::max(std::ilogb(value), -14) - 10);
      value = static_cast<float>(std::nearbyint(value / place) * place);
    }
  }
  EXPECT_TRUE(same_bytes(npy_rows(path("f16/final.npy")), rounded));
}

TEST_F(Embedding, HalvesBeyondTheirRangeAreInfiniteAndCounted) {
  json config = json::parse(read("model/config.json"));
  config["embedding_scale"] = 1e7;
  write("model/config.json", config.dump());
  const auto embed = [&](const std::string& out, const std::string& type) {
    return run_glassgpt(
        {"embed", "-q", "--layers", "0", "--out-dtype", type, "-o", path(out), kText});
  };
  ASSERT_EQ(embed("f32", "f32").code, 0);
  ASSERT_EQ(embed("f16", "f16").code, 0);
  const Rows whole = npy_rows(path("f32/layer_00.npy")), half = npy_rows(path("f16/layer_00.npy"));
  std::size_t beyond = 0, within = 0;
  for (std::size_t r = 0; r < whole.size(); ++r) {
    for (std::size_t c = 0; c < kWidth; ++c) {
      const bool infinite = std::fabs(whole[r][c]) >= 65520;
      infinite ? ++beyond : ++within;
      EXPECT_EQ(std::isinf(half[r][c]), infinite) << whole[r][c];
      EXPECT_EQ(std::signbit(half[r][c]), std::signbit(whole[r][c]));
    }
  }
  ASSERT_GT(beyond, 1u);
  ASSERT_GT(within, 1u);
  for (const std::string out : {"f16", "v.npz", "v.safetensors"}) {
    const ProgramRun run = embed(out, "f16");
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_NE(run.err.find(std::to_string(beyond) + " values beyond"), std::string::npos)
        << run.err;
  }
  const std::string npy = read("f16/layer_00.npy");
  EXPECT_NE(read("v.npz").find(npy), std::string::npos);
  EXPECT_NE(read("v.safetensors").find(npy.substr(128)), std::string::npos);
}

TEST_F(Embedding, CsvHasTheNumbersOfTheJson) {
  const json object = one_json_of({"embed", "--json", "a \"b\""});
  std::istringstream lines(output_of({"embed", "--format", "csv", "a \"b\""}));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(line.rfind("text,layer,token,byte_begin,byte_end,v0,v1", 0), 0u);
  const Rows rows = rows_of(object["layers"]["final"]);
  for (const auto& row : rows) {
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_EQ(std::stof(line.substr(line.rfind(',') + 1)), row.back());
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(Embedding, BatchesThreadsAndNeighboursChangeNoByte) {
  const std::string alone = output_of({"embed", "--json", "--layers", "all", kText});
  std::string texts;
  for (int i = 0; i < 20; ++i) texts += "A dog sat on the mat.\n";
  texts += std::string(kText) + "\n";
  for (const std::string batch : {"1", "13", "1000"}) {
    for (const std::string threads : {"1", "3"}) {
      const std::string out = output_of(
          {"embed", "--json", "--layers", "all", "--batch-tokens", batch, "--threads", threads},
          texts);
      const std::string last = out.substr(out.rfind("{\"id\":"));
      EXPECT_EQ(last.substr(last.find(',')), alone.substr(alone.find(',')))
          << batch << " " << threads;
    }
  }
}

TEST_F(Embedding, PooledTextsAreTheRowsPooled) {
  const std::string texts = std::string(kText) + "\n\nThe dog\n";
  const std::vector<json> tokens = json_of({"embed", "--json"}, texts);
  const auto pooled = [&](const std::string& pool, const char* more = "-q") {
    Rows rows;
    for (const json& object :
         json_of({"embed", "--json", "--unit", "text", "--pool", pool, more}, texts)) {
      for (auto& row : rows_of(object["layers"]["final"])) rows.push_back(row);
    }
    return rows;
  };
  const auto mean = pooled("mean"), last = pooled("last"), first = pooled("first");
  const auto max = pooled("max"), weighted = pooled("weighted-mean");
  const auto unit = pooled("mean", "--normalize");
  ASSERT_EQ(mean.size(), 2u);
  for (const std::size_t text : {0, 1}) {
    const Rows rows = rows_of(tokens[2 * text]["layers"]["final"]);
    EXPECT_EQ(last[text], rows.back());
    EXPECT_EQ(first[text], rows.front());
    double squares = 0;
    for (std::size_t c = 0; c < kWidth; ++c) {
      double sum = 0, weights = 0, weighted_sum = 0;
      float highest = rows[0][c];
      for (std::size_t r = 0; r < rows.size(); ++r) {
        sum += rows[r][c];
        weights += static_cast<double>(r + 1);
        weighted_sum += static_cast<double>(r + 1) * rows[r][c];
        highest = std::max(highest, rows[r][c]);
      }
      EXPECT_EQ(mean[text][c], static_cast<float>(sum / static_cast<double>(rows.size())));
      EXPECT_EQ(weighted[text][c], static_cast<float>(weighted_sum / weights));
      EXPECT_EQ(max[text][c], highest);
      squares += static_cast<double>(unit[text][c]) * unit[text][c];
    }
    EXPECT_NEAR(squares, 1.0, 1e-6);
    EXPECT_NEAR(unit[text][0] * mean[text][1], unit[text][1] * mean[text][0], 1e-6);
  }
}

TEST_F(Embedding, CenterIsSubtracted) {
  ASSERT_EQ(run_glassgpt({"embed", "--unit", "text", kText, "-o", path("mean")}).code, 0);
  const json centred =
      one_json_of({"embed", "--json", "--unit", "text", "--center", path("mean"), kText});
  EXPECT_EQ(rows_of(centred["layers"]["final"])[0], std::vector<float>(kWidth, 0.0f));
  expect_failure(
      run_glassgpt({"embed", "--taps", "mlp_hidden", "--center", path("mean/final.npy"), kText}), 1,
      "96");
}

TEST_F(Embedding, TooLongTextIsAnErrorThatCountsTheSurplus) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "#";
  const std::size_t tokens = one_json_of({"tokenize", "--json", text})["ids"].size();
  ASSERT_GT(tokens, kContext);
  const std::string file = write("t.txt", "The cat\n" + text + "\n");
  const ProgramRun run = run_glassgpt({"embed", "-i", file, "-o", path("out")});
  expect_failure(run, 1, "line 2");
  EXPECT_NE(run.err.find(std::to_string(tokens - kContext) + " more"), std::string::npos)
      << run.err;
  EXPECT_NE(run.err.find("--truncate"), std::string::npos) << run.err;
  // Nothing was left behind.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path("out")), {}), 0);
}

TEST_F(Embedding, TruncationDropsTheEndThatItNames) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += static_cast<char>('0' + i % 10);
  const json whole = one_json_of({"tokenize", "--json", text});
  const std::size_t tokens = whole["ids"].size(), surplus = tokens - kContext;
  ASSERT_GT(tokens, kContext);
  for (const bool left : {true, false}) {
    const json cut = one_json_of({"embed", "--json", "--truncate", left ? "left" : "right", text});
    EXPECT_EQ(cut["truncated"], true);
    ASSERT_EQ(cut["ids"].size(), kContext);
    EXPECT_EQ(cut["bytes"][0], whole["bytes"][left ? surplus : 0]);
    EXPECT_EQ(cut["bytes"].back(), whole["bytes"][left ? tokens - 1 : kContext - 1]);
    const std::size_t begin = cut["bytes"][0][0], end = cut["bytes"].back()[1];
    const json short_text = one_json_of({"embed", "--json", text.substr(begin, end - begin)});
    ASSERT_EQ(short_text["ids"], cut["ids"]);
    EXPECT_EQ(short_text["layers"], cut["layers"]);
  }
  EXPECT_EQ(one_json_of({"embed", "--json", "--truncate", "left", kText})["truncated"], false);
}

TEST_F(Embedding, WindowsGiveEveryTokenOnceWithContextBeforeIt) {
  std::string text;
  for (int i = 0; i < 90; ++i) text += static_cast<char>('0' + (i * 7 + i / 10) % 10);
  const json whole = one_json_of({"tokenize", "--json", text});
  const std::size_t tokens = whole["ids"].size();
  ASSERT_GT(tokens, 2 * kContext);
  for (const std::size_t stride : {std::size_t{16}, std::size_t{32}, std::size_t{5}}) {
    const json object = one_json_of({"embed", "--json", "--truncate", "window", "--stride",
                                     std::to_string(stride), "--batch-tokens", "40", text});
    EXPECT_EQ(object["truncated"], false);
    EXPECT_EQ(object["ids"], whole["ids"]);
    const Rows rows = rows_of(object["layers"]["final"]);
    ASSERT_EQ(rows.size(), tokens);
    std::size_t kept = 0;
    for (std::size_t begin = 0; kept < tokens; begin += stride) {
      const std::size_t end = std::min(tokens, begin + kContext);
      const std::size_t from = whole["bytes"][begin][0], to = whole["bytes"][end - 1][1];
      const json window = one_json_of({"embed", "--json", text.substr(from, to - from)});
      const Rows inside = rows_of(window["layers"]["final"]);
      ASSERT_EQ(inside.size(), end - begin);
      for (std::size_t t = kept; t < end; ++t) EXPECT_EQ(rows[t], inside[t - begin]) << t;
      kept = end;
    }
    const json mean = one_json_of({"embed", "--json", "--truncate", "window", "--stride",
                                   std::to_string(stride), "--unit", "text", text});
    double sum = 0;
    for (const auto& row : rows) sum += row[0];
    EXPECT_EQ(rows_of(mean["layers"]["final"])[0][0],
              static_cast<float>(sum / static_cast<double>(tokens)));
  }
}

TEST_F(Embedding, DryRunTellsTheSizesOfTheFiles) {
  const std::string file = write("t.txt", "The cat\n\n猫坐\n");
  const json told = one_json_of(
      {"embed", "--dry-run", "--json", "--layers", "0,final", "-i", file, "-o", path("out")});
  EXPECT_FALSE(exists("out"));
  ASSERT_EQ(run_glassgpt({"embed", "--layers", "0,final", "-i", file, "-o", path("out")}).code, 0);
  std::uint64_t bytes = 0;
  for (const json& array : told["arrays"]) {
    const auto size =
        std::filesystem::file_size(path("out/" + array["name"].get<std::string>() + ".npy"));
    EXPECT_EQ(array["bytes"], size);
    bytes += size;
  }
  const std::uint64_t lines = std::filesystem::file_size(path("out/rows.jsonl"));
  EXPECT_EQ(told["rows_bytes"], lines);
  EXPECT_EQ(told["bytes"], bytes + lines);
  EXPECT_EQ(told["rows"], npy_rows(path("out/final.npy")).size());
  EXPECT_EQ(told["texts"], 3);
  // Text has no size before it is written.
  const std::string values = std::to_string(told["rows"].get<std::size_t>() * kWidth * 4);
  for (const std::string format : {"table", "jsonl", "csv"}) {
    const std::string text = output_of({"embed", "--dry-run", "--format", format, "-i", file});
    EXPECT_NE(text.find(values + " bytes as float32; as " + format), std::string::npos) << text;
  }
}

TEST_F(Embedding, MemoryDoesNotGrowWithTheCorpus) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps what was freed";
  const auto peak = [&](int texts) {
    RunOptions options;
    for (int i = 0; i < texts; ++i) options.input += "The cat sat on the mat, and 猫 too.\n";
    const ProgramRun run = run_glassgpt(
        {"embed", "-q", "--layers", "all", "--threads", "1", "-o", path("out")}, options);
    EXPECT_EQ(run.code, 0) << run.err;
    return run.peak_bytes;
  };
  const std::uint64_t few = peak(200), many = peak(8000);
  std::uint64_t written = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path("out")))
    written += entry.file_size();
  EXPECT_GT(written, std::uint64_t{32} << 20);
  EXPECT_LT(many, few + (std::uint64_t{8} << 20));
}

TEST_F(Embedding, EveryRunEndsWithALineOfCounts) {
  for (const std::string format : {"table", "jsonl", "csv"}) {
    const ProgramRun run = run_glassgpt({"embed", "--format", format, kText});
    EXPECT_EQ(run.code, 0);
    EXPECT_EQ(run.err.rfind("embed: 1 text, ", 0), 0u) << format << run.err;
    EXPECT_EQ(run_glassgpt({"embed", "-q", "--format", format, kText}).err, "");
  }
}

TEST_F(Embedding, JsonLinesAreNotWrittenUnderTheNameOfAnotherFormat) {
  for (const std::string name : {"v.npz", "v.safetensors", "v.csv"}) {
    expect_failure(run_glassgpt({"embed", "--json", "-o", path(name), kText}), 2, name);
    EXPECT_FALSE(exists(name));
  }
  EXPECT_EQ(run_glassgpt({"embed", "--json", "-o", path("v.json"), kText}).code, 0);
  EXPECT_EQ(json::parse(read("v.json"))["id"], 0);
}

TEST_F(Embedding, EmptyTextsHaveNoRowsAndAreNoError) {
  const json object = one_json_of({"embed", "--json", "--layers", "0,final", ""});
  EXPECT_EQ(object["ids"], json::array());
  EXPECT_EQ(object["layers"], (json{{"0", json::array()}, {"final", json::array()}}));
  ASSERT_EQ(run_glassgpt({"embed", "", "-o", path("out")}).code, 0);
  EXPECT_EQ(io::read_npy(path("out/final.npy")).shape, (std::vector<std::uint64_t>{0, kWidth}));
  EXPECT_EQ(read("out/rows.jsonl"), "");
  EXPECT_EQ(run_glassgpt({"embed", "", "-o", path("v.npz")}).code, 0);
  EXPECT_EQ(run_glassgpt({"embed", ""}).code, 0);
  EXPECT_EQ(output_of({"embed", "--json"}, ""), "");
}

TEST_F(Embedding, RunAgainReplacesWhatItWrote) {
  ASSERT_EQ(run_glassgpt({"embed", "--layers", "all", kText, "-o", path("out")}).code, 0);
  ASSERT_EQ(run_glassgpt({"embed", "--layers", "final", "The", "-o", path("out")}).code, 0);
  EXPECT_FALSE(exists("out/layer_00.npy"));
  EXPECT_TRUE(exists("out/final.npy"));
  EXPECT_EQ(json::parse(read("out/manifest.json"))["arrays"].size(), 1u);
}

TEST_F(Embedding, TableHasARowPerTokenAndLayer) {
  const std::string table = output_of({"embed", "--layers", "0,final", "--values", "2", "The 猫"});
  const json object = one_json_of({"embed", "--json", "--layers", "0,final", "The 猫"});
  EXPECT_NE(table.find("layer 0"), std::string::npos) << table;
  EXPECT_NE(table.find("final"), std::string::npos) << table;
  char first[32];
  std::snprintf(first, sizeof first, "%.4f", object["layers"]["final"][0][0].get<double>());
  EXPECT_NE(table.find(first), std::string::npos) << table << first;
}

}  // namespace
}  // namespace glassgpt::testing
