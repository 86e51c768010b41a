#include "core/portable_name.hpp"

#include <gtest/gtest.h>

namespace kindling::detail {
namespace {

TEST(PortableName, KeepsPlainTextOfAnyScript) {
  EXPECT_EQ(portable_name("grizzly bear"), "grizzly bear");
  EXPECT_EQ(portable_name("медведь"), "медведь");
  EXPECT_EQ(portable_name("a.b"), "a.b");
}

TEST(PortableName, LeadsNowhereElse) {
  EXPECT_EQ(portable_name("../../etc/passwd"), "_.._etc_passwd");
  EXPECT_EQ(portable_name("/"), "_");
  EXPECT_EQ(portable_name(".."), "_");
  EXPECT_EQ(portable_name(""), "_");
  EXPECT_EQ(portable_name("C:\\x"), "C__x");
  EXPECT_EQ(portable_name(".hidden. "), "hidden");
  EXPECT_EQ(portable_name("a\nb\x1b"), "a_b_");
}

TEST(PortableName, AvoidsDeviceNamesAndCutsWholeCharacters) {
  EXPECT_EQ(portable_name("CON"), "_CON");
  EXPECT_EQ(portable_name("com1.txt"), "_com1.txt");
  EXPECT_EQ(portable_name("comet"), "comet");
  std::string name;
  for (int i = 0; i < 60; ++i) name += "é";
  EXPECT_EQ(portable_name("x" + name).size(), 79u);
}

TEST(Slug, IsAWordOfPlainLetters) {
  EXPECT_EQ(slug("Brown Bear, Ursus arctos (2019)", 40), "brown-bear-ursus-arctos-2019");
  EXPECT_EQ(slug("--Ünï--", 40), "n");
  EXPECT_EQ(slug("медведь", 40), "");
  EXPECT_EQ(slug("abc def", 4), "abc");
}

}  // namespace
}  // namespace kindling::detail
