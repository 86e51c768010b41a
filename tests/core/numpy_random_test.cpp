#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>
#include <kindling/core/numpy_random.hpp>

#include <cstdlib>

#include <gtest/gtest.h>

namespace kindling {
namespace {

/// A double that Python wrote with `hex()`.
double number(const Json& hex) {
  return std::strtod(hex.get<std::string>().c_str(), nullptr);
}

TEST(NumpyRandom, DrawsWhatNumpyDraws) {
  const std::string file = KINDLING_SOURCE_DIR "/tests/golden/core/numpy_random.json";
  for (const Json& golden : parse_json(read_text(file), file)) {
    NumpyRandom random(golden["seed"].get<std::uint32_t>());
    // The logarithm of another libm may differ in the last place.
    for (const Json& v : golden["normal"]) EXPECT_DOUBLE_EQ(random.normal(), number(v));
    for (const Json& v : golden["rand"]) EXPECT_EQ(random.random(), number(v));
    for (const Json& v : golden["scaled"]) EXPECT_DOUBLE_EQ(random.normal(-3, 1.5), number(v));
    for (const Json& v : golden["uniform"]) EXPECT_EQ(random.uniform(-0.5, 0.5), number(v));
  }
}

}  // namespace
}  // namespace kindling
