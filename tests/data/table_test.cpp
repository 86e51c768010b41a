#include <kindling/core/error.hpp>
#include <kindling/data/table.hpp>

#include "core/temporary_folder.hpp"
#include "error_in.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

using kindling::testing::error_in;

class TableFile : public ::testing::Test {
 protected:
  fs::path file(const std::string& name, std::string_view contents) const {
    write_file(folder_ / name, contents);
    return folder_ / name;
  }
  Table table(std::string_view contents, const TableOptions& options = {}) const {
    return read_table(file("table.csv", contents), options);
  }
  /// The error that reading gives.
  Error error_of(std::string_view contents, const TableOptions& options = {}) const {
    try {
      table(contents, options);
    } catch (const Error& e) {
      return e;
    }
    return Error(ErrorCode::internal, "no error");
  }
  testing::TemporaryFolder folder_;
};

Table animals() {
  return Table({{"file", std::vector<std::string>{"a.jpg", "b.jpg", "c.jpg"}},
                {"age", Table::Numbers{1.5, std::nullopt, 3}},
                {"legs", std::vector<std::int64_t>{4, 4, 2}},
                {"is_valid", std::vector<bool>{false, false, true}}});
}

}  // namespace

TEST_F(TableFile, TypesAreInferredAndSaid) {
  const Table t =
      table("name,age,weight,tame,born,note\ncat,3,4.5,True,2011-11-01,x\ndog,12,30,False,2012-01-31,\n");
  EXPECT_EQ(t.n_rows(), 2);
  EXPECT_THAT(t.names(), ElementsAre("name", "age", "weight", "tame", "born", "note"));
  const std::vector<ColumnType> types = {ColumnType::text,    ColumnType::integer, ColumnType::number,
                                         ColumnType::boolean, ColumnType::date,    ColumnType::text};
  for (int c = 0; c < 6; ++c) EXPECT_EQ(t.type(c), types[c]) << t.names()[c];
  EXPECT_EQ(t.text(0, "name"), "cat");
  EXPECT_EQ(t.text(1, "age"), "12");
  EXPECT_EQ(t.text(1, "weight"), "30.0") << "as Python prints it";
  EXPECT_EQ(t.text(0, "tame"), "True");
  EXPECT_EQ(t.text(1, "born"), "2012-01-31");
  EXPECT_EQ(t.number(0, "weight"), 4.5);
  EXPECT_EQ(t.number(0, "tame"), 1);
  EXPECT_TRUE(t.is_null(1, "note"));
  EXPECT_EQ(t.text(1, "note"), "");
  EXPECT_THAT(t.describe(), HasSubstr("table.csv: 2 rows, 6 columns\n"));
  EXPECT_THAT(t.describe(), HasSubstr("  weight  number         0  4.5, 30.0\n"));
  EXPECT_THAT(t.describe(), HasSubstr("  note    text           1  x\n"));
}

TEST_F(TableFile, MissingNumbersAreNanAndTheColumnStaysNumeric) {
  const Table t = table("a,b\n1,NA\n,2.5\nnan,3\n");
  EXPECT_EQ(t.type("a"), ColumnType::integer);
  EXPECT_TRUE(t.is_null(1, "a"));
  EXPECT_TRUE(std::isnan(t.number(1, "a")));
  EXPECT_TRUE(std::isnan(t.number(0, "b")));
  EXPECT_THAT(t.numbers("b"), ElementsAre(::testing::IsNan(), 2.5, 3.0));
}

TEST_F(TableFile, QuotedFieldsHoldDelimitersQuotesAndLineBreaks) {
  const Table t = table("file,tags\r\n\"a,b.jpg\",\"say \"\"hi\"\"\"\r\n\"two\nlines\",x\r\n\r\n");
  EXPECT_EQ(t.n_rows(), 2);
  EXPECT_EQ(t.text(0, 0), "a,b.jpg");
  EXPECT_EQ(t.text(0, 1), "say \"hi\"");
  EXPECT_EQ(t.text(1, 0), "two\nlines");
  EXPECT_FALSE(t.line(1)) << "rows are not lines here";
}

TEST_F(TableFile, AByteOrderMarkIsNoPartOfTheFirstName) {
  EXPECT_THAT(table("\xEF\xBB\xBF"
                    "file,label\na,b\n")
                  .names(),
              ElementsAre("file", "label"));
}

TEST_F(TableFile, TheDelimiterIsToldByEndingAndFirstLine) {
  EXPECT_EQ(read_table(file("t.tsv", "a b\tc,d\n1\t2\n")).n_columns(), 2);
  EXPECT_EQ(table("a;b;c\n1;2;3\n").n_columns(), 3);
  EXPECT_EQ(table("a\tb\n1\t2\n").n_columns(), 2);
  EXPECT_EQ(table("tags\nsky|sea\n").n_columns(), 1);
  EXPECT_EQ(table("a:b\n1:2\n", {.delimiter = ':'}).n_columns(), 2);
}

TEST_F(TableFile, WithoutAHeaderColumnsAreNumbered) {
  const Table t = table("a.jpg,cat\nb.jpg,dog\n", {.header = false});
  EXPECT_THAT(t.names(), ElementsAre("0", "1"));
  EXPECT_EQ(t.n_rows(), 2);
  EXPECT_EQ(t.text(1, 1), "dog");
  EXPECT_EQ(t.line(0), 1);
}

TEST_F(TableFile, AnIndexWithoutANameIsCalledAsPandasCallsIt) {
  EXPECT_THAT(table(",file\n0,a\n").names(), ElementsAre("Unnamed: 0", "file"));
}

TEST_F(TableFile, ColumnsReadAsTextKeepLeadingZeros) {
  EXPECT_EQ(table("id,n\n007,1\n").text(0, "id"), "7");
  EXPECT_EQ(table("id,n\n007,1\n", {.as_text = {"id"}}).text(0, "id"), "007");
  EXPECT_EQ(table("id,n\n007,1\n", {.as_text = {0}}).text(0, "id"), "007");
  EXPECT_THAT(error_of("id,n\n007,1\n", {.as_text = {"idd"}}).what(), HasSubstr("did you mean 'id'?"));
}

TEST_F(TableFile, TypesOfALongColumnAreThoseOfAllItsRows) {
  std::string text = "n,s\n";
  for (int i = 0; i < 200000; ++i) text += "1,2\n";
  text += "1.5,x\n";
  const Table t = table(text);
  EXPECT_EQ(t.n_rows(), 200001);
  EXPECT_EQ(t.type("n"), ColumnType::number);
  EXPECT_EQ(t.number(200000, "n"), 1.5);
  EXPECT_EQ(t.text(0, "s"), "2");
  EXPECT_EQ(t.text(200000, "s"), "x");
}

TEST_F(TableFile, ARowLongerThanABlockIsRead) {
  const std::string essay(3 << 20, 'a');
  EXPECT_EQ(table("text,label\n" + essay + ",pos\n").text(0, "text").size(), essay.size());
}

TEST_F(TableFile, RaggedRowsNameTheirLine) {
  const Error longer = error_of("file,label\na.jpg,cat\nb.jpg,dog,x\n");
  EXPECT_EQ(longer.code(), ErrorCode::bad_data);
  EXPECT_EQ(longer.message(), "a row of the table has 3 where the first has 2 fields");
  EXPECT_EQ(longer.fact("line"), "3");
  EXPECT_EQ(longer.fact("path"), (folder_ / "table.csv").string());
  EXPECT_THAT(longer.hint(), HasSubstr("in quotes"));
  EXPECT_EQ(error_of("file,label\n\"a\nb\",cat\n\nb.jpg\n").fact("line"), "5");
}

TEST_F(TableFile, TwoColumnsOfOneNameAreRefused) {
  const Error e = error_of("file,label,label\na,b,c\n");
  EXPECT_EQ(e.message(), "two columns of the table have the same name");
  EXPECT_EQ(e.fact("column"), "label");
  EXPECT_THAT(e.hint(), HasSubstr(".header = false"));
}

TEST_F(TableFile, AnOpenQuoteNamesTheLineWhereItBegins) {
  const Error e = error_of("file,label\n\"a.jpg,cat\nb.jpg,dog\n");
  EXPECT_THAT(e.message(), HasSubstr("a quoted field does not end"));
  EXPECT_EQ(e.fact("line"), "2");
  EXPECT_EQ(table("name,n\n5\" pipe,1\n").text(0, 0), "5\" pipe") << "a quote inside of a field is a quote";
}

TEST_F(TableFile, Latin1IsToldAndReadWhenSaid) {
  const std::string text = "name,n\ncat,1\ncaf\xE9,2\n";
  const Error e = error_of(text);
  EXPECT_EQ(e.message(), "the table is not UTF-8 text: it looks like Latin-1");
  EXPECT_EQ(e.fact("line"), "3");
  EXPECT_THAT(e.hint(), HasSubstr("latin1"));
  EXPECT_EQ(table(text, {.encoding = "latin1"}).text(1, "name"), "caf\xC3\xA9");
  EXPECT_THAT(error_of(std::string("\xFF\xFE"
                                   "a\0,\0",
                                   6))
                  .message(),
              HasSubstr("UTF-16"));
  EXPECT_THAT(error_of(std::string("a\0b", 3)).message(), HasSubstr("no table of text"));
}

TEST_F(TableFile, EmptyAndMissingFilesAreNamed) {
  EXPECT_EQ(error_of("").message(), "the table is empty");
  EXPECT_EQ(error_of(" \n\n").message(), "the table is empty");
  EXPECT_EQ(table("file,label\n").n_rows(), 0);
  EXPECT_EQ(error_in([&] { read_table(folder_ / "none.csv"); }).code(), ErrorCode::not_found);
}

TEST_F(TableFile, GzipIsUnpackedAndItsDamageAndSizeAreFound) {
  const fs::path plain = file("t.csv", "file,label\n" + std::string(20000, 'a') + ",cat\n");
  ASSERT_EQ(std::system(("gzip -k " + plain.string()).c_str()), 0);
  const fs::path packed = folder_ / "t.csv.gz";
  EXPECT_EQ(read_table(packed).text(0, 1), "cat");
  EXPECT_EQ(error_in([&] { read_table(packed, {.max_bytes = 10000}); }).code(), ErrorCode::limit);
  Bytes bytes = read_file(packed);
  bytes.resize(bytes.size() / 2);
  write_file(packed, std::span<const std::uint8_t>(bytes));
  EXPECT_THAT(error_in([&] { read_table(packed); }).message(), HasSubstr("gzip file is damaged"));
}

TEST_F(TableFile, DamagedParquetIsBadData) {
  const Error e = error_of("PAR1 and then nothing of the kind PAR1");
  EXPECT_EQ(e.code(), ErrorCode::bad_data);
  EXPECT_EQ(e.fact("path"), (folder_ / "table.csv").string());
}

TEST(TableGolden, ParquetFileIsReadWithItsTypes) {
  const Table t = read_table(fs::path(KINDLING_SOURCE_DIR) / "tests/golden/data/table.parquet");
  EXPECT_THAT(t.names(), ElementsAre("file", "age", "weight", "kind", "tame", "born"));
  EXPECT_EQ(t.n_rows(), 3);
  EXPECT_EQ(t.text(1, "file"), "b.jpg");
  EXPECT_EQ(t.type("age"), ColumnType::integer);
  EXPECT_EQ(t.number(2, "age"), 7);
  EXPECT_TRUE(t.is_null(1, "weight"));
  EXPECT_EQ(t.type("kind"), ColumnType::text) << "a dictionary is text";
  EXPECT_EQ(t.text(2, "kind"), "cat");
  EXPECT_EQ(t.type("tame"), ColumnType::boolean);
  EXPECT_EQ(t.type("born"), ColumnType::date);
}

TEST_F(TableFile, ColumnsAreFoundByNameOrPlaceAndNearNamesAreOffered) {
  const Table t = table("file,breed\na,b\n");
  EXPECT_EQ(t.column("breed"), 1);
  EXPECT_EQ(t.column(0), 0);
  const Error e = error_in([&] { t.column("bred"); });
  EXPECT_EQ(e.code(), ErrorCode::bad_data);
  EXPECT_THAT(e.what(), HasSubstr("the table has no column 'bred'"));
  EXPECT_EQ(e.fact("columns"), "'file', 'breed'");
  EXPECT_THAT(e.hint(), HasSubstr("did you mean 'breed'?"));
  EXPECT_THAT(error_in([&] { t.column(2); }).hint(), HasSubstr("from 0 to 1"));
  EXPECT_THAT(error_in([&] { t.text(1, 0); }).message(), HasSubstr("no such row"));
}

TEST_F(TableFile, ANumberThatIsNoneNamesRowLineAndColumn) {
  const Table t = table("file,age\na,1\nb,old\n");
  EXPECT_EQ(t.number(0, "age"), 1);
  const Error e = error_in([&] { t.number(1, "age"); });
  EXPECT_EQ(e.fact("row"), "row 1 (line 3 of table.csv)");
  EXPECT_EQ(e.fact("column"), "age");
  EXPECT_EQ(e.fact("got"), "old");
  EXPECT_THAT(error_in([&] { t.numbers("age"); }).fact("row"), HasSubstr("line 3"));
}

TEST(Table, IsMadeInMemory) {
  const Table t = animals();
  EXPECT_EQ(t.n_rows(), 3);
  EXPECT_EQ(t.where(2), "row 2");
  EXPECT_TRUE(t.is_null(1, "age"));
  EXPECT_TRUE(t.truth(2, "is_valid"));
  EXPECT_EQ(t.texts("age"), (Table::Texts{"1.5", std::nullopt, "3.0"}));
  EXPECT_EQ(Table().n_columns(), 0);
  EXPECT_EQ(error_in([] { Table({{"a", std::vector<bool>{true}}, {"b", std::vector<bool>{}}}); }).message(),
            "the columns of a table are of one length");
}

TEST(Table, ColumnsAndRowsAreChosenAndAdded) {
  const Table t = animals().with_column("label", std::vector<std::string>{"cat", "dog", "bird"});
  EXPECT_EQ(t.n_columns(), 5);
  EXPECT_EQ(t.with_column("label", std::vector<std::int64_t>{1, 2, 3}).text(2, "label"), "3");
  EXPECT_THAT(t.select({"label", 0}).names(), ElementsAre("label", "file"));
  const Table taken = t.take({2, 0});
  EXPECT_EQ(taken.text(0, "label"), "bird");
  EXPECT_EQ(taken.text(1, "label"), "cat");
  EXPECT_THROW(t.take({3}), Error);
}

TEST_F(TableFile, CsvWrittenIsReadBack) {
  const Table t({{"a,b", Table::Texts{"x", std::nullopt, "say \"hi\"\n"}},
                 {"n", Table::Numbers{1, std::nullopt, 0.1}}});
  EXPECT_EQ(t.to_csv(), "\"a,b\",n\nx,1.0\n,\n\"say \"\"hi\"\"\n\",0.1\n");
  t.save_csv(folder_ / "out.csv");
  const Table back = read_table(folder_ / "out.csv");
  EXPECT_EQ(back.to_csv(), t.to_csv());
}

TEST(Table, RowsShareTheTable) {
  const Items items = rows_of(animals());
  ASSERT_EQ(items.size(), 3u);
  const Row row = std::get<Row>(items[1]);
  EXPECT_EQ(row.table->text(row.index, "file"), "b.jpg");
  EXPECT_EQ(std::get<Row>(items[2]).table, row.table);
}

}  // namespace kindling
