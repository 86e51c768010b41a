#include "core/listener_streams.hpp"
#include "core/printable.hpp"

#include <mutex>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

class JsonListener : public Listener {
 public:
  explicit JsonListener(const ListenerStreams& streams) : streams_(streams) {}

  void event(const Json& event) override {
    // Names of files need not be UTF-8; a reader of JSON must get it all the same.
    const std::string line = event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    put(streams_.out, line);
  }

  void message(Level level, std::string_view text) override {
    if (level == Level::warning) put(streams_.err, "warning: " + printable(text, LineBreaks::keep) + "\n");
  }

 private:
  void put(std::FILE* stream, const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
  }

  ListenerStreams streams_;
  std::mutex mutex_;
};

}  // namespace

std::shared_ptr<Listener> json_listener_on(const ListenerStreams& streams) {
  return std::make_shared<JsonListener>(streams);
}

}  // namespace kindling::detail
