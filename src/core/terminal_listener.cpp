#include <kindling/core/files.hpp>

#include "core/listener_streams.hpp"
#include "core/printable.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <optional>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace kindling::detail {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t least_cell = 8;
constexpr std::size_t longest_bar = 50;
constexpr std::size_t shortest_bar = 4;

std::string padded(std::string_view text, std::size_t columns) {
  const std::size_t used = columns_of(text);
  return std::string(text) + std::string(columns > used ? columns - used : 0, ' ');
}

std::string amount(std::int64_t value, const std::string& unit) {
  if (unit == "B") return human_bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)));
  return std::to_string(value);
}

/// `[25/58 00:05<00:07 0.6789]`, or without the total what is known: `[25 00:05 0.6789]`.
std::string counts(const Progress& p) {
  std::string of_total;
  std::string to_go;
  if (p.total > 0) {
    const double rate = p.done > 0 && p.elapsed_s > 0 ? static_cast<double>(p.done) / p.elapsed_s : 0;
    of_total = fmt::format("/{}", amount(p.total, p.unit));
    to_go =
        fmt::format("<{}", rate > 0 ? format_duration(static_cast<double>(p.total - p.done) / rate) : "?");
  }
  const bool shows_unit = !p.unit.empty() && p.unit != "B";
  return fmt::format("[{}{}{}{} {}{}{}{}]", amount(p.done, p.unit), of_total, shows_unit ? " " : "",
                     shows_unit ? p.unit : "", format_duration(p.elapsed_s), to_go, p.note.empty() ? "" : " ",
                     p.note);
}

/// The course's bar, no wider than the terminal.
std::string bar_line(const Progress& p, std::size_t columns) {
  const std::string end = counts(p);
  std::string line = p.what + " ";
  if (p.total > 0) {
    const double part = std::clamp(static_cast<double>(p.done) / static_cast<double>(p.total), 0.0, 1.0);
    const std::string percent = fmt::format("{:.2f}% ", 100 * part);
    const std::size_t taken = columns_of(line) + columns_of(percent) + columns_of(end) + 3;
    const std::size_t room = columns > taken ? std::min(columns - taken, longest_bar) : 0;
    if (room >= shortest_bar) {
      const auto full = static_cast<std::size_t>(part * static_cast<double>(room));
      line += "|";
      for (std::size_t i = 0; i < room; ++i) line += i < full ? "█" : "-";
      line += "| ";
    }
    line += percent;
  }
  line = printable(line + end, LineBreaks::escape);
  return std::string(first_columns(line, columns));
}

class TerminalListener : public Listener {
 public:
  explicit TerminalListener(const ListenerStreams& streams) : streams_(streams) {}

  ~TerminalListener() override { wipe_bar(); }

  void progress(const Progress& progress) override {
    if (!streams_.out_is_terminal) return;
    const std::lock_guard lock(mutex_);
    if (progress.finished) {
      wipe_bar();
      return;
    }
    const auto now = Clock::now();
    if (drawn_at_ && now - *drawn_at_ < streams_.redraw_every) return;
    // One column is left free: a full line makes some terminals wrap.
    put(streams_.out, fmt::format("\r\x1b[K{}", bar_line(progress, streams_.columns - 1)));
    bar_is_on_ = true;
    drawn_at_ = now;
  }

  void table_header(const std::vector<std::string>& columns) override {
    const std::lock_guard lock(mutex_);
    widths_.clear();
    for (const auto& name : columns) widths_.push_back(std::max(columns_of(name), least_cell));
    put_cells(columns);
  }

  void table_row(const std::vector<std::string>& cells) override {
    const std::lock_guard lock(mutex_);
    put_cells(cells);
  }

  void message(Level level, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    wipe_bar();
    const std::string line = printable(text, LineBreaks::keep);
    if (level == Level::info) {
      put(streams_.out, fmt::format("{}\n", line));
    } else {
      put(streams_.err,
          fmt::format("{} {}\n", streams_.colour ? "\x1b[33mwarning:\x1b[0m" : "warning:", line));
    }
  }

 private:
  void put_cells(const std::vector<std::string>& cells) {
    wipe_bar();
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line += "  ";
      line += padded(printable(cells[i], LineBreaks::escape), i < widths_.size() ? widths_[i] : least_cell);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    put(streams_.out, line + "\n");
  }

  void wipe_bar() {
    if (!bar_is_on_) return;
    put(streams_.out, "\r\x1b[K");
    bar_is_on_ = false;
    drawn_at_.reset();
  }

  static void put(std::FILE* stream, const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
  }

  ListenerStreams streams_;
  std::mutex mutex_;
  std::vector<std::size_t> widths_;
  bool bar_is_on_ = false;
  std::optional<Clock::time_point> drawn_at_;
};

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool can_erase_a_line() {
  const char* kind = std::getenv("TERM");
  return kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
}

}  // namespace

ListenerStreams standard_streams() {
  ListenerStreams streams;
  const bool capable = can_erase_a_line();
  streams.out_is_terminal = capable && ::isatty(STDOUT_FILENO) != 0;
  streams.colour = capable && ::isatty(STDERR_FILENO) != 0 && !is_set("NO_COLOR");
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) streams.columns = size.ws_col;
  return streams;
}

std::shared_ptr<Listener> terminal_listener_on(const ListenerStreams& streams) {
  return std::make_shared<TerminalListener>(streams);
}

}  // namespace kindling::detail
