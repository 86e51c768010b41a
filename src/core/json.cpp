#include <kindling/core/error.hpp>
#include <kindling/core/json.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace kindling {

namespace {

// Copying and printing a value recurse; text from outside must not choose how deep.
constexpr int max_depth = 256;
// Setting a key compares it with those before it: this bounds the work at about a second (one object of 16
// 000 keys).
constexpr std::uint64_t max_key_comparisons = std::uint64_t{1} << 27;

struct Position {
  std::size_t line;
  std::size_t column;
};

/// Line and column, from 1, of the byte that is number `byte` from 1.
Position position_of(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
  const std::size_t last_break = before.rfind('\n');
  return {line, last_break == std::string_view::npos ? before.size() + 1 : before.size() - last_break};
}

/// "syntax error while parsing value - unexpected end of input" of nlohmann's longer text.
std::string reason_of(const char* what) {
  const std::string_view text(what);
  const std::size_t start = text.rfind(": ");
  return std::string(start == std::string_view::npos ? text : text.substr(start + 2));
}

/// Watches the parser's events and refuses text that would cost too much.
class CostWatch {
 public:
  explicit CostWatch(const std::string& where) : where_(where) {}

  bool operator()(int depth, Json::parse_event_t event, Json&) {
    if (depth > max_depth) refuse(fmt::format("it is nested deeper than {} levels", max_depth));
    if (event == Json::parse_event_t::object_start) keys_.push_back(0);
    if (event == Json::parse_event_t::object_end && !keys_.empty()) keys_.pop_back();
    if (event == Json::parse_event_t::key && !keys_.empty()) {
      comparisons_ += keys_.back()++;
      if (comparisons_ > max_key_comparisons) refuse("its objects have too many keys");
    }
    return true;
  }

 private:
  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorCode::bad_data, "the JSON text is refused: " + reason, {{"where", where_}});
  }
  const std::string& where_;
  std::vector<std::uint64_t> keys_;
  std::uint64_t comparisons_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  try {
    return Json::parse(text, CostWatch(where));
  } catch (const Json::parse_error& e) {
    const Position at = position_of(text, std::min(e.byte, text.size() + 1));
    throw Error(ErrorCode::bad_data, "not valid JSON: " + reason_of(e.what()),
                {{"where", where}, {"line", at.line}, {"column", at.column}});
  } catch (const Json::exception& e) {
    throw Error(ErrorCode::bad_data, "not valid JSON: " + reason_of(e.what()), {{"where", where}});
  }
}

}  // namespace kindling
