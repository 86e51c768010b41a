#include "cli/output.hpp"

#include "core/printable.hpp"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace kindling::cli {

namespace {

/// What stays of a listener for --quiet.
class WarningsOnly final : public Listener {
 public:
  void message(Level level, std::string_view text) override {
    if (level == Level::warning) shown_->message(level, text);
  }

 private:
  std::shared_ptr<Listener> shown_ = terminal_listener();
};

}  // namespace

std::shared_ptr<Listener> make_listener(const CommonOptions& options) {
  if (options.json) return json_listener();
  if (options.quiet) return std::make_shared<WarningsOnly>();
  return terminal_listener();
}

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void put_json(const Json& object) {
  put(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  std::fflush(stdout);
}

std::string safe(std::string_view text) {
  return detail::printable(text, detail::LineBreaks::escape);
}

Json error_json(const Error& error) {
  Json facts = Json::object();
  for (const Fact& fact : error.facts()) facts[fact.key] = fact.value;
  return {{"code", name_of(error.code())},
          {"message", error.message()},
          {"hint", error.hint()},
          {"facts", std::move(facts)}};
}

void put_error(const Error& error, bool json) {
  std::fflush(stdout);
  if (json) return put_json({{"event", "error"}, {"error", error_json(error)}});
  std::string text = fmt::format("error: {}\n", safe(error.message()));
  for (const Fact& fact : error.facts()) text += fmt::format("  {}: {}\n", safe(fact.key), safe(fact.value));
  if (!error.hint().empty()) text += fmt::format("try: {}\n", safe(error.hint()));
  std::fwrite(text.data(), 1, text.size(), stderr);
}

std::string in_columns(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], detail::columns_of(row[c]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - detail::columns_of(row[c]), ' ');
      if (c > 0) line += "  ";
      line += c < right.size() && right[c] ? space + row[c] : row[c] + space;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::optional<TerminalSize> terminal_size() {
  if (::isatty(STDOUT_FILENO) == 0) return std::nullopt;
  TerminalSize found;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
    found = {size.ws_col, size.ws_row};
  return found;
}

std::string count_of(std::size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string shell_word(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._-/+=:,@%").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!text.empty() && std::ranges::all_of(text, plain)) return text;
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace kindling::cli
