// The promises of src/cli/README.md about what does not change a vector's bytes.
#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>

#include "io/half.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "program.h"

namespace glassgpt::testing {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

class Invariance : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    const char* const parts[] = {"The cat sat", " on the mat.", "猫坐在垫子上。", " A river bank"};
    for (int text = 0; text < 25; ++text) {
      std::string line;
      for (int i = 0; i < text * 5 % 7; ++i) line += parts[(text + i * i) % 4];
      lines_.push_back(line);
    }
    write("texts.txt", joined(lines_));
  }

  static std::string joined(const Words& lines) {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }

  // Name and bytes of each file of the result.
  std::map<std::string, std::string> result(const Words& more, const std::string& input = {},
                                            std::size_t piece = 0) {
    const std::string out = "out" + std::to_string(runs_++);
    Words words = {"embed", "-o", path(out), "--truncate", "window"};
    if (input.empty()) words.insert(words.end(), {"-i", path("texts.txt")});
    words.insert(words.end(), more.begin(), more.end());
    RunOptions options;
    options.input = input;
    options.piece = piece;
    const ProgramRun run = run_glassgpt(words, options);
    EXPECT_EQ(run.code, 0) << run.err;
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path(out))) {
      const std::string name = entry.path().filename().string();
      files[name] = read(out + "/" + name);
    }
    return files;
  }

  Words lines_;
  int runs_ = 0;
};

TEST_F(Invariance, BatchesAndThreadsChangeNoByteOfAnyFile) {
  for (const Words& form :
       {Words{"--layers", "all", "--taps", "q,mlp_out"}, Words{"--unit", "word", "--layers", "0,2"},
        Words{"--unit", "text", "--pool", "weighted-mean", "--normalize"}}) {
    const auto whole = result(form);
    for (const std::string batch : {"1", "9", "64", "100000"}) {
      for (const std::string threads : {"1", "2", "3"}) {
        Words words = form;
        words.insert(words.end(), {"--batch-tokens", batch, "--threads", threads});
        EXPECT_EQ(result(words), whole) << batch << " " << threads;
      }
    }
  }
}

TEST_F(Invariance, OrderOfTextsOnlyOrdersRows) {
  const auto vectors = [&](const Words& lines) {
    std::map<std::string, std::string> by_text;  // text -> its layers, as the program wrote them
    std::istringstream out(output_of(
        {"embed", "--json", "-q", "--layers", "all", "--batch-tokens", "50"}, joined(lines)));
    std::size_t index = 0;
    for (std::string line; std::getline(out, line);) {
      by_text[lines[index++]] = line.substr(line.find("\"tokens\""));
    }
    return by_text;
  };
  Words reversed = lines_, doubled = lines_;
  std::reverse(reversed.begin(), reversed.end());
  doubled.insert(doubled.end(), lines_.begin(), lines_.end());
  EXPECT_EQ(vectors(reversed), vectors(lines_));
  EXPECT_EQ(vectors(doubled), vectors(lines_));
}

TEST_F(Invariance, WhatElseIsAskedForChangesNoByteOfALayer) {
  const auto all = result(
      {"--layers", "all", "--taps", "token_embedding,ln_1,q,k,v,attention_out,mlp_hidden,logits"});
  for (const std::string layers : {"0", "1", "2", "3", "final"}) {
    const auto one = result({"--layers", layers});
    const std::string name = (layers == "final" ? "final" : "layer_0" + layers) + ".npy";
    EXPECT_EQ(one.at(name), all.at(name)) << layers;
    EXPECT_EQ(one.at("rows.jsonl"), all.at("rows.jsonl"));
  }
  const auto tap = result({"--layers", "0", "--taps", "v.1"});
  EXPECT_EQ(tap.at("v_01.npy"), all.at("v_01.npy"));
}

TEST_F(Invariance, TheWayTextsComeInChangesNoByte) {
  const auto whole = result({"--layers", "all"});
  for (const std::size_t piece : {0, 1, 7}) {
    EXPECT_EQ(result({"--layers", "all"}, joined(lines_), piece), whole) << "a pipe";
  }
  ASSERT_EQ(run_glassgpt([&] {
              Words words = {"embed",    "-o", path("arguments"), "--truncate", "window",
                             "--layers", "all"};
              words.insert(words.end(), lines_.begin(), lines_.end());
              return words;
            }())
                .code,
            0);
  for (const auto& [name, bytes] : whole) EXPECT_EQ(read("arguments/" + name), bytes) << name;
  std::string jsonl;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    jsonl += json{{"id", i}, {"text", lines_[i]}}.dump() + "\n";
  }
  EXPECT_EQ(result({"--layers", "all", "--input-format", "jsonl"}, jsonl), whole);
  EXPECT_EQ(result({"--layers", "all", "--checkpoint-seconds", "0", "--batch-tokens", "20"}),
            whole);
}

TEST_F(Invariance, EveryFormatHoldsTheSameBytes) {
  const auto files = result({"--layers", "1,final"});
  const Words base = {"embed",  "--layers", "1,final",        "--truncate",
                      "window", "-i",       path("texts.txt")};
  const auto with = [&](const Words& more) {
    Words words = base;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  for (const std::string file : {"v.npz", "v.safetensors"}) {
    ASSERT_EQ(run_glassgpt(with({"-o", path(file)})).code, 0);
  }
  const io::SafetensorsFile tensors(path("v.safetensors"));
  const std::string archive = read("v.npz");
  std::map<std::string, std::vector<float>> from_json, from_csv;
  for (const json& object : json_of(with({"--json"}))) {
    for (const auto& [key, rows] : object["layers"].items()) {
      for (const json& row : rows) {
        for (const json& value : row) from_json[key].push_back(value.get<float>());
      }
    }
  }
  std::istringstream csv(output_of(with({"--format", "csv"})));
  std::string line;
  std::getline(csv, line);
  while (std::getline(csv, line)) {
    // text,layer,"token",begin,end,values: tokens here hold neither quotes nor line ends.
    std::istringstream rest(line.substr(line.rfind('"') + 2));
    const std::size_t comma = line.find(',');
    const std::string layer = line.substr(comma + 1, line.find(',', comma + 1) - comma - 1);
    std::string cell;
    for (int i = 0; std::getline(rest, cell, ','); ++i) {
      if (i >= 2) from_csv[layer].push_back(std::stof(cell));
    }
  }
  for (const std::string key : {"1", "final"}) {
    const std::string name = key == "1" ? "layer_01" : "final";
    const std::string& npy = files.at(name + ".npy");
    const std::string numbers = npy.substr(128);
    EXPECT_NE(archive.find(npy), std::string::npos) << name;
    const io::TensorView* tensor = tensors.find(name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor->data.data()), tensor->data.size()),
              numbers);
    for (const auto* values : {&from_json[key], &from_csv[key]}) {
      ASSERT_EQ(values->size() * sizeof(float), numbers.size());
      EXPECT_EQ(std::memcmp(values->data(), numbers.data(), numbers.size()), 0) << name;
    }
  }
  EXPECT_EQ(read("v.npz.rows.jsonl"), files.at("rows.jsonl"));
  EXPECT_EQ(read("v.safetensors.rows.jsonl"), files.at("rows.jsonl"));
}

}  // namespace
}  // namespace glassgpt::testing
