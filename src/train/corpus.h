// Documents out of files and folders.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

namespace glassgpt::training {

struct CorpusFile {
  std::filesystem::path path;
  std::uint64_t bytes;
  std::int64_t modified;  // in the file system's ticks
};

// The files of a corpus: itself, or a folder's .txt and .jsonl files, recursively, sorted by path.
// Throws Error: kNotFound for what is not there or a folder without such files, kUnreadable for one
// that cannot be looked into.
std::vector<CorpusFile> corpus_files(const std::filesystem::path& path);

// Calls `document` with each document in order and the bytes of the file consumed so far. Text
// files: documents are separated by lines of white space alone; .jsonl: the string "text" of each
// line's object. Empty documents are left out. Throws Error (kMalformed with the line) for a .jsonl
// line that is not such an object.
using DocumentFn = std::function<void(std::string_view document, std::uint64_t consumed)>;
void for_each_document(const CorpusFile& file, const DocumentFn& document);

}  // namespace glassgpt::training
