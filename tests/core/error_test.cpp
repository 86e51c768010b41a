#include <kindling/core/error.hpp>

#include <cerrno>
#include <set>

#include <gtest/gtest.h>

namespace kindling {
namespace {

TEST(Error, WhatIsMessageFactsAndHintOnOneLine) {
  const Error error(ErrorCode::bad_image, "the JPEG ends early", {{"path", "a.jpg"}, {"byte", 17}},
                    "download the file again");
  EXPECT_STREQ(error.what(), "the JPEG ends early (path: a.jpg, byte: 17). download the file again");
  EXPECT_EQ(error.message(), "the JPEG ends early");
  EXPECT_EQ(error.hint(), "download the file again");
  EXPECT_EQ(error.fact("byte"), "17");
  EXPECT_EQ(error.fact("line"), "");
}

TEST(Error, WhatIsTheBareMessageWithoutFactsAndHint) {
  EXPECT_STREQ(Error(ErrorCode::io, "it broke").what(), "it broke");
}

TEST(Error, TheInnermostFactAndHintStay) {
  Error error(ErrorCode::io, "it broke", {{"path", "inner"}});
  error.with("path", "outer").with("item", 7).with_hint("first").with_hint("second");
  EXPECT_STREQ(error.what(), "it broke (path: inner, item: 7). first");
}

TEST(Error, FactsGrowWhileItTravels) {
  try {
    try {
      throw Error(ErrorCode::bad_data, "no label");
    } catch (Error& e) {
      throw e.with("item", 3);
    }
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_data);
    EXPECT_STREQ(e.what(), "no label (item: 3)");
  }
}

TEST(Error, ControlCharactersOfANameCannotSteerATerminalOrForgeALine) {
  const Error error(ErrorCode::io, "it broke",
                    {{"path",
                      "a\nb\x1b[31m\xc2\x9b"
                      "c\t\xc3\xa9"}});
  EXPECT_STREQ(error.what(), "it broke (path: a\\nb\\x1b[31m\\x9bc\\t\xc3\xa9)");
  EXPECT_EQ(error.fact("path"),
            "a\nb\x1b[31m\xc2\x9b"
            "c\t\xc3\xa9");
}

TEST(ErrorCodes, EachHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code)
    names.insert(name_of(ErrorCode{code}));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorCode::internal) + 1);
  EXPECT_EQ(name_of(ErrorCode::bad_image), "bad_image");
  EXPECT_EQ(name_of(ErrorCode::no_space), "no_space");
}

TEST(ErrorCodes, ExitCodesAreThoseOfTheProgram) {
  EXPECT_EQ(exit_code(ErrorCode::io), 1);
  EXPECT_EQ(exit_code(ErrorCode::usage), 2);
  EXPECT_EQ(exit_code(ErrorCode::bad_data), 3);
  EXPECT_EQ(exit_code(ErrorCode::bad_image), 3);
  EXPECT_EQ(exit_code(ErrorCode::bad_model), 3);
  EXPECT_EQ(exit_code(ErrorCode::interrupted), 130);
  EXPECT_EQ(exit_code(ErrorCode::internal), 1);
}

TEST(SystemError, TellsFullDisksAndMissingFilesFromOtherFailures) {
  EXPECT_EQ(system_error(ENOSPC, "write the file", "x").code(), ErrorCode::no_space);
  EXPECT_EQ(system_error(EDQUOT, "write the file", "x").code(), ErrorCode::no_space);
  EXPECT_EQ(system_error(ENOENT, "open the file", "x").code(), ErrorCode::not_found);
  const Error error = system_error(EACCES, "open the file", "x/y");
  EXPECT_EQ(error.code(), ErrorCode::io);
  EXPECT_STREQ(
      error.what(),
      "cannot open the file: Permission denied (path: x/y). check the permissions of the path, or choose "
      "another place");
}

TEST(DidYouMean, NamesTheClosestCandidate) {
  const std::vector<std::string> names{"resnet18", "resnet34", "squeezenet1_0", "bs"};
  EXPECT_EQ(did_you_mean("resnet98", names), " (did you mean 'resnet18'?)");
  EXPECT_EQ(did_you_mean("ResNet35", names), " (did you mean 'resnet34'?)");
  EXPECT_EQ(did_you_mean("sqeezenet1_0", names), " (did you mean 'squeezenet1_0'?)");
  EXPECT_EQ(did_you_mean("b", names), " (did you mean 'bs'?)");
}

TEST(DidYouMean, CountsASwappedPairAsOneEdit) {
  EXPECT_EQ(did_you_mean("trian", {"look", "train", "info"}), " (did you mean 'train'?)");
  EXPECT_EQ(did_you_mean("resnet43", {"resnet18", "resnet34"}), " (did you mean 'resnet34'?)");
  EXPECT_EQ(did_you_mean("sb", {"bs"}), " (did you mean 'bs'?)");
  // A letter that was swapped is not moved again: this is two edits, too many for three letters.
  EXPECT_EQ(did_you_mean("ca", {"abc"}), "");
}

TEST(DidYouMean, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(did_you_mean("vit_large", {"resnet18", "bs"}), "");
  EXPECT_EQ(did_you_mean("resnet", {}), "");
}

}  // namespace
}  // namespace kindling
