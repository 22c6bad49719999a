// The sum over ranks: its order, its bytes, and what it sends.
#include "train/rank_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "in_process_ranks.h"
#include "tests/train/tiny_models.h"

namespace glassgpt::testing {
namespace {

using distributed::Communicator;
using distributed::Piece;
using training::RankSums;
using training::Shares;

// Gradients whose sum depends on the order: of very different sizes.
std::vector<float> gradients_of(int rank, std::size_t size) {
  std::mt19937_64 random(static_cast<std::uint64_t>(rank) + 1);
  std::uniform_real_distribution<float> exponent(-12.0f, 12.0f);
  std::vector<float> gradients(size);
  for (float& value : gradients) {
    value = std::exp2(exponent(random)) * (random() % 2 == 0 ? 1.0f : -1.0f);
  }
  return gradients;
}

// By the definition: ((g0 + g1) + g2) + ... in float; with `backwards` the other way round.
std::vector<float> expected_sum(int ranks, std::size_t size, bool backwards) {
  std::vector<float> sum(size);
  for (int i = 0; i < ranks; ++i) {
    const std::vector<float> part = gradients_of(backwards ? ranks - 1 - i : i, size);
    for (std::size_t k = 0; k < size; ++k) sum[k] = i == 0 ? part[k] : sum[k] + part[k];
  }
  return sum;
}

std::vector<std::vector<float>> summed(const ModelConfig& config, int ranks, bool to_all,
                                       std::uint64_t* sent = nullptr) {
  const TensorLayout layout(config);
  const Shares shares(layout, config.n_layer, ranks);
  std::vector<std::vector<float>> results(static_cast<std::size_t>(ranks));
  InProcessRanks run(ranks);
  run.run([&](Communicator& me) {
    std::vector<float>& mine = results[static_cast<std::size_t>(me.rank())];
    mine = gradients_of(me.rank(), layout.size);
    RankSums sums(me, shares);
    for (std::size_t b = shares.buckets(); b-- > 0;) sums.start_sum(b, mine.data(), to_all);
    sums.wait();
  });
  for (int r = 0; sent != nullptr && r < ranks; ++r) *sent += run.rank(r).bytes_sent();
  return results;
}

TEST(Shares, SegmentsHoldEveryTrainedParameterOnceForAnyNumberOfRanks) {
  for (const ModelConfig& config : {tiny_sinusoidal(), tiny_learned(), small_model()}) {
    const TensorLayout layout(config);
    for (const int ranks : {1, 2, 3, 7, 500}) {
      const Shares shares(layout, config.n_layer, ranks);
      std::vector<int> owners(layout.size);
      for (std::size_t b = 0; b < shares.buckets(); ++b) {
        for (int r = 0; r < ranks; ++r) {
          const Piece segment = shares.segment(b, r);
          for (std::size_t i = segment.begin; i < segment.end; ++i) ++owners[i];
        }
      }
      for (const TensorLayout::Entry& entry : layout.entries) {
        for (std::size_t i = 0; i < entry.size; ++i)
          ASSERT_EQ(owners[entry.offset + i], entry.trained ? 1 : 0) << entry.name;
      }
    }
  }
}

TEST(RankSums, ItsThreadAddsInTheOrderOfTheRanks) {
  const ModelConfig config = tiny_learned();
  const std::size_t size = TensorLayout(config).size;
  for (const int ranks : {2, 3, 5}) {
    const std::vector<float> expected = expected_sum(ranks, size, false);
    if (ranks > 2) {
      ASSERT_NE(expected, expected_sum(ranks, size, true)) << "the order makes no difference here";
    }
    for (const std::vector<float>& result : summed(config, ranks, true))
      EXPECT_EQ(result, expected) << ranks;
  }
}

TEST(RankSums, WithoutTheOthersSegmentsEachOwnerHasItsOwn) {
  const ModelConfig config = tiny_sinusoidal();
  const TensorLayout layout(config);
  const int ranks = 3;
  const Shares shares(layout, config.n_layer, ranks);
  const std::vector<float> expected = expected_sum(ranks, layout.size, false);
  const auto results = summed(config, ranks, false);
  for (int r = 0; r < ranks; ++r) {
    for (std::size_t b = 0; b < shares.buckets(); ++b) {
      const Piece own = shares.segment(b, r);
      for (std::size_t i = own.begin; i < own.end; ++i)
        ASSERT_EQ(results[static_cast<std::size_t>(r)][i], expected[i]) << r << " " << i;
    }
  }
}

// Patarasu and Yuan 2009: no all-reduce can send less than 2 (N-1)/N of the bytes from each rank.
TEST(RankSums, SendsNoMoreThanTheIdealAllReduce) {
  const ModelConfig config = small_model();
  std::uint64_t trained = 0;
  for (const TensorLayout::Entry& entry : TensorLayout(config).entries)
    trained += entry.trained ? entry.size : 0;
  for (const std::uint64_t ranks : {2u, 3u, 4u}) {
    std::uint64_t sent = 0;
    summed(config, static_cast<int>(ranks), true, &sent);
    EXPECT_EQ(sent, 2 * (ranks - 1) * trained * sizeof(float)) << "by all ranks together";
  }
}

TEST(RankSums, AnErrorOfTheExchangeComesOutOfWait) {
  const ModelConfig config = tiny_sinusoidal();
  const TensorLayout layout(config);
  const Shares shares(layout, config.n_layer, 2);
  InProcessRanks run(2);
  std::vector<float> buffer(layout.size);
  // The other rank never answers.
  RankSums sums(run.rank(0), shares);
  sums.start_sum(0, buffer.data(), true);
  run.rank(0).give_up();
  EXPECT_ANY_THROW(sums.wait());
}

TEST(Communicator, NamesTheRankAndTheThingThatDiffer) {
  InProcessRanks run(3);
  try {
    run.run([](Communicator& me) {
      distributed::check_same(me, {{"corpus", 1}, {"seed", me.rank() == 2 ? 8u : 7u}});
    });
    FAIL() << "nothing was thrown";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("process 2 of 3 has another seed"), std::string::npos)
        << error.what();
  }
}

TEST(Communicator, ListsOfDifferentLengthsAreGatheredInTheOrderOfTheRanks) {
  InProcessRanks run(3);
  run.run([](Communicator& me) {
    const auto rank = static_cast<std::uint64_t>(me.rank());
    const std::vector<std::uint64_t> mine(rank, 10 + rank);
    EXPECT_EQ(distributed::gather_lists(me, mine), (std::vector<std::uint64_t>{11, 12, 12}));
  });
}

}  // namespace
}  // namespace glassgpt::testing
