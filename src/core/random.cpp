#include <kindling/core/error.hpp>
#include <kindling/core/random.hpp>

#include "core/philox.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

namespace kindling {

namespace detail {

PhiloxBlock philox4x32_10(PhiloxBlock counter, PhiloxKey key) {
  constexpr std::uint64_t multiplier_0 = 0xD2511F53;
  constexpr std::uint64_t multiplier_1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl_0 = 0x9E3779B9;
  constexpr std::uint32_t weyl_1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product_0 = multiplier_0 * counter[0];
    const std::uint64_t product_1 = multiplier_1 * counter[2];
    counter = {static_cast<std::uint32_t>(product_1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product_1),
               static_cast<std::uint32_t>(product_0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product_0)};
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  return counter;
}

}  // namespace detail

namespace {

std::uint32_t low_word(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high_word(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

/// 53 bits as CPython makes them of two words; in [0, 1).
double unit_double(std::uint32_t first, std::uint32_t second) {
  return ((first >> 5) * 67108864.0 + (second >> 6)) / 9007199254740992.0;
}

std::vector<std::int64_t> identity(std::int64_t n) {
  if (n < 0) throw Error(ErrorCode::usage, "a permutation needs a length of at least 0", {{"n", n}});
  std::vector<std::int64_t> out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), std::int64_t{0});
  return out;
}

void require_ordered(std::int64_t low, std::int64_t high) {
  if (low > high) {
    throw Error(ErrorCode::usage, "a random integer needs low <= high", {{"low", low}, {"high", high}});
  }
}

/// low + offset, where the sum is known to fit.
std::int64_t shifted(std::int64_t low, std::uint64_t offset) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

}  // namespace

CounterRng::CounterRng(std::uint64_t seed, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  // Two blocks chained: for a given (seed, a) different (b, c) give different streams for certain, and
  // streams of different (seed, a) have nothing to do with each other. The last 64 bits of the counter name
  // the stream, the first 64 count.
  constexpr detail::PhiloxKey mixing_key{0x6B696E64, 0x6C696E67};
  auto mixed =
      detail::philox4x32_10({low_word(seed), high_word(seed), low_word(a), high_word(a)}, mixing_key);
  mixed = detail::philox4x32_10(
      {mixed[0] ^ low_word(b), mixed[1] ^ high_word(b), mixed[2] ^ low_word(c), mixed[3] ^ high_word(c)},
      mixing_key);
  key_[0] = mixed[0];
  key_[1] = mixed[1];
  counter_[0] = 0;
  counter_[1] = 0;
  counter_[2] = mixed[2];
  counter_[3] = mixed[3];
}

std::uint32_t CounterRng::next() {
  if (used_ == 4) {
    const auto block =
        detail::philox4x32_10({counter_[0], counter_[1], counter_[2], counter_[3]}, {key_[0], key_[1]});
    std::ranges::copy(block, block_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[used_++];
}

double CounterRng::uniform() {
  const std::uint32_t first = next();
  return unit_double(first, next());
}

std::int64_t CounterRng::integer(std::int64_t low, std::int64_t high) {
  require_ordered(low, high);
  const std::uint64_t last = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  if (last == 0) return low;
  // Draws of as many bits as the largest needs, until one is small enough: no value is favoured.
  const int bits = std::bit_width(last);
  for (;;) {
    std::uint64_t draw = next();
    if (bits <= 32) {
      draw >>= 32 - bits;
    } else {
      draw |= std::uint64_t{next()} << 32;
      draw >>= 64 - bits;
    }
    if (draw <= last) return shifted(low, draw);
  }
}

double CounterRng::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<std::int64_t> permutation(std::int64_t n, CounterRng& rng) {
  auto out = identity(n);
  for (std::int64_t i = 0; i + 1 < n; ++i) {
    std::swap(out[static_cast<std::size_t>(i)], out[static_cast<std::size_t>(rng.integer(i, n - 1))]);
  }
  return out;
}

std::vector<std::int64_t> torch_randperm(std::int64_t n, std::uint64_t seed) {
  // From here on torch draws 64 bits a step.
  constexpr std::int64_t limit = 0xFFFFFFFF / 20;
  if (n >= limit)
    throw Error(ErrorCode::limit, "the permutation is too long", {{"n", n}, {"allowed", limit - 1}});
  auto out = identity(n);
  std::mt19937 twister(low_word(seed));
  for (std::int64_t i = 0; i + 1 < n; ++i) {
    const auto left = static_cast<std::uint32_t>(n - i);
    std::swap(out[static_cast<std::size_t>(i)], out[static_cast<std::size_t>(i) + twister() % left]);
  }
  return out;
}

namespace {

/// CPython's `init_by_array` (Matsumoto and Nishimura's mt19937ar) in the form in which std::mt19937 takes a
/// state.
class ArraySeed {
 public:
  using result_type = std::uint32_t;
  explicit ArraySeed(std::uint64_t seed)
      : key_{low_word(seed), high_word(seed)}, length_(high_word(seed) != 0 ? 2 : 1) {}

  template <class Iterator>
  void generate(Iterator begin, Iterator end) const {
    constexpr std::size_t n = std::mt19937::state_size;
    std::array<std::uint32_t, n> state{};
    state[0] = 19650218;
    for (std::uint32_t i = 1; i < n; ++i) state[i] = 1812433253 * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
    std::size_t i = 1;
    const auto advance = [&] {
      if (++i == n) {
        state[0] = state[n - 1];
        i = 1;
      }
    };
    const auto mix = [&](std::uint32_t factor) {
      return state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * factor);
    };
    for (std::size_t step = 0; step < n; ++step) {
      const std::size_t j = step % length_;
      state[i] = mix(1664525) + key_[j] + static_cast<std::uint32_t>(j);
      advance();
    }
    for (std::size_t step = 0; step < n - 1; ++step) {
      state[i] = mix(1566083941) - static_cast<std::uint32_t>(i);
      advance();
    }
    state[0] = 0x80000000;
    std::copy_n(state.begin(), std::min<std::size_t>(n, static_cast<std::size_t>(end - begin)), begin);
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::size_t length_;
};

}  // namespace

PythonRandom::PythonRandom(std::uint64_t seed) {
  ArraySeed sequence(seed);
  twister_.seed(sequence);
}

std::uint64_t PythonRandom::getrandbits(int k) {
  if (k < 1 || k > 64) throw Error(ErrorCode::usage, "getrandbits gives 1 to 64 bits", {{"k", k}});
  const auto word = [this] { return std::uint64_t{static_cast<std::uint32_t>(twister_())}; };
  if (k <= 32) return word() >> (32 - k);
  const std::uint64_t low = word();
  return low | (word() >> (64 - k)) << 32;
}

double PythonRandom::random() {
  const auto first = static_cast<std::uint32_t>(twister_());
  return unit_double(first, static_cast<std::uint32_t>(twister_()));
}

/// CPython's `_randbelow`; `n` 0 stands for 2^64.
std::uint64_t PythonRandom::below(std::uint64_t n) {
  if (n == 0) {
    for (;;) {
      const std::uint64_t draw = getrandbits(64);
      if (getrandbits(1) == 0) return draw;
    }
  }
  const int bits = std::bit_width(n);
  std::uint64_t draw = getrandbits(bits);
  while (draw >= n) draw = getrandbits(bits);
  return draw;
}

std::int64_t PythonRandom::randint(std::int64_t a, std::int64_t b) {
  require_ordered(a, b);
  return shifted(a, below(static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a) + 1));
}

std::vector<std::int64_t> PythonRandom::sample(std::int64_t n) {
  auto pool = identity(n);
  std::vector<std::int64_t> out;
  out.reserve(pool.size());
  for (std::size_t left = pool.size(); left > 0; --left) {
    const auto j = static_cast<std::size_t>(below(left));
    out.push_back(pool[j]);
    pool[j] = pool[left - 1];
  }
  return out;
}

}  // namespace kindling
