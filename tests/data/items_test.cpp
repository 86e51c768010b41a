#include <kindling/core/error.hpp>
#include <kindling/data/items.hpp>
#include <kindling/data/labels.hpp>

#include "core/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

struct Tree {
  testing::TemporaryFolder folder;
  explicit Tree(const std::vector<std::string>& files) {
    for (const std::string& f : files) {
      fs::create_directories((folder.path() / f).parent_path());
      write_file(folder.path() / f, std::string_view("x"));
    }
  }
  std::vector<std::string> names(const Paths& paths) const {
    std::vector<std::string> relative;
    for (const fs::path& p : paths) relative.push_back(fs::relative(p, folder.path()).string());
    return relative;
  }
};

}  // namespace

TEST(GetFiles, SortedRecursiveAndWithoutHiddenOnes) {
  Tree tree({"b/2.jpg", "a/1.JPG", "a/.hidden.jpg", ".git/3.jpg", "note.txt", "c.png"});
  EXPECT_THAT(tree.names(get_image_files(tree.folder.path())), ElementsAre("a/1.JPG", "b/2.jpg", "c.png"));
  EXPECT_THAT(tree.names(get_files(tree.folder.path(), {".TXT"})), ElementsAre("note.txt"));
  EXPECT_EQ(get_files(tree.folder.path()).size(), 4u);
}

TEST(GetFiles, FoldersChooseSubFoldersOfTheRootAndLeaveItsOwnFilesOut) {
  Tree tree({"train/a/1.jpg", "valid/a/2.jpg", "test/a/3.jpg", "4.jpg"});
  EXPECT_THAT(tree.names(get_image_files(tree.folder.path(), {.folders = {"train", "valid"}})),
              ElementsAre("train/a/1.jpg", "valid/a/2.jpg"));
  EXPECT_THAT(tree.names(get_image_files(tree.folder.path(), {.folders = {"test", "."}})),
              ElementsAre("4.jpg", "test/a/3.jpg"));
  EXPECT_THAT(tree.names(get_image_files(tree.folder.path(), {.recurse = false})), ElementsAre("4.jpg"));
}

TEST(GetFiles, LinksThatFormALoopEnd) {
  Tree tree({"a/1.jpg"});
  fs::create_directory_symlink(tree.folder.path(), tree.folder.path() / "a/back");
  EXPECT_THAT(tree.names(get_image_files(tree.folder.path())), ElementsAre("a/1.jpg"));
}

TEST(GetFiles, MissingFolderIsNamed) {
  try {
    get_image_files("/no/such/folder");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::not_found);
    EXPECT_EQ(e.fact("path"), "/no/such/folder");
  }
}

TEST(Labels, ParentLabelIsTheFoldersName) {
  EXPECT_EQ(parent_label("data/train/cat/1.jpg"), "cat");
}

TEST(Labels, RegexGivesItsFirstGroup) {
  RegexLabeller breed(R"((.+)_\d+.jpg$)");
  EXPECT_EQ(breed(std::string("great_pyrenees_173.jpg")), "great_pyrenees");
  EXPECT_EQ(RegexLabeller(R"(/([^/]+)_\d+.jpg$)")(fs::path("images/great_pyrenees_173.jpg")),
            "great_pyrenees");
  EXPECT_EQ(RegexLabeller("(b)")(std::string("abc")), "b");
  EXPECT_THROW(RegexLabeller("(b)", /*match=*/true)(std::string("abc")), Error);
}

TEST(Labels, NameThatDoesNotFitIsNamed) {
  try {
    RegexLabeller(R"((.+)_\d+.jpg$)")(std::string("cat.png"));
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_EQ(e.fact("name"), "cat.png");
  }
}

TEST(Labels, BadPatternIsAUsageError) {
  for (const char* pattern : {"(", "cat"}) {
    try {
      RegexLabeller labeller(pattern);
      FAIL() << pattern;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::usage);
      EXPECT_THAT(e.hint(), HasSubstr("(.+)_"));
    }
  }
}

TEST(Getter, FunctionsOfManyKindsBecomeValues) {
  const Value item = fs::path("a/b.jpg");
  EXPECT_EQ(std::get<Category>(Getter(parent_label)(item)).name, "a");
  EXPECT_EQ(std::get<Category>(Getter([](const fs::path&) { return "text"; })(item)).name, "text");
  EXPECT_EQ(std::get<Category>(Getter([](const fs::path&) { return true; })(item)).name, "True");
  EXPECT_EQ(std::get<Number>(Getter([](const fs::path&) { return 2.5f; })(item)).value, 2.5);
  EXPECT_EQ(std::get<fs::path>(Getter([](const fs::path& p) { return p.parent_path(); })(item)), "a");
  EXPECT_EQ(std::get<Text>(Getter([](const Value&) -> Value { return Text{"t"}; })(item)).text, "t");
}

TEST(Getter, FunctionThatThrowsNamesTheItem) {
  Getter label = [](const fs::path&) -> std::string { throw std::runtime_error("no such breed"); };
  try {
    label(fs::path("a/b.jpg"));
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_THAT(e.what(), HasSubstr("no such breed"));
    EXPECT_THAT(e.fact("item"), HasSubstr("a/b.jpg"));
  }
}

namespace {

struct Animal {
  std::string file;
  std::string label;
  double age = 0;
  std::vector<std::string> tags;
  std::string shout() const { return label + "!"; }
};

Table animal_items() {
  return Table({{"file", std::vector<std::string>{"a", "b"}},
                {"tags", Table::Texts{"sky sea", std::nullopt}},
                {"age", Table::Numbers{3, std::nullopt}},
                {"x", std::vector<double>{1.5, 2}},
                {"y", std::vector<std::int64_t>{3, 4}},
                {"tame", std::vector<bool>{true, false}}});
}

}  // namespace

TEST(Getter, MembersAndFunctionsOfAStructOfTheUsersOwn) {
  const Items items = to_items(std::vector<Animal>{{"a.jpg", "cat", 3.5, {"x", "y"}}});
  EXPECT_EQ(std::get<Category>(Getter(&Animal::label)(items[0])).name, "cat");
  EXPECT_EQ(std::get<Category>(AttrGetter(&Animal::file)(items[0])).name, "a.jpg");
  EXPECT_EQ(std::get<Number>(Getter(&Animal::age)(items[0])).value, 3.5);
  EXPECT_EQ(std::get<Category>(Getter(&Animal::shout)(items[0])).name, "cat!");
  EXPECT_THAT(std::get<Categories>(Getter(&Animal::tags)(items[0])).names, ElementsAre("x", "y"));
  const Getter path = [](const Animal& a) { return fs::path("images") / a.file; };
  EXPECT_EQ(std::get<fs::path>(path(items[0])), "images/a.jpg");
  try {
    path(fs::path("a.jpg"));
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::usage);
    EXPECT_THAT(e.what(), HasSubstr("does not take items of this kind (item: path 'a.jpg')"));
  }
}

TEST(Getter, FunctionsOfARow) {
  const Getter get = [](const Row& row) { return row.table->number(row.index, "x") + 1; };
  EXPECT_EQ(std::get<Number>(get(kindling::rows_of(animal_items())[0])).value, 2.5);
}

TEST(ColReader, ReadsOneColumnByItsKind) {
  const Items rows = kindling::rows_of(animal_items());
  const auto read = [&](const ColReader& reader, int row = 0) { return Getter(reader)(rows[row]); };
  EXPECT_EQ(std::get<Category>(read(ColReader("file"))).name, "a");
  EXPECT_EQ(std::get<fs::path>(read(ColReader("file", {.pref = fs::path("images"), .suff = ".jpg"}))),
            "images/a.jpg");
  EXPECT_EQ(std::get<fs::path>(read(ColReader(0, {.pref = "x_"}))), "x_a");
  EXPECT_EQ(std::get<Number>(read(ColReader("age"))).value, 3);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(read(ColReader("age"), 1)));
  EXPECT_EQ(std::get<Category>(read(ColReader("tame"))).name, "True");
  EXPECT_THAT(std::get<Categories>(read(ColReader("tags", {.label_delim = " "}))).names,
              ElementsAre("sky", "sea"));
  EXPECT_TRUE(std::get<Categories>(read(ColReader("tags", {.label_delim = " "}), 1)).names.empty());
}

TEST(ColReader, ReadsSeveralColumns) {
  const Items rows = kindling::rows_of(animal_items());
  EXPECT_THAT(std::get<Numbers>(ColReader({"x", "y", "tame"})(std::get<Row>(rows[0]))).values,
              ElementsAre(1.5, 3, 1));
  EXPECT_THAT(std::get<Categories>(ColReader({"file", "y"})(std::get<Row>(rows[1]))).names,
              ElementsAre("b", "4"));
  EXPECT_THROW(ColReader({"x", "y"}, {.suff = ".jpg"}), Error);
}

TEST(ColReader, AMissingColumnOffersTheNearestName) {
  try {
    Getter(ColReader("fiel"))(kindling::rows_of(animal_items())[0]);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_THAT(e.what(), HasSubstr("the table has no column 'fiel'"));
    EXPECT_THAT(e.hint(), HasSubstr("did you mean 'file'?"));
  }
}

TEST(ItemGetter, TakesOneOfSeveralValues) {
  const Value item = tuple_of({fs::path("a.jpg"), Number{2}});
  EXPECT_EQ(std::get<fs::path>(ItemGetter(0)(item)), "a.jpg");
  EXPECT_EQ(std::get<Number>(ItemGetter(1)(item)).value, 2);
  EXPECT_EQ(std::get<Number>(ItemGetter(1)(Numbers{{1, 7}})).value, 7);
  EXPECT_EQ(std::get<Category>(ItemGetter(0)(kindling::rows_of(animal_items())[1])).name, "b");
  EXPECT_EQ(describe(item), "(path 'a.jpg', Number 2)");
  EXPECT_THROW(ItemGetter(2)(item), Error);
}

}  // namespace kindling
