#include "core/csv.hpp"

#include <kindling/core/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling::detail {
namespace {

using ::testing::ElementsAre;

TEST(Csv, LinesAreReadBackAsTheyWereWritten) {
  const std::vector<std::vector<std::string>> rows{
      {"file", "title"}, {"a.jpg", "a \"big\" bear, brown"}, {"", ""}, {"two\nlines", "crlf\r\nhere"}, {"é", " x "}};
  std::string text;
  for (const auto& row : rows) text += csv_line(row);
  const auto records = parse_csv(text, "test");
  ASSERT_EQ(records.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(records[i].fields, rows[i]) << i;
  EXPECT_EQ(csv_line({"a", "b,c", "d\"e"}), "a,\"b,c\",\"d\"\"e\"\n");
}

TEST(Csv, SkipsAByteOrderMarkAndEmptyLines) {
  const auto records = parse_csv("\xEF\xBB\xBFurl\r\n\r\nx\n", "test");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(records[0].fields, ElementsAre("url"));
  EXPECT_EQ(records[1].line, 3u);
}

TEST(Csv, AnOpenQuoteNamesItsLine) {
  try {
    parse_csv("a,b\n\"c", "list.csv");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_EQ(e.fact("line"), "2");
    EXPECT_EQ(e.fact("path"), "list.csv");
  }
}

}  // namespace
}  // namespace kindling::detail
