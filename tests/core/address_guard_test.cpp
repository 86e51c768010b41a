#include "core/address_guard.hpp"

#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace kindling::detail {
namespace {

bool is_public(const std::string& text) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1)
    return is_public_address(reinterpret_cast<const sockaddr*>(&four));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr), 1) << text;
  return is_public_address(reinterpret_cast<const sockaddr*>(&six));
}

TEST(PublicAddress, IsNoneOfTheReservedBlocksOfIpv4) {
  for (const char* address :
       {"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.0.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"})
    EXPECT_FALSE(is_public(address)) << address;
  for (const char* address : {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
                              "126.255.255.255", "128.0.0.1", "169.253.0.1", "172.15.0.1", "172.32.0.1", "192.167.0.1",
                              "192.169.0.1", "198.17.0.1", "198.20.0.1", "223.255.255.255"})
    EXPECT_TRUE(is_public(address)) << address;
}

TEST(PublicAddress, IsGlobalUnicastOfIpv6) {
  for (const char* address : {"::", "::1", "fe80::1", "febf::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1",
                              "2001:db8::1", "2001:0:1::1", "100::1", "4000::1"})
    EXPECT_FALSE(is_public(address)) << address;
  for (const char* address : {"2606:4700::1111", "2a00:1450::1", "2001:4860::8888", "3fff::1"})
    EXPECT_TRUE(is_public(address)) << address;
}

TEST(PublicAddress, LooksAtTheIpv4AddressInsideOfIpv6) {
  for (const char* address : {"::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254", "::10.0.0.1",
                              "64:ff9b::192.168.0.1", "2002:7f00:1::1", "2002:c0a8:1::1"})
    EXPECT_FALSE(is_public(address)) << address;
  for (const char* address : {"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"})
    EXPECT_TRUE(is_public(address)) << address;
}

TEST(PublicAddress, IsNoSocketOfAnotherFamily) {
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_FALSE(is_public_address(&other));
}

}  // namespace
}  // namespace kindling::detail
