#include <kindling/core/error.hpp>
#include <kindling/core/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;

Error parse_error(const std::string& text) {
  try {
    parse_json(text, "run.json");
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, "none");
}

TEST(ParseJson, KeepsTheOrderOfKeys) {
  const std::string text = R"({"z":1,"a":[true,null,"x"],"m":{"b":2,"a":1}})";
  EXPECT_EQ(parse_json(text, "x").dump(), text);
}

TEST(ParseJson, NamesWhereLineAndColumn) {
  const Error error = parse_error("{\n  \"a\": 1,\n  \"b\": ?\n}");
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.message(), HasSubstr("not valid JSON"));
  EXPECT_EQ(error.fact("where"), "run.json");
  EXPECT_EQ(error.fact("line"), "3");
  EXPECT_EQ(error.fact("column"), "8");
}

TEST(ParseJson, RefusesEmptyCutAndTrailingText) {
  for (const char* text : {"", "{\"a\": [1, 2", "{} {}", "\"\xff\"", "1e999"}) {
    EXPECT_EQ(parse_error(text).code(), ErrorCode::bad_data) << text;
  }
  EXPECT_EQ(parse_error("").fact("line"), "1");
}

TEST(ParseJson, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(200), "x"));
  const Error error = parse_error(nested(100'000));
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.message(), HasSubstr("nested deeper than 256 levels"));
}

TEST(ParseJson, RefusesObjectsWhoseKeysWouldTakeForEver) {
  const auto with_keys = [](int count) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
    return text + "}";
  };
  EXPECT_EQ(parse_json(with_keys(5'000), "x").size(), 5'000u);
  EXPECT_THAT(parse_error(with_keys(20'000)).message(), HasSubstr("too many keys"));
}

}  // namespace
}  // namespace kindling
