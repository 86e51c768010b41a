#pragma once
/// Random numbers that do not depend on thread count or order, and the streams of torch and Python where
/// results must equal theirs.

#include <cstdint>
#include <random>
#include <vector>

namespace kindling {

/// Counter-based generator (Philox 4x32, 10 rounds; Salmon et al. 2011). The stream is a pure function of its
/// key, so any worker can draw the numbers of any item: `CounterRng({seed, epoch, item, transform})`.
class CounterRng {
 public:
  /// Up to four words of key.
  explicit CounterRng(std::uint64_t seed, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0);
  std::uint32_t next();
  /// Uniform in [0, 1) with 53 bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [low, high], both included. Needs low <= high.
  std::int64_t integer(std::int64_t low, std::int64_t high);
  /// True with probability p.
  bool bernoulli(double p) { return uniform() < p; }
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::uint32_t key_[2];
  std::uint32_t counter_[4];
  std::uint32_t block_[4];
  int used_ = 4;
};

/// A permutation of 0..n-1 drawn from `rng` (Fisher-Yates).
std::vector<std::int64_t> permutation(std::int64_t n, CounterRng& rng);

/// `torch.randperm(n)` after `torch.manual_seed(seed)`, without touching torch's global generator.
std::vector<std::int64_t> torch_randperm(std::int64_t n, std::uint64_t seed);

/// CPython's `random.Random(seed)`: the same Mersenne Twister stream and the same derived draws.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);
  /// `getrandbits(k)` for 1 <= k <= 64.
  std::uint64_t getrandbits(int k);
  /// `random()`: uniform in [0, 1).
  double random();
  double uniform(double a, double b) { return a + (b - a) * random(); }
  /// `randint(a, b)`, both included.
  std::int64_t randint(std::int64_t a, std::int64_t b);
  /// `sample(range(n), n)`.
  std::vector<std::int64_t> sample(std::int64_t n);

 private:
  std::uint64_t below(std::uint64_t n);
  std::mt19937 twister_;
};

}  // namespace kindling
