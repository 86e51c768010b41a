#include <kindling/core/error.hpp>

#include "core/printable.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <limits>
#include <system_error>

#include <fmt/format.h>

namespace kindling {

namespace {

struct CodeEntry {
  ErrorCode code;
  std::string_view name;
  int exit;
};

constexpr int failed = 1;
constexpr int wrong_usage = 2;
constexpr int wrong_input = 3;
constexpr int stopped = 130;

constexpr std::array code_table{
    CodeEntry{ErrorCode::usage, "usage", wrong_usage},
    CodeEntry{ErrorCode::not_found, "not_found", failed},
    CodeEntry{ErrorCode::bad_data, "bad_data", wrong_input},
    CodeEntry{ErrorCode::bad_image, "bad_image", wrong_input},
    CodeEntry{ErrorCode::bad_weights, "bad_weights", wrong_input},
    CodeEntry{ErrorCode::bad_model, "bad_model", wrong_input},
    CodeEntry{ErrorCode::io, "io", failed},
    CodeEntry{ErrorCode::no_space, "no_space", failed},
    CodeEntry{ErrorCode::network, "network", failed},
    CodeEntry{ErrorCode::checksum, "checksum", failed},
    CodeEntry{ErrorCode::offline, "offline", failed},
    CodeEntry{ErrorCode::limit, "limit", failed},
    CodeEntry{ErrorCode::unsupported, "unsupported", failed},
    CodeEntry{ErrorCode::interrupted, "interrupted", stopped},
    CodeEntry{ErrorCode::internal, "internal", failed},
};

const CodeEntry& entry_of(ErrorCode code) {
  const auto found = std::ranges::find(code_table, code, &CodeEntry::code);
  return found == code_table.end() ? code_table.back() : *found;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// The fewest letters to insert, delete, replace, or swap with their neighbour (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view name_of(ErrorCode code) {
  return entry_of(code).name;
}

int exit_code(ErrorCode code) {
  return entry_of(code).exit;
}

Error::Error(ErrorCode code, std::string message, std::vector<Fact> facts, std::string hint)
    : code_(code), message_(std::move(message)), facts_(std::move(facts)), hint_(std::move(hint)) {
  compose();
}

std::string Error::fact(std::string_view key) const {
  const auto found = std::ranges::find(facts_, key, &Fact::key);
  return found == facts_.end() ? std::string() : found->value;
}

Error& Error::with(Fact fact) {
  if (std::ranges::find(facts_, fact.key, &Fact::key) == facts_.end()) {
    facts_.push_back(std::move(fact));
    compose();
  }
  return *this;
}

Error& Error::with_hint(std::string hint) {
  if (hint_.empty()) {
    hint_ = std::move(hint);
    compose();
  }
  return *this;
}

void Error::compose() {
  std::string line = message_;
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    line += fmt::format("{}{}: {}", i == 0 ? " (" : ", ", facts_[i].key, facts_[i].value);
  }
  if (!facts_.empty()) line += ")";
  if (!hint_.empty()) line += ". " + hint_;
  what_ = detail::printable(line, detail::LineBreaks::escape);
}

Error system_error(int errno_value, const std::string& doing, const std::filesystem::path& path) {
  auto code = ErrorCode::io;
  std::string hint;
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
      code = ErrorCode::no_space;
      hint = "free some space on the disk that holds it, then try again";
      break;
    case ENOENT:
      code = ErrorCode::not_found;
      hint = "check the spelling of the path";
      break;
    case ENOTDIR:
      hint = "a part of the path is a file and not a folder";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      hint = "check the permissions of the path, or choose another place";
      break;
    case EMFILE:
    case ENFILE:
      hint = "too many files are open; raise the limit with `ulimit -n`";
      break;
    default:
      break;
  }
  return Error(code, fmt::format("cannot {}: {}", doing, std::generic_category().message(errno_value)),
               {{"path", path}}, hint);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string wanted = lower_case(word);
  const std::string* best = nullptr;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const auto& candidate : candidates) {
    const std::string name = lower_case(candidate);
    const std::size_t allowed = std::max<std::size_t>(1, std::min(wanted.size(), name.size()) / 3);
    const std::size_t distance = edit_distance(wanted, name);
    if (distance <= allowed && distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? std::string() : fmt::format(" (did you mean '{}'?)", *best);
}

}  // namespace kindling
