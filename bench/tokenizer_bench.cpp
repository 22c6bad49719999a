#include "bench/tokenizer_bench.h"

#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "glassgpt/tokenizer.h"

namespace glassgpt::bench {
namespace {

namespace fs = std::filesystem;

struct Vocabulary {
  const char* name;
  const char* file;
  SplitPattern pattern;
};
constexpr Vocabulary kVocabularies[] = {{"gpt2", "r50k_base.tiktoken", SplitPattern::kGpt2},
                                        {"cl100k", "cl100k_base.tiktoken", SplitPattern::kCl100k},
                                        {"o200k", "o200k_base.tiktoken", SplitPattern::kO200k}};

constexpr std::size_t kTextBytes = std::size_t{12} << 20;

fs::path shared_data() {
  const char* shared = std::getenv("GLASSGPT_SHARED");
  return (shared != nullptr ? fs::path(shared)
                            : fs::path(GLASSGPT_SOURCE_DIR).parent_path() / "shared") /
         "data";
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error(file.string() + " cannot be read; set GLASSGPT_SHARED");
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// The texts of a folder's files with one of these extensions, in the order of their names.
std::string read_folder(const fs::path& folder, const std::vector<std::string>& extensions) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    const bool wanted =
        std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
    if (entry.is_regular_file() && wanted) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const fs::path& file : files) text += read_text(file);
  return text;
}

std::string make_text(const std::string& name) {
  if (name == "english") {
    return read_text(shared_data() / "corpus" / "en" / "wikipedia-schools-2007-1of6.txt");
  }
  if (name == "chinese") return read_folder(shared_data() / "corpus" / "zh", {".txt"});
  const fs::path root = GLASSGPT_SOURCE_DIR;
  return read_folder(root / "src", {".cpp", ".h"}) + read_folder(root / "tests", {".cpp", ".h"}) +
         read_folder(root / "kernels", {".cpp", ".h"}) + read_folder(root / "scripts", {".py"});
}

const std::string& text_of(const std::string& name) {
  static std::map<std::string, std::string> texts;
  std::string& text = texts[name];
  if (text.empty()) text = make_text(name).substr(0, kTextBytes);
  return text;
}

const Tokenizer& tokenizer_of(const Vocabulary& vocabulary) {
  static std::map<std::string, std::unique_ptr<Tokenizer>> tokenizers;
  auto& tokenizer = tokenizers[vocabulary.name];
  if (tokenizer == nullptr) {
    tokenizer = std::make_unique<Tokenizer>(
        Tokenizer::load(shared_data() / "tokenizer" / vocabulary.file, vocabulary.pattern));
  }
  return *tokenizer;
}

// Runs the body, and makes an exception the benchmark's error.
template <class Body>
void guarded(benchmark::State& state, Body body) {
  try {
    body();
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
    for (auto _ : state) break;
  }
}

void set_counters(benchmark::State& state, std::size_t bytes, std::size_t tokens) {
  const double all = static_cast<double>(state.iterations()) * static_cast<double>(bytes);
  state.counters["MB/s"] = benchmark::Counter(all / 1e6, benchmark::Counter::kIsRate);
  state.counters["bytes/token"] = static_cast<double>(bytes) / static_cast<double>(tokens);
}

// Only what gives the text back is timed.
void encode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  std::vector<TokenId> ids = tokenizer.encode(text);
  if (tokenizer.decode(ids) != text) return state.SkipWithError("does not give the text back");
  for (auto _ : state) benchmark::DoNotOptimize(ids = tokenizer.encode(text));
  set_counters(state, text.size(), ids.size());
}

// Each time by a tokenizer that has not seen a piece yet.
void encode_cold(benchmark::State& state, const Vocabulary& vocabulary, const std::string& text) {
  std::size_t tokens = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const fs::path file = shared_data() / "tokenizer" / vocabulary.file;
    const Tokenizer fresh = Tokenizer::load(file, vocabulary.pattern);
    state.ResumeTiming();
    tokens = fresh.encode(text).size();
  }
  set_counters(state, text.size(), tokens);
}

void decode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<TokenId> ids = tokenizer.encode(text);
  std::string decoded;
  for (auto _ : state) benchmark::DoNotOptimize(decoded = tokenizer.decode(ids));
  if (decoded != text) return state.SkipWithError("does not give the text back");
  set_counters(state, text.size(), ids.size());
}

// The lines of a text by several threads.
void encode_batch(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text,
                  int threads) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    lines.push_back(std::string_view(text).substr(at, end - at));
    at = end;
  }
  std::size_t tokens = 0;
  for (auto _ : state) {
    tokens = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 64) reduction(+ : tokens)
    for (std::size_t i = 0; i < lines.size(); ++i) tokens += tokenizer.encode(lines[i]).size();
  }
  set_counters(state, text.size(), tokens);
}

template <class Body>
benchmark::internal::Benchmark* add(const std::string& name, Body body) {
  return benchmark::RegisterBenchmark(
             name.c_str(),
             [body](benchmark::State& state) { guarded(state, [&] { body(state); }); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

std::string repeated(const std::string& part, std::size_t bytes) {
  std::string text;
  text.reserve(bytes + part.size());
  while (text.size() < bytes) text += part;
  return text;
}

void register_runs(const Vocabulary& vocabulary) {
  const std::pair<const char*, const char*> runs[] = {
      {"letter", "a"},
      {"spaces", " "},
      {"chinese", "\xE4\xB8\xAD"},
      {"digits", "7"},
      {"emoji", "\xF0\x9F\x98\x80\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB\xE2\x9D\xA4"}};
  const std::pair<const char*, std::size_t> sizes[] = {
      {"1KB", 1000}, {"1MB", 1000000}, {"100MB", 100000000}};
  for (const auto& [run, part] : runs) {
    for (const auto& [size, bytes] : sizes) {
      auto* registered =
          add(std::string("tokenizer/encode_run/") + vocabulary.name + "/" + run + "/" + size,
              [&vocabulary, part = part, bytes = bytes](benchmark::State& state) {
                encode(state, tokenizer_of(vocabulary), repeated(part, bytes));
              });
      if (bytes >= 100000000) registered->Iterations(1);
    }
  }
}

void register_texts(const Vocabulary& vocabulary) {
  const std::string name = vocabulary.name;
  for (const std::string text : {"english", "chinese", "code"}) {
    add("tokenizer/encode/" + name + "/" + text, [&vocabulary, text](benchmark::State& state) {
      encode(state, tokenizer_of(vocabulary), text_of(text));
    });
    add("tokenizer/encode_cold/" + name + "/" + text, [&vocabulary, text](benchmark::State& state) {
      encode_cold(state, vocabulary, text_of(text));
    })->Iterations(1);
    add("tokenizer/decode/" + name + "/" + text, [&vocabulary, text](benchmark::State& state) {
      decode(state, tokenizer_of(vocabulary), text_of(text));
    });
  }
  for (int threads = 1; threads <= omp_get_num_procs(); threads *= 2) {
    add("tokenizer/batch/" + name + "/english/" + std::to_string(threads) + "t",
        [&vocabulary, threads](benchmark::State& state) {
          encode_batch(state, tokenizer_of(vocabulary), text_of("english"), threads);
        });
  }
}

}  // namespace

void register_tokenizer_benchmarks() {
  for (const Vocabulary& vocabulary : kVocabularies) {
    register_texts(vocabulary);
    register_runs(vocabulary);
  }
}

}  // namespace glassgpt::bench
