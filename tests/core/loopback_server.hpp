#pragma once
/// A small HTTP server on 127.0.0.1 for tests of clients: it answers as the test says, also as a bad server
/// does.
///
///   LoopbackServer server([](const Request& request, int number) { return ranged("hello", request); });
///   download(server.url("/hello.bin"), target);

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kindling::testing {

struct Request {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  ///< names in lower case

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

struct Reply {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool states_length = true;
  std::optional<std::size_t> claimed_length;  ///< instead of the body's true length
  std::optional<std::size_t> cut_after;       ///< bytes of the body after which the connection closes
  bool stalls = false;     ///< silence, instead of closing, after `cut_after` (or the head)
  std::size_t repeat = 1;  ///< the body is sent so many times
};

/// What a good server answers: the asked part of the body where the client names one of this very file.
inline Reply ranged(const std::string& body, const Request& request, const std::string& etag = "\"v1\"") {
  Reply reply{.body = body, .headers = {{"ETag", etag}, {"Accept-Ranges", "bytes"}}};
  const std::string range = request.header("range");
  const std::string condition = request.header("if-range");
  if (!range.starts_with("bytes=") || (!condition.empty() && condition != etag)) return reply;
  const std::size_t first = std::stoull(range.substr(6));
  const std::string total = std::to_string(body.size());
  if (first >= body.size()) return {.status = 416, .headers = {{"Content-Range", "bytes */" + total}}};
  reply.status = 206;
  reply.body = body.substr(first);
  const std::string last = std::to_string(body.size() - 1);
  reply.headers.emplace_back("Content-Range", "bytes " + std::to_string(first) + "-" + last + "/" + total);
  return reply;
}

class LoopbackServer {
 public:
  /// `number` counts the requests from 0.
  using Handler = std::function<Reply(const Request& request, int number)>;

  explicit LoopbackServer(Handler handler)
      : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback();
    socklen_t size = sizeof(address);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || ::bind(listener_, raw, size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, raw, &size) != 0) {
      throw std::runtime_error("no loopback socket");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~LoopbackServer() {
    stopping_ = true;
    acceptor_.join();
    for (auto& thread : connections_) thread.join();
    ::close(listener_);
  }

  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  /// A port of this machine where nobody listens.
  static int closed_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback();
    socklen_t size = sizeof(address);
    ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
  }

 private:
  static constexpr std::size_t most_connections = 256;
  static constexpr std::size_t longest_head = 64 * 1024;
  static constexpr int poll_ms = 20;

  static sockaddr_in loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void accept_all() {
    while (!stopping_ && connections_.size() < most_connections) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, poll_ms) <= 0) continue;
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      connections_.emplace_back([this, fd] {
        serve(fd);
        ::close(fd);
      });
    }
  }

  void serve(int fd) {
    const auto request = read_request(fd);
    if (!request) return;
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = static_cast<int>(requests_.size());
      requests_.push_back(*request);
    }
    send_reply(fd, handler_(*request, number));
  }

  std::optional<Request> read_request(int fd) const {
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
      char block[4096];
      pollfd waiting{fd, POLLIN, 0};
      if (stopping_ || head.size() > longest_head) return std::nullopt;
      if (::poll(&waiting, 1, poll_ms) <= 0) continue;
      const ssize_t got = ::recv(fd, block, sizeof(block), 0);
      if (got <= 0) return std::nullopt;
      head.append(block, static_cast<std::size_t>(got));
    }
    return parse(head);
  }

  static Request parse(const std::string& head) {
    Request request;
    std::size_t at = head.find("\r\n");
    const std::string first = head.substr(0, at);
    const std::size_t space = first.find(' ');
    request.method = first.substr(0, space);
    request.path = first.substr(space + 1, first.rfind(' ') - space - 1);
    for (at += 2; head.compare(at, 2, "\r\n") != 0;) {
      const std::size_t end = head.find("\r\n", at);
      const std::string line = head.substr(at, end - at);
      std::string name = line.substr(0, line.find(':'));
      std::ranges::transform(name, name.begin(),
                             [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const std::size_t value = line.find_first_not_of(' ', name.size() + 1);
      request.headers[name] = value == std::string::npos ? "" : line.substr(value);
      at = end + 2;
    }
    return request;
  }

  void send_reply(int fd, const Reply& reply) const {
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\nConnection: close\r\n";
    for (const auto& [name, value] : reply.headers)
      head.append(name).append(": ").append(value).append("\r\n");
    if (reply.states_length) {
      const std::size_t length = reply.claimed_length.value_or(reply.body.size() * reply.repeat);
      head += "Content-Length: " + std::to_string(length) + "\r\n";
    }
    if (!send_all(fd, head + "\r\n")) return;
    const std::string body = reply.cut_after ? reply.body.substr(0, *reply.cut_after) : reply.body;
    for (std::size_t i = 0; i < reply.repeat; ++i) {
      if (!send_all(fd, body)) return;
    }
    if (reply.stalls) wait_until_left(fd);
    // Without this, unread bytes of the request would turn the close into a reset that eats the reply.
    ::shutdown(fd, SHUT_WR);
  }

  bool send_all(int fd, const std::string& bytes) const {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      pollfd waiting{fd, POLLOUT, 0};
      if (stopping_) return false;
      if (::poll(&waiting, 1, poll_ms) <= 0) continue;
      const ssize_t count = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno != EAGAIN) return false;
      sent += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
    return true;
  }

  void wait_until_left(int fd) const {
    char byte = 0;
    while (!stopping_) {
      pollfd waiting{fd, POLLIN, 0};
      if (::poll(&waiting, 1, poll_ms) > 0 && ::recv(fd, &byte, 1, 0) <= 0) return;
    }
  }

  Handler handler_;
  int listener_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

}  // namespace kindling::testing
