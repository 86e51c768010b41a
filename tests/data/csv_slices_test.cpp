#include <kindling/data/table.hpp>

#include "data/arrow_table.hpp"
#include "data/csv_scan.hpp"
#include "data/read_csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> texts_of(const std::vector<detail::CsvSlice>& slices) {
  std::vector<std::string> texts;
  for (const auto& slice : slices) texts.emplace_back(slice.text);
  return texts;
}

std::vector<detail::CsvSlice> slices_of(std::string_view text, std::size_t size) {
  return detail::csv_slices(text, size, [](std::string_view) {});
}

TEST(CsvSlices, EndWithLinesAndCountThem) {
  const auto slices = slices_of("a,b\n1,2\n3,\"4\"\n5,6", 5);
  EXPECT_THAT(texts_of(slices), ElementsAre("a,b\n1,2\n", "3,\"4\"\n", "5,6"));
  EXPECT_EQ(slices[0].line_breaks, 2);
  EXPECT_EQ(slices[1].quotes, 2);
  EXPECT_EQ(slices[2].line_breaks, 0);
}

TEST(CsvSlices, DoNotBeginWithinAQuotedField) {
  const auto joined = [](std::string_view text) { return detail::joined_at_quotes(text, slices_of(text, 3), ','); };
  EXPECT_THAT(joined("1,\"a\nb\nc\",2\n3,d,4\n"), ElementsAre("1,\"a\nb\nc\",2\n", "3,d,4\n"));
  // A quote within a field is a character, two in quotes are one.
  EXPECT_THAT(joined("5\" x,1\n\"a\"\"\n\",2\n3,4\n"), ElementsAre("5\" x,1\n", "\"a\"\"\n\",2\n", "3,4\n"));
}

TEST(CsvSlices, TellWhatIsNotUtf8) {
  const auto slices = slices_of("ol\xC3\xA9\nol\xE9\n", 2);
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_TRUE(slices[0].is_utf8);
  EXPECT_FALSE(slices[1].is_utf8);
}

/// A table read in slices of some rows, which is to be what it is when read at once.
class SlicedTable : public ::testing::Test {
 protected:
  static constexpr int rows = 100;

  static Table read(const std::function<std::string(int)>& row, const TableOptions& options = {}) {
    std::string text = "a,b,filler\n";
    for (int i = 0; i < rows; ++i) text += row(i) + ",0123456789\n";
    const auto kept = [](std::string_view) {};
    const Table whole = detail::read_csv(text, "table.csv", options, kept);
    Table sliced = detail::read_csv(text, "table.csv", options, kept, 200);
    EXPECT_EQ(sliced.describe(), whole.describe());
    EXPECT_EQ(sliced.to_csv(), whole.to_csv());
    EXPECT_EQ(sliced.line(rows - 1), whole.line(rows - 1));
    return sliced;
  }
};

TEST_F(SlicedTable, HasTheTypesOfAllItsRows) {
  const auto last = [](int i) { return i == rows - 1; };
  const Table table = read([&](int i) { return last(i) ? "0.5,word" : i < rows / 2 ? "7," : "7,1"; });
  EXPECT_EQ(table.n_rows(), rows);
  EXPECT_EQ(table.type("a"), ColumnType::number);
  EXPECT_EQ(table.number(0, "a"), 7);
  EXPECT_EQ(table.number(rows - 1, "a"), 0.5);
  // A column of whole numbers with one word is text, and what was missing stays so.
  EXPECT_EQ(table.type("b"), ColumnType::text);
  EXPECT_TRUE(table.is_null(0, "b"));
  EXPECT_EQ(table.text(rows - 2, "b"), "1");
  EXPECT_EQ(table.text(rows - 1, "b"), "word");
  EXPECT_EQ(table.line(rows - 1), rows + 1);
}

TEST_F(SlicedTable, WithTruthAndNumbersIsText) {
  const Table table = read([](int i) { return i < rows / 2 ? "True,2024-01-31" : "1,2024-01-31 10:00:00"; });
  EXPECT_EQ(table.type("a"), ColumnType::text);
  EXPECT_EQ(table.text(0, "a"), "True");
  EXPECT_EQ(table.text(rows - 1, "a"), "1");
  EXPECT_EQ(table.type("b"), ColumnType::date);
  EXPECT_EQ(table.text(0, "b"), "2024-01-31 00:00:00");
}

TEST_F(SlicedTable, HasOneDictionaryForTextThatRepeats) {
  const Table table = read([](int i) { return std::to_string(i) + " x, w" + std::to_string(i % 7 + i / (rows / 2)); },
                           {.columns = {"b", "a"}, .skipinitialspace = true});
  EXPECT_THAT(table.names(), ElementsAre("b", "a"));
  EXPECT_EQ(table.text(6, "b"), "w6");
  EXPECT_EQ(table.text(rows - 1, "b"), "w" + std::to_string((rows - 1) % 7 + 1));
  EXPECT_EQ(table.text(rows - 1, "a"), std::to_string(rows - 1) + " x");
}

TEST_F(SlicedTable, HasNoTextWhereWithoutItsBlankItIsMissing) {
  const Table table = read([](int i) { return std::to_string(i) + (i % 3 ? ", red" : ", NA"); }, {.skipinitialspace = true});
  EXPECT_TRUE(table.is_null(0, "b"));
  EXPECT_EQ(table.text(1, "b"), "red");
  EXPECT_EQ(table.data().table()->column(1)->type()->id(), arrow::Type::DICTIONARY);
}

TEST_F(SlicedTable, KeepsLineBreaksInQuotedFields) {
  const Table table = read([](int i) { return std::to_string(i) + ",\"x\ny\""; });
  EXPECT_EQ(table.n_rows(), rows);
  EXPECT_EQ(table.text(rows - 1, "b"), "x\ny");
  EXPECT_EQ(table.number(rows - 1, "a"), rows - 1);
}

}  // namespace
}  // namespace kindling
