#include "train/learner.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "model/pass_timer.h"
#include "train/parallel.h"

namespace glassgpt::training {
namespace {

std::vector<float> checked(std::vector<float> parameters, std::size_t expected) {
  if (parameters.size() != expected) {
    throw std::invalid_argument("Learner: got " + std::to_string(parameters.size()) +
                                " parameters, expected " + std::to_string(expected));
  }
  return parameters;
}

void check_batch(const Batch& batch, std::span<const kernels::TokenId> targets, std::size_t vocab) {
  if (targets.size() != batch.rows()) {
    throw std::invalid_argument("Learner: got " + std::to_string(targets.size()) +
                                " targets, expected one for each of " +
                                std::to_string(batch.rows()) + " rows");
  }
  for (const kernels::TokenId target : targets) {
    if (target >= vocab && target != kernels::kIgnoreTarget) {
      throw std::invalid_argument("Learner: got target " + std::to_string(target) +
                                  ", expected less than " + std::to_string(vocab));
    }
  }
}

}  // namespace

Learner::Learner(const ModelConfig& config, std::vector<float> parameters,
                 const AdamWOptions& adamw, const kernels::GemmOptions& options,
                 const LearnerRanks& ranks)
    : config_(config),
      options_(options),
      layout_(config),
      parameters_(checked(std::move(parameters), layout_.size)),
      gradients_(layout_.size, 0.0f),
      tensors_(layout_.tensors(static_cast<const float*>(parameters_.data()))),
      d_tensors_(layout_.tensors(gradients_.data())),
      packed_(config, tensors_),
      activations_(config, KeepActivations::kAllBlocks),
      loss_head_(config),
      ranks_(ranks),
      shares_(layout_, config.n_layer, ranks.ranks != nullptr ? ranks.ranks->size() : 1),
      optimizer_(layout_, adamw, &shares_, ranks.ranks != nullptr ? ranks.ranks->rank() : 0,
                 ranks.shard_optimizer && shares_.ranks() > 1) {
  std::vector<kernels::WeightMatrix*> weights{&packed_.lm_head};
  for (PackedBlock& block : packed_.blocks) {
    weights.insert(weights.end(),
                   {&block.qkv, &block.attention_out, &block.mlp_in, &block.mlp_out});
  }
  for (const TensorLayout::Entry& entry : layout_.entries) {
    const float* data = parameters_.data() + entry.offset;
    const auto found = std::find_if(weights.begin(), weights.end(),
                                    [&](const auto* weight) { return weight->data() == data; });
    packed_of_.push_back(found != weights.end() ? *found : nullptr);
  }
  if (shares_.ranks() > 1) sums_ = std::make_unique<RankSums>(*ranks.ranks, shares_);
  weights_changed();
}

void Learner::weights_changed() { packed_.pack(options_, true); }

// Gradients of products' weights are overwritten by the first pass; all others are sums that it
// adds to.
void Learner::start_gradients() {
  for (std::size_t e = 0; e < layout_.entries.size(); ++e) {
    if (packed_of_[e] != nullptr) continue;
    const TensorLayout::Entry& entry = layout_.entries[e];
    std::fill_n(gradients_.data() + entry.offset, entry.size, 0.0f);
  }
}

void Learner::forward(const Batch& batch, const Dropout* dropout, StepProfile* profile) {
  if (profile == nullptr)
    return run_forward(config_, tensors_, packed_, batch, activations_, nullptr, options_, nullptr,
                       nullptr, dropout);
  const StepScope timed(profile, StepStage::kForward);
  {
    PassTimer timer(profile->forward);
    run_forward(config_, tensors_, packed_, batch, activations_, nullptr, options_, nullptr, &timer,
                dropout);
  }
  for (const StageSpan& span : profile->forward.spans)
    profile->flops[static_cast<std::size_t>(StepStage::kForward)] += span.cost.flops;
}

double Learner::accumulate(const Batch& batch, std::span<const kernels::TokenId> targets,
                           float d_loss, const Dropout* dropout, StepProfile* profile) {
  check_batch(batch, targets, config_.vocab_size);
  const std::size_t rows = batch.rows();
  const bool add = !std::exchange(gradients_used_, false);
  if (!add) start_gradients();
  row_losses_.resize(rows);
  d_final_.resize(rows * config_.n_embd);

  forward(batch, dropout, profile);
  loss_head_.losses_and_gradients(rows, activations_.final(), targets, packed_.lm_head, d_loss,
                                  row_losses_.data(), d_final_.data(), add, d_tensors_.lm_head,
                                  options_, profile);
  std::function<void(std::size_t)> finished;
  const bool sums = std::exchange(sum_next_, false);
  if (sums) {
    finished = [this](std::size_t k) { start_sum(k == config_.n_layer ? shares_.head() : k); };
  }
  run_backward(config_, tensors_, batch, activations_, d_final_.data(), add, d_tensors_, buffers_,
               options_, dropout, profile, finished);
  if (sums) start_sum(shares_.embeddings());
  double sum = 0;
  for (const float loss : row_losses_) sum += loss;
  return sum;
}

void Learner::start_sum(std::size_t bucket) {
  sums_->start_sum(bucket, gradients_.data(), !ranks_.shard_optimizer);
}

void Learner::pack(std::size_t entry) {
  if (packed_of_[entry] != nullptr) packed_of_[entry]->pack(options_);
}

// After a sharded update: everyone's segments to everyone.
void Learner::share_parameters() {
  for (std::size_t b = 0; b < shares_.buckets(); ++b) sums_->start_gather(b, parameters_.data());
  sums_->wait();
  for (std::size_t e = 0; e < layout_.entries.size(); ++e) pack(e);
}

double Learner::update(std::size_t step, double learning_rate, StepProfile* profile) {
  gradients_used_ = true;
  if (sums_ != nullptr) sums_->wait();
  const StepScope timed(profile, StepStage::kOptimizer);
  const bool sharded = sums_ != nullptr && ranks_.shard_optimizer;
  std::function<void(std::size_t)> updated;
  if (!sharded) updated = [this](std::size_t entry) { pack(entry); };
  const double norm = optimizer_.update(step, learning_rate, gradients_.data(), parameters_.data(),
                                        options_.threads, sums_.get(), updated);
  if (sharded) share_parameters();
  return norm;
}

void Learner::gather_moments() {
  if (sums_ == nullptr || !ranks_.shard_optimizer) return;
  optimizer_.expand();
  std::vector<distributed::Outgoing> out;
  std::vector<distributed::Incoming> in;
  distributed::Communicator& ranks = *ranks_.ranks;
  for (float* moments : {moment1(), moment2()}) {
    for (std::size_t b = 0; b < shares_.buckets(); ++b) {
      for (int rank = 1; rank < ranks.size(); ++rank) {
        const distributed::Piece segment = shares_.segment(b, rank);
        float* const data = moments + segment.begin;
        const std::size_t bytes = (segment.end - segment.begin) * sizeof(float);
        if (ranks.is_first()) in.push_back({rank, data, bytes});
        if (ranks.rank() == rank) out.push_back({0, data, bytes});
      }
    }
  }
  ranks.exchange(out, in);
  if (!ranks.is_first()) optimizer_.shrink();
}

void Learner::losses(const Batch& batch, std::span<const kernels::TokenId> targets, float* losses) {
  check_batch(batch, targets, config_.vocab_size);
  forward(batch, nullptr, nullptr);
  loss_head_.losses(batch.rows(), activations_.final(), targets, packed_.lm_head, losses, options_);
}

}  // namespace glassgpt::training
