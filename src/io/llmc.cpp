#include "io/llmc.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "glassgpt/error.h"

namespace glassgpt::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little endian");

constexpr std::size_t kHeaderNumbers = 256;
constexpr std::int32_t kMagic = 20240326, kStateMagic = 20240327, kTokenizerMagic = 20240328;
constexpr std::int32_t kFloat32Version = 3, kBFloat16Version = 5;
constexpr std::int32_t kTokenizerVersion = 2;
// A list entry per tensor takes more memory than a tiny tensor takes in the file.
constexpr std::uint64_t kMaxLayers = std::uint64_t{1} << 14;

using Header = std::array<std::int32_t, kHeaderNumbers>;

// A kind's shape in one layer, in units of: the padded vocabulary, the positions, or C times a
// factor. rows == 0: a vector.
struct Kind {
  const char* name;
  bool in_layers;
  enum Extent { kNone, kVocab, kPositions, kWidth, kThreeWidths, kFourWidths } rows, cols;
};
constexpr std::array<Kind, 16> kKinds{{
    {"wte", false, Kind::kVocab, Kind::kWidth},
    {"wpe", false, Kind::kPositions, Kind::kWidth},
    {"ln1w", true, Kind::kNone, Kind::kWidth},
    {"ln1b", true, Kind::kNone, Kind::kWidth},
    {"qkvw", true, Kind::kThreeWidths, Kind::kWidth},
    {"qkvb", true, Kind::kNone, Kind::kThreeWidths},
    {"attprojw", true, Kind::kWidth, Kind::kWidth},
    {"attprojb", true, Kind::kNone, Kind::kWidth},
    {"ln2w", true, Kind::kNone, Kind::kWidth},
    {"ln2b", true, Kind::kNone, Kind::kWidth},
    {"fcw", true, Kind::kFourWidths, Kind::kWidth},
    {"fcb", true, Kind::kNone, Kind::kFourWidths},
    {"fcprojw", true, Kind::kWidth, Kind::kFourWidths},
    {"fcprojb", true, Kind::kNone, Kind::kWidth},
    {"lnfw", false, Kind::kNone, Kind::kWidth},
    {"lnfb", false, Kind::kNone, Kind::kWidth},
}};

// Each number of a header has 31 bits, so four of the largest still fit.
std::uint64_t extent_of(Kind::Extent extent, const LlmcHeader& header) {
  switch (extent) {
    case Kind::kNone:
      break;
    case Kind::kVocab:
      return header.padded_vocab;
    case Kind::kPositions:
      return header.positions;
    case Kind::kWidth:
      return header.width;
    case Kind::kThreeWidths:
      return 3 * header.width;
    case Kind::kFourWidths:
      return 4 * header.width;
  }
  return 0;
}

std::vector<std::uint64_t> shape_of(const Kind& kind, const LlmcHeader& header) {
  std::vector<std::uint64_t> shape;
  if (kind.rows != Kind::kNone) shape.push_back(extent_of(kind.rows, header));
  shape.push_back(extent_of(kind.cols, header));
  return shape;
}

// Bytes of all tensors, or nothing where that overflows.
std::optional<std::uint64_t> bytes_of_tensors(const LlmcHeader& header) {
  std::uint64_t total = 0;
  for (const Kind& kind : kKinds) {
    std::vector<std::uint64_t> shape = shape_of(kind, header);
    if (kind.in_layers) shape.push_back(header.layers);
    const auto bytes = tensor_bytes(shape, element_bytes(header.type));
    if (!bytes || __builtin_add_overflow(total, *bytes, &total)) return std::nullopt;
  }
  return total;
}

[[noreturn]] void malformed(const std::string& file, const std::string& detail) {
  throw Error(ErrorCode::kMalformed, file, detail, "the file is damaged or no checkpoint of llm.c");
}

[[noreturn]] void unsupported(const std::string& file, const std::string& detail) {
  throw Error(ErrorCode::kUnsupported, file, detail,
              "write the model again with llm.c's train_gpt2.py, whose checkpoints have version 3 "
              "or 5");
}

Header read_header(std::span<const std::byte> bytes, const std::string& file) {
  Header header;
  if (bytes.size() < sizeof header) {
    malformed(file, "is " + std::to_string(bytes.size()) + " bytes long, the header alone has " +
                        std::to_string(sizeof header));
  }
  std::memcpy(header.data(), bytes.data(), sizeof header);
  if (header[0] == kTokenizerMagic) unsupported(file, "is llm.c's tokenizer, not its checkpoint");
  if (header[0] == kStateMagic) unsupported(file, "is llm.c's debug state, not its checkpoint");
  if (header[0] != kMagic) malformed(file, "does not begin with llm.c's magic number");
  if (header[1] != kFloat32Version && header[1] != kBFloat16Version) {
    unsupported(file, "is a checkpoint of version " + std::to_string(header[1]));
  }
  return header;
}

std::uint64_t positive(std::int32_t number, const char* what, const std::string& file) {
  if (number <= 0) malformed(file, std::string(what) + " is " + std::to_string(number));
  return static_cast<std::uint64_t>(number);
}

std::int32_t header_number(std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
    throw std::invalid_argument(std::to_string(value) + " does not fit a header of llm.c");
  }
  return static_cast<std::int32_t>(value);
}

}  // namespace

std::vector<LlmcTensor> llmc_tensors(const LlmcHeader& header) {
  std::vector<LlmcTensor> tensors;
  for (const Kind& kind : kKinds) {
    const std::uint64_t copies = kind.in_layers ? header.layers : 1;
    for (std::uint64_t layer = 0; layer < copies; ++layer) {
      tensors.push_back({kind.name, layer, shape_of(kind, header)});
    }
  }
  return tensors;
}

bool begins_like_llmc(std::span<const std::byte> bytes) noexcept {
  std::int32_t magic = 0;
  if (bytes.size() < sizeof magic) return false;
  std::memcpy(&magic, bytes.data(), sizeof magic);
  return magic == kMagic || magic == kStateMagic || magic == kTokenizerMagic;
}

LlmcContents parse_llmc(std::span<const std::byte> bytes, const std::string& name) {
  const Header numbers = read_header(bytes, name);
  LlmcContents contents;
  contents.name = name;
  LlmcHeader& header = contents.header;
  header.positions = positive(numbers[2], "the number of positions", name);
  header.vocab = positive(numbers[3], "the size of the vocabulary", name);
  header.layers = positive(numbers[4], "the number of layers", name);
  header.heads = positive(numbers[5], "the number of heads", name);
  header.width = positive(numbers[6], "the width", name);
  header.padded_vocab = positive(numbers[7], "the padded size of the vocabulary", name);
  header.type = numbers[1] == kFloat32Version ? DType::kF32 : DType::kBF16;
  if (header.padded_vocab < header.vocab) {
    malformed(name, "the vocabulary of " + std::to_string(header.vocab) + " is padded to " +
                        std::to_string(header.padded_vocab));
  }
  if (header.layers > kMaxLayers) {
    throw Error(ErrorCode::kOutOfRange, name,
                "claims " + std::to_string(header.layers) + " layers, the limit is " +
                    std::to_string(kMaxLayers));
  }
  const std::uint64_t held = bytes.size() - sizeof numbers;
  const auto needed = bytes_of_tensors(header);
  if (!needed || *needed != held) {
    malformed(name, "its header asks for " +
                        (needed ? std::to_string(*needed) : std::string("more than 2^64")) +
                        " bytes of tensors, the file has " + std::to_string(held));
  }
  auto rest = bytes.subspan(sizeof numbers);
  contents.tensors = llmc_tensors(header);
  for (const LlmcTensor& tensor : contents.tensors) {
    TensorView view;
    view.name = tensor.kind;
    view.dtype = header.type;
    view.dtype_name = dtype_name(header.type);
    view.shape = tensor.shape;
    view.data = rest.first(
        static_cast<std::size_t>(*tensor_bytes(tensor.shape, element_bytes(header.type))));
    rest = rest.subspan(view.data.size());
    contents.views.push_back(std::move(view));
  }
  return contents;
}

LlmcWriter::LlmcWriter(const std::filesystem::path& file, const LlmcHeader& header)
    : tensors_(llmc_tensors(header)), type_(header.type), file_(file) {
  if (type_ != DType::kF32 && type_ != DType::kBF16) {
    throw std::invalid_argument("llm.c has float32 and bfloat16 checkpoints");
  }
  Header numbers{};
  numbers[0] = kMagic;
  numbers[1] = type_ == DType::kF32 ? kFloat32Version : kBFloat16Version;
  numbers[2] = header_number(header.positions);
  numbers[3] = header_number(header.vocab);
  numbers[4] = header_number(header.layers);
  numbers[5] = header_number(header.heads);
  numbers[6] = header_number(header.width);
  numbers[7] = header_number(header.padded_vocab);
  file_.write(numbers.data(), sizeof numbers);
}

void LlmcWriter::add(const float* values) {
  if (added_ == tensors_.size()) throw std::invalid_argument("more tensors than llm.c has");
  const LlmcTensor& tensor = tensors_[added_++];
  write_floats(file_, tensor.kind, values, *tensor_bytes(tensor.shape, 1), type_);
}

void LlmcWriter::finish() {
  if (added_ != tensors_.size()) throw std::invalid_argument("fewer tensors than llm.c has");
  file_.commit();
}

void write_llmc_tokenizer(const std::filesystem::path& file, std::span<const std::string> tokens,
                          std::uint32_t end_of_text) {
  Header numbers{};
  numbers[0] = kTokenizerMagic;
  numbers[1] = kTokenizerVersion;
  numbers[2] = header_number(tokens.size());
  numbers[3] = header_number(end_of_text);
  AtomicFile output(file);
  output.write(numbers.data(), sizeof numbers);
  for (const std::string& token : tokens) {
    if (token.empty() || token.size() > 255) {
      throw std::invalid_argument("llm.c has tokens of 1 to 255 bytes, not of " +
                                  std::to_string(token.size()));
    }
    const char length = static_cast<char>(token.size());
    output.write(&length, 1);
    output.write(token);
  }
  output.commit();
}

}  // namespace glassgpt::io
