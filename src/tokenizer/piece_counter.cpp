#include "tokenizer/piece_counter.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>

#include "io/file.h"
#include "tokenizer/hash.h"
#include "tokenizer/split.h"

namespace glassgpt::tokenizer {
namespace {

constexpr std::size_t kArenaBlock = std::size_t{1} << 20;
constexpr std::size_t kChunk = std::size_t{4} << 20;

// One line with its line end is split by itself.
void count_lines(std::string_view text, PieceCounts& counts) {
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline == text.npos ? newline : newline + 1);
    const char* const end = line.data() + line.size();
    for (const char* at = line.data(); at < end;) {
      const char* const next = gpt2_piece_end(at, end);
      counts.add({at, static_cast<std::size_t>(next - at)}, 1);
      at = next;
    }
    text.remove_prefix(line.size());
  }
}

// Hands out a text in chunks that end where a line ends.
class ChunkSource {
 public:
  explicit ChunkSource(std::string_view text) : text_(text) {}

  std::string_view next() {
    const std::string_view rest = text_.substr(at_);
    std::size_t length = rest.size();
    if (length > kChunk) {
      const std::size_t newline = rest.find('\n', kChunk);
      if (newline != rest.npos) length = newline + 1;
    }
    at_ += length;
    return rest.substr(0, length);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

void PieceCounts::add(std::string_view piece, std::uint64_t count) {
  add_hashed(piece, hash_bytes(piece), count);
}

void PieceCounts::merge(const PieceCounts& other) {
  for (const Entry& entry : other.slots_) {
    if (entry.count > 0) add_hashed(entry.piece, entry.hash, entry.count);
  }
}

void PieceCounts::add_hashed(std::string_view piece, std::uint64_t hash, std::uint64_t count) {
  if (2 * (used_ + 1) > slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot].count > 0) {
    if (slots_[slot].hash == hash && slots_[slot].piece == piece) {
      slots_[slot].count += count;
      return;
    }
    slot = (slot + 1) & mask;
  }
  slots_[slot] = {keep(piece), hash, count};
  ++used_;
}

void PieceCounts::grow() {
  std::vector<Entry> old(slots_.empty() ? 1024 : slots_.size() * 2);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Entry& entry : old) {
    if (entry.count == 0) continue;
    std::size_t slot = entry.hash & mask;
    while (slots_[slot].count > 0) slot = (slot + 1) & mask;
    slots_[slot] = entry;
  }
}

std::string_view PieceCounts::keep(std::string_view piece) {
  if (piece.size() > block_left_) {
    block_left_ = std::max(kArenaBlock, piece.size());
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_left_));
    block_at_ = blocks_.back().get();
  }
  char* const kept = block_at_;
  std::memcpy(kept, piece.data(), piece.size());
  block_at_ += piece.size();
  block_left_ -= piece.size();
  return {kept, piece.size()};
}

std::vector<PieceCounts::Entry> PieceCounts::entries() const {
  std::vector<Entry> entries;
  entries.reserve(used_);
  for (const Entry& entry : slots_) {
    if (entry.count > 0) entries.push_back(entry);
  }
  return entries;
}

PieceCounts count_pieces(std::span<const std::filesystem::path> files, int threads,
                         const std::function<void(std::size_t)>& progress) {
  const int workers = std::max(1, threads > 0 ? threads : omp_get_max_threads());
  std::vector<PieceCounts> counts(static_cast<std::size_t>(workers));
  std::size_t bytes_done = 0;
  for (const std::filesystem::path& file : files) {
    const io::MappedFile mapped(file);
    ChunkSource source(
        {reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()});
    std::exception_ptr failure;
#pragma omp parallel num_threads(workers)
    {
      PieceCounts& mine = counts[static_cast<std::size_t>(omp_get_thread_num())];
      for (bool more = true; more;) {
        std::string_view chunk;
#pragma omp critical(glassgpt_piece_source)
        if (!failure) chunk = source.next();
        more = !chunk.empty();
        try {
          count_lines(chunk, mine);
        } catch (...) {
#pragma omp critical(glassgpt_piece_source)
          failure = std::current_exception();
        }
#pragma omp critical(glassgpt_piece_source)
        {
          bytes_done += chunk.size();
          if (more && progress && omp_get_thread_num() == 0) {
            try {
              progress(bytes_done);
            } catch (...) {
              failure = std::current_exception();
            }
          }
        }
      }
    }
    if (failure) std::rethrow_exception(failure);
  }
  for (std::size_t i = 1; i < counts.size(); ++i) {
    counts[0].merge(counts[i]);
    counts[i] = PieceCounts();
  }
  return std::move(counts[0]);
}

}  // namespace glassgpt::tokenizer
