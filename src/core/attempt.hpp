#pragma once
/// How one attempt to get something from the web ended.

#include <chrono>
#include <string>

namespace kindling::detail {

/// What is wrong with the bytes that came.
struct Mismatch {
  std::string expected;
  std::string got;
};

enum class Outcome {
  complete,     ///< everything the server has is here
  wrong_bytes,  ///< the server announces another file
  broken,       ///< worth another attempt
  refused,      ///< the server's last word
};

struct Attempt {
  Outcome outcome = Outcome::complete;
  std::string reason;  ///< for a person, of `broken` and `refused`
  std::string hint;
  std::chrono::seconds wait{0};  ///< that the server asks for before the next attempt
  Mismatch mismatch{};           ///< of `wrong_bytes`
};

}  // namespace kindling::detail
