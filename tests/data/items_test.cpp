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

}  // namespace kindling
