// Checkpoints of Andrej Karpathy's llm.c: 256 little-endian int32 as header, then the tensors of
// one kind after the other, each kind for all layers. Versions 3 (float32) and 5 (bfloat16), whose
// embedding table is padded to `padded_vocab` rows. Matrices are stored [out, in].
// Source: write_model and write_tokenizer of llm.c's train_gpt2.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/tensor.h"

namespace glassgpt::io {

struct LlmcHeader {
  std::uint64_t positions = 0, vocab = 0, layers = 0, heads = 0, width = 0, padded_vocab = 0;
  DType type = DType::kF32;  // kF32 or kBF16
};

// llm.c names a kind of tensor as "wte", "ln1w", "qkvw", ...
struct LlmcTensor {
  std::string kind;
  std::uint64_t layer = 0;  // 0 for the kinds that are no layer's
  std::vector<std::uint64_t> shape;
};

// All tensors of a checkpoint in the file's order.
std::vector<LlmcTensor> llmc_tensors(const LlmcHeader& header);

struct LlmcContents {
  std::string name;  // of the file, for messages
  LlmcHeader header;
  std::vector<LlmcTensor> tensors;
  std::vector<TensorView> views;  // of each, named by its kind
};

bool begins_like_llmc(std::span<const std::byte> bytes) noexcept;

// Points into `bytes`, whose number must be exactly what the header asks for. Throws Error:
// kMalformed, kUnsupported for another version or another of llm.c's files, kOutOfRange for layers
// beyond all reason. `name` stands in the messages.
LlmcContents parse_llmc(std::span<const std::byte> bytes, const std::string& name);

class LlmcFile {
 public:
  explicit LlmcFile(const std::filesystem::path& file)
      : map_(file), contents_(parse_llmc(map_.bytes(), file.string())) {}
  const LlmcContents& contents() const noexcept { return contents_; }

 private:
  MappedFile map_;
  LlmcContents contents_;
};

// The file appears whole at finish() or not at all.
class LlmcWriter {
 public:
  // Throws std::invalid_argument for numbers that do not fit 31 bits and for other types.
  LlmcWriter(const std::filesystem::path& file, const LlmcHeader& header);
  // The next tensor of llmc_tensors(); the embedding table has `padded_vocab` rows. Throws
  // std::invalid_argument for a value that the type cannot hold.
  void add(const float* values);
  void finish();

 private:
  std::vector<LlmcTensor> tensors_;
  std::size_t added_ = 0;
  DType type_;
  AtomicFile file_;
};

// The bytes of each token, for decoding alone; version 2. Whole or not at all. Throws
// std::invalid_argument unless every token has 1 to 255 bytes.
void write_llmc_tokenizer(const std::filesystem::path& file, std::span<const std::string> tokens,
                          std::uint32_t end_of_text);

}  // namespace glassgpt::io
