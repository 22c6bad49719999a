// glassgpt profile: where the time of a forward pass goes, beside what the machine could do.
#include "glassgpt/profile.h"

#include <fmt/format.h>

#include <memory>
#include <random>
#include <sstream>

#include "cli/command.h"
#include "cli/profile_measurement.h"
#include "cli/profile_report.h"
#include "cli/text_source.h"
#include "glassgpt/error.h"
#include "kernels/dispatch.h"

namespace glassgpt::cli {
namespace {

// One pass's input: the texts one behind the other.
struct OwnedBatch {
  std::vector<TokenId> ids;
  std::vector<std::size_t> offsets = {0};
};

class Profile : public Command {
 public:
  CommandInfo info() const override {
    return {"profile", "time, GFLOP/s, GB/s and percent of the machine's roof, stage by stage",
            "[TEXT...]",
            "  glassgpt profile --tokens 128\n"
            "  glassgpt profile --per-layer \"The river bank was muddy.\"\n"
            "  glassgpt profile --tokens 64 --compare reference,simd,blas --trace trace.json\n"};
  }

  void add_options(CLI::App& app) override {
    app.add_option("--tokens", tokens_, "as many random ids instead of texts")
        ->check(CLI::Range(1, 1 << 30).description(""))
        ->type_name("T");
    app.add_option("--repeat", repeat_,
                   "measured passes, of which medians are shown (default: about a second's worth)")
        ->check(CLI::Range(1, 1 << 30).description(""))
        ->type_name("N");
    app.add_flag("--per-layer", per_layer_, "a row for each block, not for all blocks together");
    app.add_option("--compare", compare_,
                   "matrix products by each of these (auto, simd, blas, reference), side by side; "
                   "a list with commas")
        ->type_name("LIST");
    app.add_option("--trace", trace_, "write the first passes for ui.perfetto.dev")
        ->type_name("FILE");
    text_.add_to(app);
    tokenizer_.add_to(app);
  }

  void run(const CommonOptions& common, const std::vector<std::string>& arguments) override {
    const std::vector<std::string> backends = gemm_backends(common);
    if (tokens_ > 0 && (!arguments.empty() || !text_.input.empty()))
      throw UsageError("--tokens and texts exclude each other");
    std::unique_ptr<TextSource> source;
    if (tokens_ == 0)
      source = std::make_unique<TextSource>(text_, arguments, common.after_separator);
    // What cannot be written is said before anything is measured.
    std::unique_ptr<Output> trace;
    if (!trace_.empty()) trace = std::make_unique<Output>(trace_);

    const auto directory = model_directory(common);
    const Model model = Model::load(directory);
    const OwnedBatch input =
        source == nullptr ? random_batch(model) : text_batch(common, model, *source);
    const Batch batch{.ids = input.ids, .offsets = input.offsets};

    const int threads = common.threads > 0 ? common.threads : default_threads();
    const std::string isa = kernels::active_kernels().isa;
    ProfileRoof roof{isa, threads, common.dtype == "bf16", {}};
    roof.measure();
    Progress progress(common.quiet);
    std::vector<Measurement> measurements;
    for (const std::string& backend : backends) {
      CommonOptions chosen = common;
      chosen.gemm = backend;
      chosen.threads = threads;
      measurements.push_back(
          measure_passes(model, batch, chosen.forward(), backend, repeat_, progress));
    }
    roof.measure();
    const ProfileSubject subject{input.ids.size(), input.offsets.size() - 1, model.config(),
                                 common.dtype};
    Output output;
    output.write(common.json ? profile_json(subject, measurements, roof)
                 : measurements.size() == 1
                     ? profile_table(subject, measurements[0], roof, per_layer_)
                     : comparison_table(subject, measurements, roof, per_layer_));
    if (trace != nullptr) {
      trace->write(profile_trace(measurements));
      trace->finish();
    }
    output.finish();
  }

 private:
  std::vector<std::string> gemm_backends(const CommonOptions& common) const {
    if (compare_.empty()) return {common.gemm};
    if (common.gemm != "auto") throw UsageError("--gemm and --compare exclude each other");
    std::vector<std::string> backends;
    std::istringstream list(compare_ + ",");
    for (std::string name; std::getline(list, name, ',');) {
      if (name != "auto" && name != "simd" && name != "blas" && name != "reference")
        throw UsageError(
            fmt::format("--compare: '{}' is none of auto, simd, blas, reference", name));
      if (common.dtype == "bf16" && (name == "blas" || name == "reference"))
        throw UsageError("--compare: --dtype bf16 is multiplied by auto or simd, not " + name);
      backends.push_back(name);
    }
    return backends;
  }

  // The same ids for the same model and number.
  OwnedBatch random_batch(const Model& model) const {
    check_context(tokens_, model, "--tokens", "ask for fewer");
    OwnedBatch batch;
    std::mt19937 bits(1);
    for (std::size_t i = 0; i < tokens_; ++i)
      batch.ids.push_back(static_cast<TokenId>(bits() % model.config().vocab_size));
    batch.offsets.push_back(tokens_);
    return batch;
  }

  OwnedBatch text_batch(const CommonOptions& common, const Model& model, TextSource& source) const {
    const Tokenizer tokenizer = tokenizer_.load(common);
    check_tokenizer_fits(tokenizer, model, model_directory(common));
    OwnedBatch batch;
    Text text;
    while (source.next(text)) {
      const std::vector<TokenId> ids =
          encode_text(tokenizer, text.bytes, tokenizer_.special_tokens(), text.where);
      check_context(ids.size(), model, text.where, "shorten it, or give it in several texts");
      batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
      batch.offsets.push_back(batch.ids.size());
    }
    if (batch.ids.empty())
      throw Error(ErrorCode::kMalformed, "", "there are no tokens to measure",
                  "give a text that is not empty, or --tokens T");
    return batch;
  }

  std::size_t tokens_ = 0, repeat_ = 0;
  bool per_layer_ = false;
  std::string compare_, trace_;
  TextOptions text_;
  TokenizerOptions tokenizer_;
};

}  // namespace

std::unique_ptr<Command> make_profile() { return std::make_unique<Profile>(); }

}  // namespace glassgpt::cli
