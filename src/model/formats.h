// Models in the formats of other programs: which tensor is which there, and what a format cannot
// say. All are written as plain GPT-2 (embedding_scale folded in, a sinusoidal table as positions),
// so that the other program computes the same.
//
// Saving throws Error (kUnsupported), before anything is written, naming the first thing that the
// format cannot express, and std::invalid_argument for a number that `type` cannot hold. Loading
// throws Error for files that are not what they should be. Files appear whole or not at all.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "glassgpt/model.h"
#include "io/gguf.h"
#include "io/llmc.h"
#include "io/npz.h"

namespace glassgpt {

// For llama.cpp, architecture gpt2. `vocabulary` has the keys of the tokenizer; without any the
// file says that it has none. Matrices get `type`; norms, biases and positions stay float32, which
// is what llama.cpp computes with.
void save_gguf(const Model& model, const std::filesystem::path& file, StorageType type,
               const std::optional<io::GgufMetadata>& vocabulary);
Model load_gguf(const io::GgufContents& file);

// For llm.c: float32 or bfloat16.
void save_llmc(const Model& model, const std::filesystem::path& file, StorageType type);
Model load_llmc(const io::LlmcContents& file);

// For NumPy: each tensor under the name that Hugging Face has for it, float32 or float16; the
// members config.json and, if it is not empty, tokenizer.json are those of a model directory.
void save_npz(const Model& model, const std::filesystem::path& file, StorageType type,
              std::string_view tokenizer_json);
Model load_npz(const io::NpzContents& file);

}  // namespace glassgpt
