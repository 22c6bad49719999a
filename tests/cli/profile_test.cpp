// glassgpt profile: the shape of what it says and what it refuses. No test asserts a time.
#include <cmath>
#include <set>

#include "cli/profile_measurement.h"
#include "cli/profile_report.h"
#include "program.h"

namespace glassgpt::testing {
namespace {

using cli::Measurement;
using cli::ProfileRoof;
using nlohmann::json;

const std::set<std::string> kBlockStages = {
    "ln_1", "query_key_value", "attention_heads", "attention_out", "ln_2", "mlp_hidden", "mlp_out"};

void expect_stages(const json& profile, std::size_t layers, double tokens) {
  std::map<std::string, std::size_t> counts;
  for (const json& stage : profile["stages"]) {
    const std::string name = stage["name"];
    const bool in_block = kBlockStages.contains(name);
    EXPECT_EQ(stage["layer"], in_block ? json(counts[name]) : json(nullptr)) << name;
    ++counts[name];
    EXPECT_GT(stage["ms"].get<double>(), 0) << name;
    EXPECT_GT(stage["flops"].get<double>(), 0) << name;
    EXPECT_GT(stage["bytes"].get<double>(), 0) << name;
    EXPECT_GT(stage["percent_of_roof"].get<double>(), 0) << name;
    EXPECT_EQ(stage["calls"], 1) << name;
    // 2 M K N with C = 24.
    EXPECT_TRUE(name != "attention_out" || stage["flops"].get<double>() == 2 * tokens * 24 * 24);
  }
  for (const std::string& name : kBlockStages) EXPECT_EQ(counts[name], layers) << name;
  EXPECT_EQ(counts.size(), kBlockStages.size() + 3);  // token_embedding, embedding, final
  EXPECT_GT(profile["median_ms"].get<double>(), 0);
  EXPECT_GT(profile["mean_ms"].get<double>(), 0);
  EXPECT_GT(profile["accounted"].get<double>(), 0);
  EXPECT_LE(profile["accounted"].get<double>(), 1);
}

TEST_F(Program, ProfileAsJsonHasEveryStageOfEveryLayer) {
  const json profile = one_json_of({"profile", "--tokens", "20", "--repeat", "3", "--json", "-q"});
  EXPECT_EQ(profile["tokens"], 20);
  EXPECT_EQ(profile["passes"], 3);
  EXPECT_EQ(profile["gemm"], "auto");
  EXPECT_EQ(profile["dtype"], "f32");
  EXPECT_FALSE(profile.contains("compare"));
  for (const char* key : {"isa", "threads", "roof", "total", "other_ms"})
    EXPECT_TRUE(profile.contains(key)) << key;
  EXPECT_EQ(profile["roof"]["levels"].size(), 4u);
  expect_stages(profile, kLayers, 20);
  double flops = 0;
  for (const json& stage : profile["stages"]) flops += stage["flops"].get<double>();
  EXPECT_EQ(profile["total"]["flops"].get<double>(), flops);
}

TEST_F(Program, ProfileInBfloat16ReadsHalfTheWeights) {
  const auto bytes = [&](const std::string& type) {
    const json profile =
        one_json_of({"profile", "--tokens", "4", "--repeat", "1", "--json", "--dtype", type, "-q"});
    EXPECT_EQ(profile["dtype"], type);
    for (const json& stage : profile["stages"])
      if (stage["name"] == "attention_out") return stage["bytes"].get<double>();
    return 0.0;
  };
  EXPECT_EQ(bytes("f32") - bytes("bf16"), 2.0 * 24 * 24);
}

TEST_F(Program, ProfileTakesTextsAsOneBatch) {
  const auto tokens = [&](const std::string& text) {
    return one_json_of({"tokenize", "--json", text})["ids"].size();
  };
  const json profile =
      one_json_of({"profile", "--json", "--repeat", "1", "The cat", "A river bank", ""});
  EXPECT_EQ(profile["texts"], 3);
  EXPECT_EQ(profile["tokens"], tokens("The cat") + tokens("A river bank"));
  const json from_file = one_json_of({"profile", "--json", "--repeat", "1", "--input",
                                      write("t.txt", "The cat\nA river bank\n\n")});
  EXPECT_EQ(from_file["tokens"], profile["tokens"]);
  EXPECT_EQ(from_file["total"]["flops"], profile["total"]["flops"]);
}

TEST_F(Program, ProfileComparesBackendsInTheOrderThatWasAskedFor) {
  const json profile = one_json_of(
      {"profile", "--tokens", "8", "--repeat", "1", "--json", "--compare", "reference,simd,blas"});
  ASSERT_EQ(profile["compare"].size(), 3u);
  const char* const names[] = {"reference", "simd", "blas"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(profile["compare"][i]["gemm"], names[i]);
    expect_stages(profile["compare"][i], kLayers, 8);
  }
  EXPECT_EQ(profile["stages"], profile["compare"][0]["stages"]);
  const std::string table =
      output_of({"profile", "--tokens", "8", "--repeat", "1", "--compare", "blas,simd", "-q"});
  EXPECT_NE(table.find("blas"), std::string::npos);
  EXPECT_NE(table.find("faster"), std::string::npos);
  EXPECT_NE(table.find("mlp_hidden "), std::string::npos);
}

TEST_F(Program, ProfileTableHasARowPerStageOrPerLayer) {
  const std::string summed = output_of({"profile", "--tokens", "8", "--repeat", "2", "-q"});
  const std::string layers =
      output_of({"profile", "--tokens", "8", "--repeat", "2", "-q", "--per-layer"});
  for (const std::string name : {"token_embedding", "final", "other", "total"}) {
    EXPECT_NE(summed.find("\n" + name + " "), std::string::npos) << summed;
    EXPECT_NE(layers.find("\n" + name + " "), std::string::npos) << layers;
  }
  for (const std::string& name : kBlockStages) {
    EXPECT_NE(summed.find("\n" + name + " "), std::string::npos) << summed;
    for (std::size_t k = 0; k < kLayers; ++k)
      EXPECT_NE(layers.find("\n" + name + "." + std::to_string(k) + " "), std::string::npos);
  }
  EXPECT_NE(summed.find("2 passes"), std::string::npos) << summed;
}

// What a viewer needs: complete events, on each track in the order of their beginnings, each within
// the one that it is part of.
TEST_F(Program, ProfileTraceIsNestedAndInOrder) {
  const std::string file = path("trace.json");
  output_of({"profile", "--tokens", "8", "--repeat", "2", "--compare", "simd,blas", "--trace", file,
             "-q"});
  const json trace = json::parse(read("trace.json"));
  std::map<int, std::vector<json>> open;
  std::map<int, double> latest;
  std::map<std::string, int> seen;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == "M") continue;
    ASSERT_EQ(event["ph"], "X");
    const int track = event["tid"];
    const double begin = event["ts"], end = begin + event["dur"].get<double>();
    EXPECT_GE(begin, latest[track]);
    EXPECT_GE(event["dur"].get<double>(), 0);
    latest[track] = begin;
    std::vector<json>& parents = open[track];
    const auto end_of = [](const json& e) {
      return e["ts"].get<double>() + e["dur"].get<double>();
    };
    constexpr double kRounding = 0.0015;  // of times written to the nanosecond
    while (!parents.empty() && end_of(parents.back()) <= begin + kRounding) parents.pop_back();
    EXPECT_TRUE(parents.empty() || end <= end_of(parents.back()) + kRounding) << event.dump();
    parents.push_back(event);
    const std::string name = event["name"];
    ++seen[name];
    if (name.rfind("mlp_out.", 0) == 0) {
      EXPECT_EQ(name, "mlp_out." + std::to_string(event["args"]["layer"].get<int>()));
      EXPECT_EQ(event["args"]["flops"].get<double>(), 2.0 * 8 * 24 * 96);
    }
  }
  EXPECT_EQ(latest.size(), 2u);
  EXPECT_EQ(seen["pass 0"], 2);
  EXPECT_EQ(seen["block 2"], 4);
  EXPECT_EQ(seen["mlp_out.2"], 4);
  EXPECT_EQ(seen["final"], 4);
}

TEST_F(Program, ProfileRefusesWhatItCannotMeasure) {
  const auto fails = [&](std::vector<std::string> arguments, int code, const std::string& part) {
    arguments.insert(arguments.begin(), "profile");
    expect_failure(run_glassgpt(arguments), code, part);
  };
  fails({"--tokens", "0"}, 2, "--tokens");
  fails({"--tokens", "8", "--repeat", "0"}, 2, "--repeat");
  fails({"--tokens", "8", "text"}, 2, "exclude");
  fails({"--tokens", "8", "--input", "file.txt"}, 2, "exclude");
  fails({"--tokens", "8", "--compare", "simd,fast"}, 2, "'fast'");
  fails({"--tokens", "8", "--compare", "simd,"}, 2, "''");
  fails({"--tokens", "8", "--compare", "simd", "--gemm", "blas"}, 2, "--gemm");
  fails({"--tokens", "8", "--compare", "simd,blas", "--dtype", "bf16"}, 2, "bf16");
  fails({"--tokens", std::to_string(kContext + 1)}, 1, "1 more than the model's context");
  fails({std::string(400, 'x')}, 1, "more than the model's context");
  fails({""}, 1, "no tokens");
  const std::string file = write("file", "as it was");
  fails({"--tokens", "8", "--repeat", "1", "--trace", path("none/t.json")}, 1, "t.json");
  fails({"--tokens", "8", "--repeat", "1", "--trace", file + "/t.json"}, 1, "t.json");
  // A run that fails leaves the file of the last one.
  fails({"--tokens", std::to_string(kContext + 1), "--trace", file}, 1, "context");
  EXPECT_EQ(read("file"), "as it was");
}

// Two passes whose times are known, held against a roof that is known.
class ProfileSummaryTest : public ::testing::Test {
 protected:
  static StageTime time(TimedStage stage, std::size_t layer, std::int64_t milliseconds,
                        const StageCost& cost) {
    return {stage, layer, stage == TimedStage::kOther ? 0u : 1u, milliseconds * 1'000'000, cost};
  }

  ProfileSummaryTest() {
    const StageCost table{0, 0, 4000}, product{2e7, 3000, 1000};
    for (const std::int64_t slow : {0, 4, 1})
      measurement_.stages.push_back({time(TimedStage::kEmbedding, 0, 2 + slow, table),
                                     time(TimedStage::kMlpOut, 0, 10, product),
                                     time(TimedStage::kMlpOut, 1, 20 + 2 * slow, product),
                                     time(TimedStage::kOther, 0, 1, {})});
    measurement_.wall_seconds = {0.040, 0.050, 0.035};
    roof_.measured.gflops[{"test", 2}] = 4.0;
    roof_.measured.memory = {{"L1", 2000, {{2, 1e-2}}, {}, {}},
                             {"L2", 2500, {{2, 5e-3}}, {}, {}},
                             {"L3", 100000, {{2, 1e-3}}, {}, {}},
                             {"memory", ~std::size_t{0}, {{2, 1e-4}}, {}, {}}};
  }

  Measurement measurement_{"simd", {}, {}, {}};
  ProfileRoof roof_{"test", 2, false, {}};
};

TEST_F(ProfileSummaryTest, SumsTheBlocksOfEachPassBeforeItTakesTheMedian) {
  const cli::ProfileSummary summary = cli::summarize(measurement_, roof_, false);
  ASSERT_EQ(summary.stages.size(), 2u);
  EXPECT_NEAR(summary.stages[0].seconds, 0.003, 1e-12);
  EXPECT_EQ(summary.stages[1].calls, 2u);
  EXPECT_FALSE(summary.stages[1].layer.has_value());
  EXPECT_NEAR(summary.stages[1].seconds, 0.032, 1e-12);
  EXPECT_EQ(summary.stages[1].cost.flops, 4e7);
  EXPECT_NEAR(summary.total.seconds, 0.040, 1e-12);
  EXPECT_NEAR(summary.other_seconds, 0.001, 1e-12);
  // 32 of 40, 44 of 50, 35 of 35.
  EXPECT_NEAR(summary.accounted, 0.88, 1e-12);
}

TEST_F(ProfileSummaryTest, PerLayerEachBlockStandsByItself) {
  const cli::ProfileSummary summary = cli::summarize(measurement_, roof_, true);
  ASSERT_EQ(summary.stages.size(), 3u);
  EXPECT_FALSE(summary.stages[0].layer.has_value());
  EXPECT_EQ(summary.stages[1].layer, 0u);
  EXPECT_EQ(summary.stages[2].layer, 1u);
  EXPECT_NEAR(summary.stages[2].seconds, 0.022, 1e-12);
}

TEST_F(ProfileSummaryTest, TheRoofIsThatOfTheLevelThatHoldsTheBytes) {
  // Arithmetic: 2e7 / 4 GFLOP/s = 5 ms. Memory: 1000 bytes, half of them in each L1, at 1e-2 GB/s;
  // 3000 bytes of weights, but 6000 in the pass, so from L3 at 1e-3 GB/s: 0.1 + 3 ms.
  const cli::ProfileSummary summary = cli::summarize(measurement_, roof_, true);
  EXPECT_NEAR(summary.stages[1].least_seconds, 5e-3, 1e-12);
  // 4000 bytes, 2000 for each of two L1.
  EXPECT_NEAR(summary.stages[0].least_seconds, 4000 / 1e7, 1e-12);
  EXPECT_NEAR(roof_.least_seconds(TimedStage::kMlpOut, {0, 3000, 1000}, 6000), 3.1e-3, 1e-12);
  EXPECT_NEAR(roof_.least_seconds(TimedStage::kMlpOut, {0, 0, 4500}, 0), 4500 / 5e6, 1e-12);
  EXPECT_NEAR(roof_.least_seconds(TimedStage::kMlpOut, {0, 0, 200000}, 0), 200000 / 1e5, 1e-9);
  EXPECT_NEAR(summary.total.least_seconds, 2 * 5e-3 + 4000 / 1e7, 1e-12);
}

TEST_F(ProfileSummaryTest, ProductsInBfloat16HaveThatRoofAndAttentionKeepsItsOwn) {
  roof_.bf16 = true;
  EXPECT_NEAR(roof_.least_seconds(TimedStage::kMlpOut, {2e7, 0, 0}, 0), 5e-3, 1e-12);
  roof_.measured.bf16_gflops[{"test", 2}] = 8.0;
  EXPECT_NEAR(roof_.least_seconds(TimedStage::kMlpOut, {2e7, 0, 0}, 0), 2.5e-3, 1e-12);
  EXPECT_NEAR(roof_.least_seconds(TimedStage::kAttentionHeads, {2e7, 0, 0}, 0), 5e-3, 1e-12);
  roof_.bf16 = false;
  EXPECT_NEAR(roof_.least_seconds(TimedStage::kMlpOut, {2e7, 0, 0}, 0), 5e-3, 1e-12);
}

TEST_F(ProfileSummaryTest, TheMedianOfAnEvenNumberIsInTheMiddle) {
  measurement_.stages.pop_back();
  measurement_.wall_seconds.pop_back();
  const cli::ProfileSummary summary = cli::summarize(measurement_, roof_, true);
  EXPECT_NEAR(summary.total.seconds, 0.045, 1e-12);
  EXPECT_NEAR(summary.stages[0].seconds, 0.004, 1e-12);
}

}  // namespace
}  // namespace glassgpt::testing
