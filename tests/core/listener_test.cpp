#include <kindling/core/listener.hpp>

#include "core/listener_streams.hpp"
#include "core/temporary_folder.hpp"

#include <cmath>
#include <limits>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScopedVariable;

/// A stream whose text can be looked at.
class Capture {
 public:
  Capture() : stream_(::open_memstream(&text_, &size_)) {}
  ~Capture() {
    std::fclose(stream_);
    std::free(text_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  std::FILE* stream() { return stream_; }
  std::string text() {
    std::fflush(stream_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* stream_;
};

struct Console {
  Capture out;
  Capture err;
  detail::ListenerStreams streams(bool is_terminal, std::size_t columns = 80) {
    return {.out = out.stream(),
            .err = err.stream(),
            .out_is_terminal = is_terminal,
            .colour = false,
            .columns = columns,
            .redraw_every = std::chrono::milliseconds(0)};
  }
};

const std::string erase = "\r\x1b[K";

Progress epoch(std::int64_t done) {
  return {.what = "Epoch 1/3", .done = done, .total = 58, .note = "0.6789", .elapsed_s = 5.4};
}

TEST(TerminalListener, DrawsTheCoursesBar) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(true, 55));
  listener->progress(epoch(25));
  EXPECT_EQ(console.out.text(), erase + "Epoch 1/3 |███-----| 43.10% [25/58 00:05<00:07 0.6789]");
}

TEST(TerminalListener, GivesABarAtMostFiftyColumns) {
  Console console;
  detail::terminal_listener_on(console.streams(true, 500))->progress(epoch(29));
  std::string half;
  for (int i = 0; i < 25; ++i) half += "█";
  EXPECT_THAT(console.out.text(), HasSubstr("|" + half + std::string(25, '-') + "| 50.00% "));
}

TEST(TerminalListener, NeverWrapsALine) {
  for (std::size_t columns : {2u, 10u, 30u, 45u, 60u}) {
    Console console;
    const auto listener = detail::terminal_listener_on(console.streams(true, columns));
    listener->progress({.what = "Épreuve 1/3", .done = 25, .total = 58, .elapsed_s = 5});
    const std::string line = console.out.text().substr(erase.size());
    const auto shown = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
    EXPECT_LT(shown, static_cast<std::ptrdiff_t>(columns));
  }
}

TEST(TerminalListener, ShowsBytesInUnitsAndUnknownTotalsAsACount) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(true, 60));
  listener->progress({.what = "w.pth", .done = 9'300'000, .total = 18'600'000, .unit = "B", .elapsed_s = 3});
  EXPECT_THAT(console.out.text(), HasSubstr("50.00% [9.3 MB/18.6 MB 00:03<00:03]"));
  listener->progress({.what = "scan", .done = 12, .unit = "photos", .elapsed_s = 3});
  EXPECT_THAT(console.out.text(), HasSubstr(erase + "scan [12 photos 00:03]"));
}

TEST(TerminalListener, SurvivesSenselessProgress) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(true));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  listener->progress({.what = "x", .done = 0, .total = 5, .elapsed_s = 0});
  listener->progress({.what = "x", .done = 9, .total = 5, .elapsed_s = nan});
  listener->progress({.what = "x", .done = -3, .total = 5, .unit = "B", .elapsed_s = -1});
  EXPECT_THAT(console.out.text(), HasSubstr("100.00% [9/5 00:00<?]"));
  EXPECT_THAT(console.out.text(), HasSubstr("0.00% [0/5 00:00<?]"));
}

TEST(TerminalListener, RedrawsAtMostOnceAnInterval) {
  Console console;
  auto streams = console.streams(true);
  streams.redraw_every = std::chrono::hours(1);
  const auto listener = detail::terminal_listener_on(streams);
  for (int i = 1; i <= 50; ++i) listener->progress(epoch(i));
  const std::string text = console.out.text();
  EXPECT_EQ(text.rfind(erase), 0u);
  EXPECT_THAT(text, HasSubstr("[1/58"));
}

TEST(TerminalListener, WipesTheBarBeforeRowsMessagesAndAtItsEnd) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(true));
  const auto after_the_bar = [&](const std::function<void()>& action) {
    listener->progress(epoch(1));
    const std::size_t before = console.out.text().size();
    action();
    return console.out.text().substr(before);
  };
  EXPECT_EQ(after_the_bar([&] { listener->table_row({"0"}); }), erase + "0\n");
  EXPECT_EQ(after_the_bar([&] { listener->message(Level::info, "hello"); }), erase + "hello\n");
  EXPECT_EQ(after_the_bar([&] { listener->message(Level::warning, "careful"); }), erase);
  EXPECT_EQ(console.err.text(), "warning: careful\n");
  EXPECT_EQ(after_the_bar([&] { listener->progress({.what = "Epoch 1/3", .finished = true}); }), erase);
  EXPECT_EQ(after_the_bar([&] { listener->event({{"event", "epoch"}}); }), "");
}

TEST(TerminalListener, PrintsTheCoursesTable) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(false));
  listener->table_header({"epoch", "train_loss", "valid_loss", "error_rate", "time"});
  listener->table_row({"0", "0.178915", "0.021343", "0.006089", "00:47"});
  listener->table_row({"1", "123456.123456", "0.1", "0.0", "00:48"});
  EXPECT_EQ(console.out.text(),
            "epoch     train_loss  valid_loss  error_rate  time\n"
            "0         0.178915    0.021343    0.006089    00:47\n"
            "1         123456.123456  0.1         0.0         00:48\n");
}

TEST(TerminalListener, InAPipeShowsNoBarAndNoControlCharacters) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(false));
  listener->progress(epoch(3));
  listener->message(Level::info, "1 file left out");
  listener->progress({.what = "Epoch 1/3", .finished = true});
  listener->table_row({"0"});
  EXPECT_EQ(console.out.text(), "1 file left out\n0\n");
}

TEST(TerminalListener, DefusesNamesThatCarryEscapes) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(true));
  listener->message(Level::info, "bad \x1b[2Jname\nsecond line");
  listener->table_row({"a\nb"});
  listener->progress({.what = "x\x1b[2J\r", .done = 1, .total = 2});
  EXPECT_THAT(console.out.text(), HasSubstr("bad \\x1b[2Jname\nsecond line\n"));
  EXPECT_THAT(console.out.text(), HasSubstr("a\\nb"));
  EXPECT_THAT(console.out.text(), HasSubstr("x\\x1b[2J\\x0d"));
}

TEST(TerminalListener, ColoursOnlyTheWordWarning) {
  Console console;
  auto streams = console.streams(true);
  streams.colour = true;
  detail::terminal_listener_on(streams)->message(Level::warning, "careful");
  EXPECT_EQ(console.err.text(), "\x1b[33mwarning:\x1b[0m careful\n");
}

TEST(TerminalListener, KeepsLinesWholeUnderManyThreads) {
  Console console;
  const auto listener = detail::terminal_listener_on(console.streams(false));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        listener->message(Level::info, "one whole line");
        listener->progress(epoch(i));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::string expected;
  for (int i = 0; i < 800; ++i) expected += "one whole line\n";
  EXPECT_EQ(console.out.text(), expected);
}

TEST(StandardStreams, AreNoTerminalWhenItCannotEraseALine) {
  const ScopedVariable terminal("TERM", "dumb");
  EXPECT_FALSE(detail::standard_streams().out_is_terminal);
  EXPECT_FALSE(detail::standard_streams().colour);
}

TEST(StandardStreams, HaveNoColourUnderNoColor) {
  const ScopedVariable terminal("TERM", "xterm");
  const ScopedVariable no_color("NO_COLOR", "1");
  EXPECT_FALSE(detail::standard_streams().colour);
}

TEST(JsonListener, WritesEachEventAsOneLineAndNothingElse) {
  Console console;
  const auto listener = detail::json_listener_on(console.streams(true));
  listener->progress(epoch(3));
  listener->table_header({"epoch"});
  listener->table_row({"0"});
  listener->message(Level::info, "hello");
  listener->event({{"event", "done"}, {"text", "two\nlines"}, {"loss", std::nan("")}});
  listener->event({{"event", "bad"}, {"path", "\xff.jpg"}});
  listener->message(Level::warning, "careful");
  EXPECT_EQ(console.out.text(),
            "{\"event\":\"done\",\"text\":\"two\\nlines\",\"loss\":null}\n"
            "{\"event\":\"bad\",\"path\":\"\xef\xbf\xbd.jpg\"}\n");
  EXPECT_EQ(console.err.text(), "warning: careful\n");
}

TEST(SilentListener, TakesEverythingAndIsNeverNull) {
  const auto listener = silent_listener();
  ASSERT_NE(listener, nullptr);
  listener->progress(epoch(1));
  listener->message(Level::warning, "unheard");
  listener->event({{"event", "x"}});
}

TEST(FormatDuration, IsTheCourses) {
  EXPECT_EQ(format_duration(0), "00:00");
  EXPECT_EQ(format_duration(59.99), "00:59");
  EXPECT_EQ(format_duration(754), "12:34");
  EXPECT_EQ(format_duration(3600), "1:00:00");
  EXPECT_EQ(format_duration(36'125), "10:02:05");
  EXPECT_EQ(format_duration(-5), "00:00");
  EXPECT_EQ(format_duration(std::nan("")), "00:00");
  EXPECT_THAT(format_duration(std::numeric_limits<double>::infinity()), Not(HasSubstr("-")));
}

}  // namespace
}  // namespace kindling
