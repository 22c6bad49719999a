#include "io/safetensors.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/io/python.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::as_bytes;
using testing::expect_error;
using testing::run_python;
using testing::safetensors_bytes;
using testing::TemporaryDirectory;

std::vector<float> counting(std::size_t count, float scale = 1.0f) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = scale * (static_cast<float>(i) - 3.0f);
  return values;
}

TEST(Safetensors, WrittenTensorsReadBackInEveryType) {
  const TemporaryDirectory directory;
  const auto file = directory / "model.safetensors";
  // More than one chunk of the conversion; eighths are exact in all three types up to here.
  const auto small = counting(6, 0.125f);
  std::vector<float> large(100001);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<float>(i % 200) * 0.5f;
  const float scalar = -2.5f;
  const TensorToWrite tensors[] = {{"z.weight", {2, 3}, small.data()},
                                   {"a.weight", {large.size()}, large.data()},
                                   {"scalar", {}, &scalar},
                                   {"empty", {0, 4}, nullptr}};
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    write_safetensors(file, tensors, type, {{"format", "pt"}, {"step", "7"}});
    const SafetensorsFile read(file);
    ASSERT_EQ(read.tensors().size(), 4u);
    EXPECT_EQ(read.metadata().at("format"), "pt");
    EXPECT_EQ(read.metadata().at("step"), "7");
    for (const TensorToWrite& tensor : tensors) {
      const TensorView* view = read.find(tensor.name);
      ASSERT_NE(view, nullptr);
      EXPECT_EQ(view->name, tensor.name);
      EXPECT_EQ(view->dtype, type);
      EXPECT_EQ(view->shape, tensor.shape);
      std::vector<float> values(view->elements());
      to_float(*view, values.data());
      for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], tensor.data[i]);
    }
    EXPECT_EQ(read.find("nothing"), nullptr);
    EXPECT_EQ(directory.names(), std::vector<std::string>{"model.safetensors"});
  }
}

TEST(Safetensors, TheFileIsLaidOutAsTheFormatSays) {
  const TemporaryDirectory directory;
  const auto file = directory / "f";
  const auto values = counting(5);
  const TensorToWrite tensors[] = {{"b", {2}, values.data()}, {"a", {3, 1}, values.data() + 2}};
  write_safetensors(file, tensors, DType::kF16);
  const std::string bytes = read_file(file);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::ordered_json::parse(bytes.substr(8, length));
  EXPECT_EQ(header.dump(), R"({"b":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                           R"("a":{"dtype":"F16","shape":[3,1],"data_offsets":[4,10]}})");
  EXPECT_EQ(bytes.size(), 8 + length + 10);
  EXPECT_EQ(bytes.substr(8 + length, 2), std::string("\x00\xc2", 2));  // -3 as binary16: 0xc200
}

TEST(Safetensors, AGitLfsPointerIsCalledOne) {
  const TemporaryDirectory directory;
  write_file(directory / "f",
             "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 497774208\n");
  expect_error([&] { SafetensorsFile(directory / "f"); }, ErrorCode::kMalformed, "Git LFS");
}

TEST(Safetensors, TheSameTensorsMakeTheSameBytes) {
  const TemporaryDirectory directory;
  const auto values = counting(4);
  const TensorToWrite tensors[] = {{"t", {4}, values.data()}};
  write_safetensors(directory / "a", tensors, DType::kBF16, {{"b", "1"}, {"a", "2"}});
  write_safetensors(directory / "b", tensors, DType::kBF16, {{"a", "2"}, {"b", "1"}});
  EXPECT_EQ(read_file(directory / "a"), read_file(directory / "b"));
}

TEST(Safetensors, NumpyFindsTheNumbersWhereTheHeaderSays) {
  GLASSGPT_NEEDS_NUMPY();
  const TemporaryDirectory directory;
  const auto file = directory / "f";
  const auto values = counting(24, 0.1f);
  const TensorToWrite tensors[] = {{"skip", {4}, values.data()}, {"t", {4, 5}, values.data() + 4}};
  write_safetensors(file, tensors, DType::kF16);
  int status = 0;
  const std::string output = run_python(
      "import json\nb = open(\"" + file.string() +
          "\", \"rb\").read()\nn = int.from_bytes(b[:8], \"little\")\nh = "
          "json.loads(b[8:8+n])[\"t\"]\n"
          "i, j = h[\"data_offsets\"]\na = np.frombuffer(b[8+n+i:8+n+j], "
          "\"<f2\").reshape(h[\"shape\"])\n"
          "w = (np.float32(0.1) * (np.arange(24, dtype=np.float32) - 3))[4:].astype(np.float16)\n"
          "print(a.shape, (a.ravel() == w).all())",
      status);
  EXPECT_EQ(output, "(4, 5) True\n");
}

TEST(Safetensors, AnExistingFileSurvivesAWriteThatFails) {
  const TemporaryDirectory directory;
  const auto file = directory / "f";
  write_file(file, "old");
  const float values[] = {1.0f, 70000.0f};
  const TensorToWrite tensors[] = {{"t", {2}, values}};
  EXPECT_THROW(write_safetensors(file, tensors, DType::kF16), std::invalid_argument);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(directory.names(), std::vector<std::string>{"f"});
}

TEST(Safetensors, WritingRefusesWhatCannotBeStoredOrNamed) {
  const TemporaryDirectory directory;
  const auto file = directory / "f";
  const float one = 1.0f;
  const auto refused = [&](std::vector<TensorToWrite> tensors, DType type) {
    EXPECT_THROW(write_safetensors(file, tensors, type), std::invalid_argument);
    EXPECT_TRUE(directory.names().empty());
  };
  refused({{"a", {1}, &one}, {"a", {1}, &one}}, DType::kF32);
  refused({{"", {1}, &one}}, DType::kF32);
  refused({{"__metadata__", {1}, &one}}, DType::kF32);
  refused({{"\xff", {1}, &one}}, DType::kF32);
  refused({{"a", {1}, nullptr}}, DType::kF32);
  refused({{"a", {1}, &one}}, DType::kOther);
  refused({{"a", {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, &one}}, DType::kF32);
  for (const float large : {65520.0f, -1e30f}) refused({{"a", {1}, &large}}, DType::kF16);
  const float largest = std::numeric_limits<float>::max();
  refused({{"a", {1}, &largest}}, DType::kBF16);
}

TEST(Safetensors, InfinityAndNaNAreStoredAsTheyAre) {
  const TemporaryDirectory directory;
  const float values[] = {INFINITY, -INFINITY, NAN};
  const TensorToWrite tensors[] = {{"t", {3}, values}};
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    write_safetensors(directory / "f", tensors, type);
    float read[3];
    to_float(*SafetensorsFile(directory / "f").find("t"), read);
    EXPECT_EQ(read[0], INFINITY);
    EXPECT_EQ(read[1], -INFINITY);
    EXPECT_TRUE(std::isnan(read[2]));
  }
}

TEST(Safetensors, ReadsUnalignedDataAndOtherPeoplesHeaders) {
  // A header of 59 bytes, members in another order, spaces, a type that glassgpt does not compute
  // with.
  const std::string header =
      R"({"m":{"shape":[3],"dtype":"BOOL","data_offsets":[0,3]} ,"__metadata__":{"format":"pt"},)"
      R"( "t":{"data_offsets":[3,11],"dtype":"F32","shape":[2],"extra":null}}   )";
  const float values[] = {1.5f, -2.0f};
  std::string data("\x01\x00\x01", 3);
  data.append(reinterpret_cast<const char*>(values), sizeof values);
  const std::string bytes = "x" + safetensors_bytes(header, data);
  const auto contents = parse_safetensors(as_bytes(bytes).subspan(1), "n");
  float read[2];
  to_float(contents.tensors.at("t"), read);
  EXPECT_EQ(read[0], 1.5f);
  EXPECT_EQ(read[1], -2.0f);
  EXPECT_EQ(contents.tensors.at("m").dtype, DType::kOther);
  EXPECT_EQ(contents.tensors.at("m").dtype_name, "BOOL");
  EXPECT_EQ(contents.metadata.at("format"), "pt");
  expect_error([&] { to_float(contents.tensors.at("m"), read); }, ErrorCode::kUnsupported,
               "tensor \"m\" has dtype BOOL");
}

TEST(Safetensors, AnEmptyHeaderIsAFileWithoutTensors) {
  const std::string bytes = safetensors_bytes("{}", "");
  EXPECT_TRUE(parse_safetensors(as_bytes(bytes), "n").tensors.empty());
}

class Shards : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto values = counting(4);
    const TensorToWrite first[] = {{"a", {2}, values.data()}, {"c", {1}, values.data()}};
    const TensorToWrite second[] = {{"b", {2}, values.data() + 2}};
    write_safetensors(directory_ / "model-1.safetensors", first, DType::kF32, {{"format", "pt"}});
    write_safetensors(directory_ / "model-2.safetensors", second, DType::kBF16);
  }

  void write_index(const std::string& text) { write_file(index_, text); }

  void expect_refused(const std::string& text, const std::string& part,
                      ErrorCode code = ErrorCode::kMalformed) {
    write_index(text);
    expect_error([&] { SafetensorsFile{index_}; }, code, part);
  }

  TemporaryDirectory directory_;
  std::filesystem::path index_ = directory_ / "model.safetensors.index.json";
};

TEST_F(Shards, AnIndexOpensTheShardsBesideIt) {
  write_index(R"({"metadata":{"total_size":20},"weight_map":{"a":"model-1.safetensors",)"
              R"("b":"model-2.safetensors","c":"model-1.safetensors"}})");
  const SafetensorsFile file(index_);
  ASSERT_EQ(file.tensors().size(), 3u);
  float read[2];
  to_float(*file.find("b"), read);
  EXPECT_EQ(read[0], -1.0f);
  EXPECT_EQ(read[1], 0.0f);
  EXPECT_EQ(file.find("b")->dtype, DType::kBF16);
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST_F(Shards, AnIndexCannotReachOutOfItsDirectory) {
  const auto outside = directory_.path().filename().string();
  for (const std::string& name :
       {"../" + outside + "/model-1.safetensors", std::string(".."), std::string("."),
        std::string(), std::string("a/b"), std::string("a\\\\b"), std::string("a\\u0000b"),
        (directory_ / "model-1.safetensors").string()}) {
    expect_refused("{\"weight_map\":{\"a\":\"" + name + "\"}}",
                   "\"a\" does not name a file of the same directory");
  }
  expect_refused(R"({"weight_map":{"a":7}})", "does not name a file");
}

TEST_F(Shards, AnIndexThatPromisesWhatIsNotThereIsRefused) {
  expect_refused(R"({"weight_map":{"x":"model-1.safetensors"}})", "\"x\" is not in");
  expect_refused(R"({"weight_map":{"a":"model-9.safetensors"}})",
                 "model-9.safetensors: No such file", ErrorCode::kNotFound);
  expect_refused(R"({"weight_map":[]})", "no object weight_map");
  expect_refused("[]", "no object weight_map");
  expect_refused("{", "not valid JSON");
  write_file(directory_ / "model-2.safetensors", "damaged");
  expect_refused(R"({"weight_map":{"b":"model-2.safetensors"}})",
                 "model-2.safetensors: is 7 bytes");
}

}  // namespace
}  // namespace glassgpt::io
