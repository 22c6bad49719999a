#include "word2vec/corpus.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <memory>
#include <numeric>
#include <string_view>

#include "glassgpt/error.h"
#include "io/file.h"
#include "model/parallel.h"
#include "word2vec/line_words.h"
#include "word2vec/word_table.h"

namespace glassgpt::word2vec {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::uint32_t kLineEnd = std::numeric_limits<std::uint32_t>::max();

// Whole lines of one file, about kChunkBytes of them.
struct Chunk {
  const io::MappedFile* file;
  std::size_t begin;
  std::string_view text;
  int thread = 0;                     // whose table numbers the tokens
  std::vector<std::uint32_t> tokens;  // and kLineEnd
  std::exception_ptr failure;
};

std::vector<Chunk> cut_into_chunks(const std::vector<io::MappedFile>& files) {
  std::vector<Chunk> chunks;
  for (const io::MappedFile& file : files) {
    const std::string_view all(reinterpret_cast<const char*>(file.bytes().data()),
                               file.bytes().size());
    for (std::size_t begin = 0; begin < all.size();) {
      std::size_t end = std::min(all.size(), begin + kChunkBytes);
      end = std::min(all.size(), all.find('\n', end - 1)) + 1;
      end = std::min(end, all.size());
      chunks.push_back({&file, begin, all.substr(begin, end - begin), 0, {}, nullptr});
      begin = end;
    }
  }
  return chunks;
}

// What one thread reads with.
struct Reader {
  explicit Reader(const CorpusOptions& options) : words(options.split, options.lower_case) {}
  LineWords words;
  WordTable table;
};

void read_chunk(Chunk& chunk, Reader& reader) {
  const std::size_t invalid = find_invalid_utf8(chunk.text);
  if (invalid != std::string_view::npos) {
    throw Error(ErrorCode::kMalformed, chunk.file->path().string(),
                "not UTF-8 text at byte " + std::to_string(chunk.begin + invalid),
                "convert it first (iconv -t UTF-8), or leave the file out");
  }
  for (std::size_t begin = 0; begin < chunk.text.size();) {
    const std::size_t end = std::min(chunk.text.find('\n', begin), chunk.text.size());
    reader.words.for_each_word(chunk.text.substr(begin, end - begin), [&](std::string_view word) {
      chunk.tokens.push_back(reader.table.count(word));
    });
    chunk.tokens.push_back(kLineEnd);
    begin = end + 1;
  }
}

// Reads all chunks, some at a time, so that progress can be told in between.
void read_chunks(std::vector<Chunk>& chunks, std::vector<Reader>& readers,
                 const CorpusOptions& options) {
  const std::uint64_t total =
      std::accumulate(chunks.begin(), chunks.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const Chunk& c) { return sum + c.text.size(); });
  const std::size_t at_a_time = 8 * readers.size();
  std::uint64_t done = 0;
  for (std::size_t first = 0; first < chunks.size(); first += at_a_time) {
    const std::size_t count = std::min(at_a_time, chunks.size() - first);
    for_tasks(count, options.threads, [&](std::size_t task, int thread) {
      Chunk& chunk = chunks[first + task];
      chunk.thread = thread;
      try {
        read_chunk(chunk, readers[static_cast<std::size_t>(thread)]);
      } catch (...) {
        chunk.failure = std::current_exception();
      }
    });
    for (std::size_t i = first; i < first + count; ++i) {
      if (chunks[i].failure) std::rethrow_exception(chunks[i].failure);
      done += chunks[i].text.size();
    }
    if (options.progress) options.progress(done, total);
  }
}

// One vocabulary of all threads' tables; numbers[thread][theirs] is ours, or kLineEnd for rare
// ones.
std::vector<std::vector<std::uint32_t>> merge_tables(const std::vector<Reader>& readers,
                                                     std::size_t min_count, Corpus& corpus) {
  WordTable merged;
  std::vector<std::uint64_t> counts;
  std::vector<std::vector<std::uint32_t>> numbers(readers.size());
  for (std::size_t thread = 0; thread < readers.size(); ++thread) {
    const WordTable& table = readers[thread].table;
    for (std::size_t i = 0; i < table.size(); ++i) {
      numbers[thread].push_back(merged.count(table.word(i)));
      counts.resize(merged.size());
      counts[numbers[thread].back()] += table.occurrences(i);
    }
  }
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < merged.size(); ++i) {
    if (counts[i] >= min_count) {
      order.push_back(i);
    } else {
      corpus.rare += counts[i];
    }
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : merged.word(a) < merged.word(b);
  });
  std::vector<std::uint32_t> rank(merged.size(), kLineEnd);
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    rank[order[i]] = i;
    corpus.words.emplace_back(merged.word(order[i]));
    corpus.counts.push_back(counts[order[i]]);
  }
  for (auto& of_thread : numbers) {
    for (std::uint32_t& number : of_thread) number = rank[number];
  }
  return numbers;
}

void join_tokens(std::vector<Chunk>& chunks, const std::vector<std::vector<std::uint32_t>>& numbers,
                 Corpus& corpus) {
  const std::uint64_t kept =
      std::accumulate(corpus.counts.begin(), corpus.counts.end(), std::uint64_t{0});
  corpus.tokens.reserve(kept);
  std::uint64_t begin = 0;
  const auto end_sentence = [&] {
    if (corpus.tokens.size() > begin) corpus.sentence_ends.push_back(corpus.tokens.size());
    begin = corpus.tokens.size();
  };
  for (Chunk& chunk : chunks) {
    const auto& number = numbers[static_cast<std::size_t>(chunk.thread)];
    for (const std::uint32_t token : chunk.tokens) {
      if (token == kLineEnd) {
        end_sentence();
      } else if (number[token] != kLineEnd) {
        corpus.tokens.push_back(number[token]);
        if (corpus.tokens.size() - begin == kSentenceWords) end_sentence();
      }
    }
    std::vector<std::uint32_t>().swap(chunk.tokens);
  }
}

}  // namespace

Corpus read_corpus(std::span<const std::filesystem::path> files, const CorpusOptions& options) {
  std::vector<io::MappedFile> mapped;
  for (const auto& file : files) mapped.emplace_back(file);
  std::vector<Chunk> chunks = cut_into_chunks(mapped);
  std::vector<Reader> readers;
  for (int i = 0; i < std::max(1, options.threads); ++i) readers.emplace_back(options);
  read_chunks(chunks, readers, options);
  Corpus corpus;
  join_tokens(chunks, merge_tables(readers, options.min_count, corpus), corpus);
  return corpus;
}

}  // namespace glassgpt::word2vec
