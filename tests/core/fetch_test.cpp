#include <kindling/core/error.hpp>
#include <kindling/core/fetch.hpp>
#include <kindling/core/interrupt.hpp>

#include "core/loopback_server.hpp"
#include "core/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using testing::LoopbackServer;
using testing::Reply;
using testing::Request;
using testing::ScopedVariable;

class FetchTest : public ::testing::Test {
 protected:
  static FetchOptions quick() {
    return {.max_bytes = 100'000,
            .retries = 2,
            .backoff = std::chrono::milliseconds(5),
            .stall_timeout = std::chrono::milliseconds(500),
            .timeout = std::chrono::milliseconds(5000)};
  }
  static std::string text_of(const std::string& url, const FetchOptions& options = quick()) {
    const Bytes bytes = fetch(url, options);
    return {bytes.begin(), bytes.end()};
  }
  static Error error_of(const std::string& url, const FetchOptions& options = quick()) {
    try {
      fetch(url, options);
    } catch (const Error& e) {
      return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::internal, "none");
  }
  static std::string host_of(const LoopbackServer& server) {
    const std::string url = server.url("");
    return url.substr(url.find("//") + 2);
  }

  ScopedVariable no_proxy_{"no_proxy", "127.0.0.1,localhost"};
  ScopedVariable online_{"KINDLING_OFFLINE", std::nullopt};
};

/// "hello", packed by gzip.
std::string gzip_hello() {
  constexpr unsigned char bytes[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xcb, 0x48,
                                     0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00,
                                     0x00};
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

class Fetching : public FetchTest {};
class FetchGuard : public FetchTest {};

TEST_F(Fetching, BringsTheBodyAndNamesKindlingAsTheClient) {
  LoopbackServer server([](const Request&, int) { return Reply{.body = "hello"}; });
  EXPECT_EQ(text_of(server.url("/a?q=1")), "hello");
  EXPECT_EQ(server.requests().at(0).path, "/a?q=1");
  EXPECT_THAT(server.requests().at(0).header("user-agent"), ::testing::StartsWith("kindling/0."));
}

TEST_F(Fetching, UnpacksCompressedBodies) {
  LoopbackServer server([](const Request& request, int) {
    EXPECT_THAT(request.header("accept-encoding"), HasSubstr("gzip"));
    return Reply{.body = gzip_hello(), .headers = {{"Content-Encoding", "gzip"}}};
  });
  EXPECT_EQ(text_of(server.url("/")), "hello");
}

TEST_F(Fetching, TriesAgainWhenTheServerIsBusyAndWaitsAsAsked) {
  LoopbackServer server([](const Request&, int number) {
    if (number == 0) return Reply{.status = 429, .headers = {{"Retry-After", "1"}}};
    if (number == 1) return Reply{.status = 500, .body = "oops"};
    return Reply{.body = "hello"};
  });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(text_of(server.url("/")), "hello");
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST_F(Fetching, DoesNotWaitForHours) {
  LoopbackServer server([](const Request&, int) {
    return Reply{.status = 429, .headers = {{"Retry-After", "86400"}}};
  });
  const Error error = error_of(server.url("/"));
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_EQ(error.hint(), "the server asks to try again in 24:00:00");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Fetching, GivesUpAfterTheRetries) {
  LoopbackServer server([](const Request&, int) { return Reply{.status = 503}; });
  const Error error = error_of(server.url("/"));
  EXPECT_EQ(error.code(), ErrorCode::network);
  EXPECT_THAT(error.message(), HasSubstr("the server answers HTTP 503"));
  EXPECT_EQ(error.fact("attempts"), "3");
}

TEST_F(Fetching, TakesABrokenAnswerFromTheStart) {
  LoopbackServer server([](const Request&, int number) {
    Reply reply{.body = "hello"};
    if (number == 0) reply.cut_after = 2;
    return reply;
  });
  EXPECT_EQ(text_of(server.url("/")), "hello");
}

TEST_F(Fetching, EndsAttemptsThatStallOrTrickle) {
  LoopbackServer server([](const Request&, int) { return Reply{.body = "hello", .cut_after = 2, .stalls = true}; });
  auto once = quick();
  once.retries = 0;
  EXPECT_THAT(error_of(server.url("/"), once).message(), HasSubstr("nothing arrived for 0.5 s"));
  once.timeout = std::chrono::milliseconds(300);
  once.stall_timeout = std::chrono::milliseconds(5000);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(error_of(server.url("/"), once).code(), ErrorCode::network);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
}

TEST_F(Fetching, RefusesBodiesThatAreLargerThanAllowedAnnouncedOrNot) {
  const std::string block(10'000, 'x');
  LoopbackServer announced([&](const Request&, int) {
    return Reply{.body = block, .claimed_length = std::size_t{1} << 40};
  });
  EXPECT_EQ(error_of(announced.url("/")).code(), ErrorCode::limit);
  LoopbackServer endless([&](const Request&, int) {
    return Reply{.body = block, .states_length = false, .repeat = 1'000'000};
  });
  const Error error = error_of(endless.url("/"));
  EXPECT_EQ(error.code(), ErrorCode::limit);
  EXPECT_EQ(error.fact("allowed"), "100000");
  EXPECT_EQ(endless.requests().size(), 1u);
}

TEST_F(Fetching, CountsUnpackedBytesAgainstTheLimit) {
  auto tiny = quick();
  tiny.max_bytes = 4;
  LoopbackServer server([](const Request&, int) {
    return Reply{.body = gzip_hello(), .headers = {{"Content-Encoding", "gzip"}}, .states_length = false};
  });
  EXPECT_EQ(error_of(server.url("/"), tiny).code(), ErrorCode::limit);
}

TEST_F(Fetching, RefusesOtherSchemesAlsoBehindARedirect) {
  EXPECT_EQ(error_of("file:///etc/hostname").code(), ErrorCode::unsupported);
  EXPECT_EQ(error_of("ftp://127.0.0.1/x").code(), ErrorCode::unsupported);
  EXPECT_EQ(error_of("no address").code(), ErrorCode::usage);
  for (const char* location : {"file:///etc/hostname", "gopher://127.0.0.1/x"}) {
    LoopbackServer server([&](const Request&, int) {
      return Reply{.status = 302, .headers = {{"Location", location}}};
    });
    EXPECT_EQ(error_of(server.url("/")).code(), ErrorCode::unsupported) << location;
  }
}

TEST_F(Fetching, FollowsOnlySoManyRedirects) {
  LoopbackServer server([](const Request&, int) {
    return Reply{.status = 302, .headers = {{"Location", "/round"}}};
  });
  EXPECT_THAT(error_of(server.url("/")).message(), HasSubstr("redirects more than 8 times"));
  EXPECT_EQ(server.requests().size(), 9u);
}

TEST_F(Fetching, IsForbiddenOffline) {
  const ScopedVariable offline("KINDLING_OFFLINE", "1");
  LoopbackServer server([](const Request&, int) { return Reply{.body = "hello"}; });
  EXPECT_EQ(error_of(server.url("/")).code(), ErrorCode::offline);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Fetching, EndsSoonOnAnInterrupt) {
  LoopbackServer server([](const Request&, int) {
    request_interrupt();
    return Reply{.body = "hello", .cut_after = 1, .stalls = true};
  });
  auto patient = quick();
  patient.stall_timeout = std::chrono::milliseconds(20'000);
  patient.timeout = std::chrono::milliseconds(20'000);
  const auto began = std::chrono::steady_clock::now();
  const Error error = error_of(server.url("/"), patient);
  clear_interrupt();
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
}

TEST_F(Fetching, EscapesTermsOfAQuery) {
  EXPECT_EQ(url_escaped("grizzly bear & co/50%"), "grizzly%20bear%20%26%20co%2F50%25");
  EXPECT_EQ(url_escaped(""), "");
}

TEST_F(FetchGuard, RefusesThisMachineWhateverItIsCalled) {
  LoopbackServer server([](const Request&, int) { return Reply{.body = "secret"}; });
  auto guarded = quick();
  guarded.allow_private = false;
  const std::string port = host_of(server).substr(host_of(server).find(':'));
  for (const std::string host :
       {"127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"}) {
    const Error error = error_of("http://" + host + port + "/", guarded);
    EXPECT_EQ(error.code(), ErrorCode::unsupported) << host << ": " << error.what();
    EXPECT_THAT(error.message(), HasSubstr("leads into a private network or this machine"));
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(FetchGuard, RefusesARedirectIntoThePrivateNetwork) {
  LoopbackServer secret([](const Request&, int) { return Reply{.body = "secret"}; });
  LoopbackServer outside([&](const Request&, int) {
    return Reply{.status = 302, .headers = {{"Location", secret.url("/")}}};
  });
  auto guarded = quick();
  guarded.allow_private = false;
  guarded.allow_hosts = {host_of(outside)};
  const Error error = error_of(outside.url("/"), guarded);
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_EQ(error.fact("host"), "127.0.0.1");
  EXPECT_EQ(outside.requests().size(), 1u);
  EXPECT_TRUE(secret.requests().empty());
  guarded.allow_hosts.push_back("127.0.0.1");
  EXPECT_EQ(text_of(outside.url("/"), guarded), "secret");
}

TEST_F(FetchGuard, LooksThroughAProxyAtTheAddressItself) {
  LoopbackServer proxy([](const Request& request, int) { return Reply{.body = "of " + request.path}; });
  const ScopedVariable proxied("http_proxy", proxy.url(""));
  const ScopedVariable everywhere("no_proxy", "");
  auto guarded = quick();
  guarded.allow_private = false;
  EXPECT_EQ(text_of("http://pictures.example.org/a.jpg", guarded), "of http://pictures.example.org/a.jpg");
  for (const char* url : {"http://10.0.0.1/", "http://169.254.169.254/latest", "http://printer/", "http://nas.local/",
                          "http://[fd00::1]/", "http://metadata.internal/"}) {
    EXPECT_EQ(error_of(url, guarded).code(), ErrorCode::unsupported) << url;
  }
  EXPECT_EQ(proxy.requests().size(), 1u);
}

}  // namespace
}  // namespace kindling
