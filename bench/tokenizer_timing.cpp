// glassgpt_tokenizer_timing TOKENIZER PATTERN REPEATS FILE [IDS_FILE]
// Times this library's tokenizer on one file and one thread, for bench/peers/tokenizers.py: prints
// seconds as JSON and can write the ids, so that they are compared before anybody looks at the
// time.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "glassgpt/tokenizer.h"

namespace {

using glassgpt::SplitPattern;
using glassgpt::TokenId;
using glassgpt::Tokenizer;

template <class Work>
double seconds_of(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

SplitPattern pattern_of(std::string_view name) {
  if (name == "cl100k") return SplitPattern::kCl100k;
  if (name == "o200k") return SplitPattern::kO200k;
  if (name == "gpt2") return SplitPattern::kGpt2;
  throw std::invalid_argument("expected gpt2, cl100k or o200k, got " + std::string(name));
}

void run(char** arguments, bool write_ids) {
  const SplitPattern pattern = pattern_of(arguments[2]);
  const int repeats = std::max(1, std::atoi(arguments[3]));
  std::ifstream file(arguments[4], std::ios::binary);
  if (!file) throw std::runtime_error(std::string(arguments[4]) + " cannot be read");
  const std::string text((std::istreambuf_iterator<char>(file)), {});

  std::vector<double> cold, warm, decoding;
  std::vector<TokenId> ids;
  for (int i = 0; i < std::min(repeats, 3); ++i) {
    // A tokenizer that has just been loaded has seen no piece yet.
    const Tokenizer fresh = Tokenizer::load(arguments[1], pattern);
    cold.push_back(seconds_of([&] { ids = fresh.encode(text); }));
  }
  const Tokenizer tokenizer = Tokenizer::load(arguments[1], pattern);
  tokenizer.encode(text);
  for (int i = 0; i < repeats; ++i) {
    warm.push_back(seconds_of([&] { ids = tokenizer.encode(text); }));
  }
  std::string decoded;
  for (int i = 0; i < repeats; ++i) {
    decoding.push_back(seconds_of([&] { decoded = tokenizer.decode(ids); }));
  }
  if (decoded != text) throw std::runtime_error("decoding did not give the text back");
  if (write_ids) {
    std::ofstream out(arguments[5], std::ios::binary);
    out.write(reinterpret_cast<const char*>(ids.data()),
              static_cast<std::streamsize>(ids.size() * sizeof(TokenId)));
  }
  std::printf("{\"bytes\":%zu,\"tokens\":%zu,\"cold\":%.6g,\"warm\":%.6g,\"decode\":%.6g}\n",
              text.size(), ids.size(), median(cold), median(warm), median(decoding));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s TOKENIZER PATTERN REPEATS FILE [IDS_FILE]\n", argv[0]);
    return 2;
  }
  try {
    run(argv, argc > 5);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "glassgpt_tokenizer_timing: error: %s\n", error.what());
    return 1;
  }
  return 0;
}
