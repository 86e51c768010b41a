#include <kindling/core/error.hpp>
#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>
#include <kindling/core/random.hpp>

#include "core/philox.hpp"

#include <cmath>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Json& golden() {
  static const Json json =
      parse_json(read_text(KINDLING_SOURCE_DIR "/tests/golden/core/random.json"), "random.json");
  return json;
}

std::uint64_t whole(const Json& text) {
  return std::stoull(text.get<std::string>());
}
double exact(const Json& hex) {
  return std::strtod(hex.get<std::string>().c_str(), nullptr);
}

TEST(Philox, EqualsTheKnownAnswersOfRandom123) {
  // kat_vectors of the Random123 library, philox4x32 with 10 rounds.
  EXPECT_THAT(detail::philox4x32_10({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_THAT(detail::philox4x32_10({ones, ones, ones, ones}, {ones, ones}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(
      detail::philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(CounterRng, IsAFunctionOfItsKeyAlone) {
  CounterRng a(1, 2, 3, 4);
  CounterRng b(1, 2, 3, 4);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
}

TEST(CounterRng, KeepsItsStreamsForEver) {
  // Runs must be repeatable with later versions: a change here breaks them.
  CounterRng rng(42, 1, 2, 3);
  EXPECT_THAT((std::vector<std::uint32_t>{rng.next(), rng.next(), rng.next(), rng.next(), rng.next()}),
              ElementsAre(4154042897u, 1653230508u, 1231474959u, 528692198u, 1017784897u));
}

TEST(CounterRng, EveryWordOfTheKeyChangesTheStream) {
  const std::uint64_t high = std::uint64_t{1} << 40;
  std::set<std::uint64_t> firsts;
  for (const CounterRng& start : {CounterRng(0), CounterRng(1), CounterRng(0, 1), CounterRng(0, 0, 1),
                                  CounterRng(0, 0, 0, 1), CounterRng(high), CounterRng(0, high),
                                  CounterRng(0, 0, high), CounterRng(0, 0, 0, high), CounterRng(1, 1)}) {
    CounterRng rng = start;
    const std::uint64_t upper = std::uint64_t{rng.next()} << 32;
    firsts.insert(upper | rng.next());
  }
  EXPECT_EQ(firsts.size(), 10u);
}

TEST(CounterRng, UniformStaysInRangeWithTheRightMoments) {
  CounterRng rng(7);
  double sum = 0;
  double squares = 0;
  constexpr int n = 200'000;
  for (int i = 0; i < n; ++i) {
    const double x = rng.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    squares += x * x;
  }
  // Four standard errors.
  EXPECT_NEAR(sum / n, 0.5, 4 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(squares / n, 1.0 / 3, 4 * std::sqrt(4.0 / 45 / n));
}

TEST(CounterRng, NormalHasMeanZeroAndVarianceOne) {
  CounterRng rng(8);
  double sum = 0;
  double squares = 0;
  constexpr int n = 200'000;
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 4 * std::sqrt(2.0 / n));
}

TEST(CounterRng, IntegerReachesBothEndsEvenly) {
  CounterRng rng(9);
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) ++counts.at(static_cast<std::size_t>(rng.integer(-2, 3) + 2));
  for (int count : counts) EXPECT_NEAR(count, 10'000, 4 * std::sqrt(60'000 * (1 / 6.0) * (5 / 6.0)));
}

TEST(CounterRng, IntegerTakesTheWidestRangesAndRefusesReversedOnes) {
  CounterRng rng(10);
  constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
  constexpr auto highest = std::numeric_limits<std::int64_t>::max();
  bool negative = false;
  bool positive = false;
  for (int i = 0; i < 100; ++i) (rng.integer(lowest, highest) < 0 ? negative : positive) = true;
  EXPECT_TRUE(negative && positive);
  EXPECT_EQ(rng.integer(highest, highest), highest);
  const auto wide = rng.integer(-5'000'000'000, 5'000'000'000);
  EXPECT_LE(std::abs(wide), 5'000'000'000);
  EXPECT_THROW(rng.integer(1, 0), Error);
}

TEST(Permutation, HoldsEveryIndexOnce) {
  CounterRng rng(11);
  const auto order = permutation(1000, rng);
  const std::set<std::int64_t> distinct(order.begin(), order.end());
  EXPECT_EQ(distinct.size(), 1000u);
  EXPECT_EQ(*distinct.begin(), 0);
  EXPECT_EQ(*distinct.rbegin(), 999);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  EXPECT_TRUE(permutation(0, rng).empty());
  EXPECT_THROW(permutation(-1, rng), Error);
}

TEST(TorchRandperm, EqualsTorchForEverySeedAndLength) {
  for (const auto& entry : golden().at("torch_randperm")) {
    EXPECT_EQ(torch_randperm(entry.at("n"), whole(entry.at("seed"))),
              entry.at("values").get<std::vector<std::int64_t>>())
        << "seed " << entry.at("seed") << ", n " << entry.at("n");
  }
}

TEST(TorchRandperm, RefusesLengthsWhereTorchDrawsOtherwise) {
  try {
    torch_randperm(214'748'364, 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::limit);
    EXPECT_THAT(e.what(), HasSubstr("allowed: 214748363"));
  }
}

TEST(PythonRandom, DrawsWhatCPythonDraws) {
  for (const auto& entry : golden().at("python_random")) {
    SCOPED_TRACE(entry.at("seed"));
    PythonRandom random(whole(entry.at("seed")));
    for (const auto& value : entry.at("random")) EXPECT_EQ(random.random(), exact(value));
    for (const auto& [bits, value] : entry.at("getrandbits").items()) {
      EXPECT_EQ(random.getrandbits(std::stoi(bits)), whole(value)) << bits;
    }
    for (const auto& draw : entry.at("randint")) {
      EXPECT_EQ(random.randint(draw.at(0), draw.at(1)), draw.at(2).get<std::int64_t>());
    }
    EXPECT_EQ(
        random.randint(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()),
        std::stoll(entry.at("randint_full").get<std::string>()));
    for (const auto& value : entry.at("uniform")) EXPECT_EQ(random.uniform(0.75, 4.0 / 3), exact(value));
    for (const auto& [n, values] : entry.at("sample").items()) {
      EXPECT_EQ(random.sample(std::stoll(n)), values.get<std::vector<std::int64_t>>());
    }
    EXPECT_EQ(random.random(), exact(entry.at("after")));
  }
}

TEST(PythonRandom, RefusesWhatItCannotDraw) {
  PythonRandom random(1);
  EXPECT_THROW(random.getrandbits(0), Error);
  EXPECT_THROW(random.getrandbits(65), Error);
  EXPECT_THROW(random.randint(2, 1), Error);
  EXPECT_THROW(random.sample(-1), Error);
}

}  // namespace
}  // namespace kindling
