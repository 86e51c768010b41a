#include <kindling/core/error.hpp>
#include <kindling/data/labels.hpp>

#include <regex>

namespace kindling {

struct RegexLabeller::Compiled {
  std::string pattern;
  std::regex regex;
  bool match;
};

RegexLabeller::RegexLabeller(const std::string& pattern, bool match) {
  try {
    compiled_ = std::make_shared<const Compiled>(Compiled{pattern, std::regex(pattern), match});
  } catch (const std::regex_error& e) {
    throw Error(ErrorCode::usage, "the label pattern is not a regular expression",
                {{"pattern", pattern}, {"detail", e.what()}},
                "the label is the first group: '(.+)_\\d+.jpg$'");
  }
  if (compiled_->regex.mark_count() == 0) {
    throw Error(ErrorCode::usage, "the label pattern has no group", {{"pattern", pattern}},
                "put the part that is the label in brackets: '(.+)_\\d+.jpg$'");
  }
}

std::string RegexLabeller::operator()(const fs::path& path) const {
  return (*this)(path.generic_string());
}

std::string RegexLabeller::operator()(const std::string& text) const {
  std::smatch groups;
  auto flags =
      compiled_->match ? std::regex_constants::match_continuous : std::regex_constants::match_default;
  if (!std::regex_search(text, groups, compiled_->regex, flags)) {
    throw Error(ErrorCode::bad_data, "failed to find the label pattern in this name",
                {{"pattern", compiled_->pattern}, {"name", text}},
                "change the pattern so that it fits every file, or leave this file out");
  }
  return groups[1].str();
}

const fs::path& Getter::path_of(const Value& item) {
  if (auto* path = std::get_if<fs::path>(&item)) return *path;
  throw Error(ErrorCode::usage, "this label function takes a path, and the item is none",
              {{"item", describe(item)}});
}

Value Getter::operator()(const Value& item) const {
  try {
    return get_(item);
  } catch (Error& e) {
    throw e.with({"item", describe(item)});
  } catch (const std::exception& e) {
    throw Error(ErrorCode::bad_data, std::string("the label function failed: ") + e.what(),
                {{"item", describe(item)}},
                "make the function give a label for this item, or leave the item out");
  }
}

}  // namespace kindling
