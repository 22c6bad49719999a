#include "io/npy.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "glassgpt/error.h"
#include "io/half.h"
#include "tests/io/python.h"
#include "tests/io/temporary_directory.h"

namespace glassgpt::io {
namespace {

using testing::expect_error;
using testing::run_python;
using testing::TemporaryDirectory;

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::vector<float> awkward_values(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = std::sin(static_cast<float>(i)) * std::ldexp(1.0f, static_cast<int>(i % 20) - 10);
  }
  return values;
}

TEST(NpyHeader, IsWhatTheFormatAsksFor) {
  const std::vector<std::uint64_t> shapes[] = {{},
                                               {3},
                                               {3, 4},
                                               {0, 4},
                                               {~std::uint64_t{0}, ~std::uint64_t{0}},
                                               std::vector<std::uint64_t>(32, 7)};
  for (const auto& shape : shapes) {
    const std::string header = npy_header(NpyType::kFloat32, shape);
    EXPECT_EQ(header.size() % 64, 0u);
    EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
    EXPECT_EQ(static_cast<std::size_t>(static_cast<unsigned char>(header[8])) +
                  256u * static_cast<unsigned char>(header[9]) + 10,
              header.size());
    EXPECT_EQ(header.back(), '\n');
    if (shape.size() == 2) {
      EXPECT_EQ(header.size(), 128u);
    }
  }
  EXPECT_NE(npy_header(NpyType::kFloat16, shapes[1])
                .find("'descr': '<f2', 'fortran_order': False, "
                      "'shape': (3,), }"),
            std::string::npos);
  EXPECT_THROW(npy_header(NpyType::kFloat32, std::vector<std::uint64_t>(33, 1)),
               std::invalid_argument);
}

TEST(NpyWriter, WritesStridedRowsThatReadBackBitForBit) {
  const TemporaryDirectory directory;
  const std::size_t cols = 5, stride = 7, rows = 9;
  const auto values = awkward_values(rows * stride);
  for (const NpyType type : {NpyType::kFloat32, NpyType::kFloat16}) {
    const auto file = directory / (type == NpyType::kFloat32 ? "single.npy" : "half.npy");
    NpyWriter writer(file, cols, type);
    writer.append(values.data(), 4, stride);
    writer.append(values.data(), 0, stride);
    NpyWriter moved(std::move(writer));
    moved.append(values.data() + 4 * stride, rows - 4, stride);
    EXPECT_EQ(moved.rows(), rows);
    EXPECT_FALSE(std::filesystem::exists(file));
    moved.finish();
    const NpyArray array = read_npy(file);
    EXPECT_EQ(array.shape, (std::vector<std::uint64_t>{rows, cols}));
    ASSERT_EQ(array.data.size(), rows * cols);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < cols; ++c) {
        const float value = values[r * stride + c];
        const float expected =
            type == NpyType::kFloat32 ? value : half_to_float(float_to_half(value));
        EXPECT_EQ(std::memcmp(&array.data[r * cols + c], &expected, sizeof expected), 0);
      }
    }
  }
}

TEST(NpyWriter, AnotherGoesOnAfterTheRowsThatAreKept) {
  const TemporaryDirectory directory;
  const float rows[] = {1, 2, 3, 4, 5, 6};
  const auto file = directory / "a.npy";
  for (const NpyType type : {NpyType::kFloat32, NpyType::kFloat16}) {
    {
      NpyWriter writer(file, 2, type);
      writer.append(rows, 2, 2);
      writer.file().flush();
    }
    EXPECT_FALSE(std::filesystem::exists(file));
    {
      NpyWriter writer(file, 2, type, 1);  // not the second
      EXPECT_EQ(writer.rows(), 1u);
      writer.append(rows + 4, 1, 2);
      writer.append(rows, 1, 2);
      writer.file().flush();
      writer.truncate(2);
      writer.finish();
    }
    const NpyArray array = read_npy(file);
    EXPECT_EQ(array.shape, (std::vector<std::uint64_t>{2, 2}));
    EXPECT_EQ(array.data, (std::vector<float>{1, 2, 5, 6}));
    EXPECT_EQ(directory.names(), (std::vector<std::string>{"a.npy"}));
    std::filesystem::remove(file);
  }
  EXPECT_THROW(NpyWriter(file, 2, NpyType::kFloat32, 5), Error);  // fewer rows are there
}

TEST(NpyWriter, NoRowsMakeAnEmptyArray) {
  const TemporaryDirectory directory;
  NpyWriter writer(directory / "a.npy", 3);
  writer.finish();
  EXPECT_EQ(read_npy(directory / "a.npy").shape, (std::vector<std::uint64_t>{0, 3}));
}

TEST(NpyWriter, NumpyReadsTheSameNumbersAlsoAsAMap) {
  GLASSGPT_NEEDS_NUMPY();
  const TemporaryDirectory directory;
  const std::size_t rows = 33, cols = 6;
  const auto values = awkward_values(rows * cols);
  for (const NpyType type : {NpyType::kFloat32, NpyType::kFloat16}) {
    const auto file = directory / "a.npy";
    NpyWriter writer(file, cols, type);
    writer.append(values.data(), rows, cols);
    writer.finish();
    int status = 0;
    const std::string output = run_python(
        "a = np.load(\"" + file.string() +
            "\", mmap_mode=\"r\")\nprint(a.dtype, a.shape, a.flags.c_contiguous)\n"
            "print(\"\".join(\"%08x\" % v for v in a.astype(np.float32).view(np.uint32).ravel()))",
        status);
    ASSERT_EQ(status, 0) << output;
    std::string wanted =
        std::string(type == NpyType::kFloat32 ? "float32" : "float16") + " (33, 6) True\n";
    for (const float value : values) {
      const float stored = type == NpyType::kFloat32 ? value : half_to_float(float_to_half(value));
      char hex[9];
      std::snprintf(hex, sizeof hex, "%08x", std::bit_cast<std::uint32_t>(stored));
      wanted += hex;
    }
    EXPECT_EQ(output, wanted + "\n");
  }
}

TEST(ReadNpy, ReadsWhatNumpyWritesInEveryVersionAndShape) {
  GLASSGPT_NEEDS_NUMPY();
  const TemporaryDirectory directory;
  int status = 0;
  const std::string output = run_python(
      "import os\nos.chdir(\"" + directory.path().string() +
          "\")\nfrom numpy.lib import format as f\n"
          "for n, s in enumerate([(), (7,), (2, 3), (0, 5), (2, 3, 4), (1,) * 32]):\n"
          "  for v in [(1, 0), (2, 0), (3, 0)]:\n"
          "    for d in [\"<f4\", \"<f2\"]:\n"
          "      a = (np.arange(np.prod(s, dtype=int)) * 0.25 - 1).astype(d).reshape(s)\n"
          "      with open(f\"{n}-{v[0]}-{d[1:]}.npy\", \"wb\") as o: f.write_array(o, a, "
          "version=v)\n"
          "np.save(\"big.npy\", np.zeros(2, \">f4\"))\n"
          "np.save(\"fortran.npy\", np.zeros((2, 3), \"<f4\", order=\"F\"))\n"
          "np.save(\"double.npy\", np.zeros(2))\n"
          "np.save(\"records.npy\", np.zeros(2, [(\"a\", \"<f4\"), (\"b\", \"<f4\")]))\n"
          "np.save(\"objects.npy\", np.array([None]), allow_pickle=True)\n",
      status);
  ASSERT_EQ(status, 0) << output;
  const std::vector<std::uint64_t> shapes[] = {
      {}, {7}, {2, 3}, {0, 5}, {2, 3, 4}, std::vector<std::uint64_t>(32, 1)};
  for (std::size_t n = 0; n < std::size(shapes); ++n) {
    for (const char* rest : {"-1-f4.npy", "-2-f4.npy", "-3-f4.npy", "-1-f2.npy", "-2-f2.npy"}) {
      const NpyArray array = read_npy(directory / (std::to_string(n) + rest));
      EXPECT_EQ(array.shape, shapes[n]);
      std::size_t count = 1;
      for (const std::uint64_t size : shapes[n]) count *= size;
      ASSERT_EQ(array.data.size(), count);
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(array.data[i], 0.25f * static_cast<float>(i) - 1);
      }
    }
  }
  const auto refused = [&](const char* name, const char* part) {
    expect_error([&] { read_npy(directory / name); }, ErrorCode::kUnsupported, part,
                 (directory / name).string());
  };
  refused("big.npy", "\">f4\"");
  refused("fortran.npy", "Fortran order");
  refused("double.npy", "\"<f8\"");
  refused("records.npy", "records");
  refused("objects.npy", "\"|O\"");
}

TEST(ReadNpy, RefusesAFileCutOffAtAnyByteOrWithBytesTooMany) {
  const float row[] = {1, 2, 3};
  std::string file = npy_header(NpyType::kFloat32, std::vector<std::uint64_t>{1, 3});
  file.append(reinterpret_cast<const char*>(row), sizeof row);
  ASSERT_EQ(parse_npy(as_bytes(file), "n").data, std::vector<float>(row, row + 3));
  for (std::size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    expect_error([&] { parse_npy(as_bytes(cut), "n"); }, ErrorCode::kMalformed, "n: ", "n");
  }
  file += '\0';
  expect_error([&] { parse_npy(as_bytes(file), "n"); }, ErrorCode::kMalformed, "13 bytes follow");
}

TEST(ReadNpy, RefusesHeadersThatAreNotTheFormatsDictionary) {
  const auto with_header = [](const std::string& text) {
    std::string file("\x93NUMPY\x01\x00", 8);
    file.push_back(static_cast<char>(text.size() & 0xff));
    file.push_back(static_cast<char>(text.size() >> 8));
    return file + text;
  };
  const auto fails = [&](const std::string& text, const std::string& part) {
    const std::string file = with_header(text);
    expect_error([&] { parse_npy(as_bytes(file), "n"); }, ErrorCode::kMalformed, part);
  };
  EXPECT_NO_THROW(parse_npy(
      as_bytes(with_header("{\"shape\":(0,),'fortran_order':False,'descr':'<f4'}\n")), "n"));
  fails("", "lacks '{'");
  fails("{}", "lacks descr, fortran_order or shape");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)", "lacks '}'");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)} x", "goes on after");
  fails("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,)}",
        "unexpected key");
  fails("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (0,)}", "neither True nor False");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "not a tuple");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}", "lacks ')'");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "not a tuple");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "overflows");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}",
        "0 bytes follow");
  fails("{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", "lacks '('");
  fails("{'descr': '<f4, 'fortran_order': False, 'shape': (0,)}", "header");
  fails("{'desc", "without an end");
  std::string other_version = with_header("{}");
  other_version[6] = 4;
  expect_error([&] { parse_npy(as_bytes(other_version), "n"); }, ErrorCode::kUnsupported,
               "version 4.0");
}

}  // namespace
}  // namespace glassgpt::io
