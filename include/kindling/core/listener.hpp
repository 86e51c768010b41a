#pragma once
/// Where progress, tables and messages go. The library only tells a `Listener`; the program, a page or a test
/// decides what is shown.
///
///   auto listener = terminal_listener();          // bar and table on a terminal, plain lines in a pipe
///   Learner learn(dls, model, {.listener = listener});

#include <kindling/core/json.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kindling {

/// State of something long. `total` 0 means unknown.
struct Progress {
  std::string what;       ///< "Epoch 1/3", "lite0.pth" …
  std::int64_t done = 0;  ///< items, batches or bytes finished
  std::int64_t total = 0;
  std::string unit = "";  ///< "", "B" (bytes are shown as MB)
  std::string note = "";  ///< e.g. the smooth loss, already formatted
  double elapsed_s = 0;   ///< since it began
  bool finished = false;  ///< last call for this `what`
};

enum class Level { info, warning };

class Listener {
 public:
  virtual ~Listener() = default;
  /// May come often; implementations limit how often they draw.
  virtual void progress(const Progress& progress) {}
  /// A table begins: its column names. Rows follow one by one.
  virtual void table_header(const std::vector<std::string>& columns) {}
  virtual void table_row(const std::vector<std::string>& cells) {}
  /// A sentence for a person.
  virtual void message(Level level, std::string_view text) {}
  /// A fact for a program: an object with a key "event".
  virtual void event(const Json& event) {}
};

/// Never null in the library: a listener that drops everything.
std::shared_ptr<Listener> silent_listener();

/// For standard output: a bar that redraws itself and the course's table on a terminal; in a pipe the table
/// and messages alone. Warnings go to standard error.
std::shared_ptr<Listener> terminal_listener();

/// For programs: each event one JSON object a line on standard output; warnings as text on standard error.
std::shared_ptr<Listener> json_listener();

/// The course's duration: `mm:ss`, or `h:mm:ss`.
std::string format_duration(double seconds);

}  // namespace kindling
