// Counts the distinct pieces of files: all that training needs to know of a text.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace glassgpt::tokenizer {

// A hash table from piece to count. Pieces are copied into an arena; memory grows with the distinct
// pieces, not with the text.
class PieceCounts {
 public:
  struct Entry {
    std::string_view piece;
    std::uint64_t hash = 0;
    std::uint64_t count = 0;  // 0: an empty slot
  };

  void add(std::string_view piece, std::uint64_t count);
  void merge(const PieceCounts& other);

  std::size_t size() const noexcept { return used_; }
  // The counted pieces, in no particular order.
  std::vector<Entry> entries() const;

 private:
  void add_hashed(std::string_view piece, std::uint64_t hash, std::uint64_t count);
  void grow();
  std::string_view keep(std::string_view piece);

  std::vector<Entry> slots_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t block_left_ = 0;
  char* block_at_ = nullptr;
};

// Splits the files with GPT-2's pattern, each line by itself with its line end, as Hugging Face's
// train(files) feeds them. `progress`, which may be empty, hears how many bytes are done. Throws
// Error for a file that cannot be read.
PieceCounts count_pieces(std::span<const std::filesystem::path> files, int threads,
                         const std::function<void(std::size_t bytes_read)>& progress);

}  // namespace glassgpt::tokenizer
