#pragma once
/// The one exception type of the library: what went wrong, on what, and what to try next.
///
///   throw Error(ErrorCode::bad_image, "the JPEG ends early", {{"path", path}}, "download the file again");
///
/// A caller that knows more adds it while the error travels up:
///
///   catch (Error& e) { throw e.with("item", 7); }

#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kindling {

/// What kind of failure it is. Exit codes and HTTP statuses are made from this in one table (`exit_code`).
enum class ErrorCode {
  usage,        ///< a wrong argument, option or call
  not_found,    ///< a file, folder, name or key that is not there
  bad_data,     ///< a data set that cannot be used as it is
  bad_image,    ///< an image that cannot be decoded
  bad_weights,  ///< a weights file that is damaged or does not fit the model
  bad_model,    ///< an exported model that is damaged or of an unknown version
  io,           ///< reading or writing failed
  no_space,     ///< the disk is full
  network,      ///< a download failed
  checksum,     ///< bytes arrived, but not the expected ones
  offline,      ///< the network is needed and KINDLING_OFFLINE forbids it
  limit,        ///< an input is larger than the allowed limit
  unsupported,  ///< known, and not supported here
  interrupted,  ///< stopped on request
  internal,     ///< a defect of kindling
};

/// Stable name of a code in JSON, e.g. "bad_image".
std::string_view name_of(ErrorCode code);

/// Process exit code: 0 done, 1 failed, 2 wrong usage, 3 bad data, 130 interrupted.
int exit_code(ErrorCode code);

/// One fact of an error: key ("path", "expected", "got" …) and value.
struct Fact {
  std::string key;
  std::string value;
  Fact(std::string k, std::string v) : key(std::move(k)), value(std::move(v)) {}
  Fact(std::string k, const char* v) : key(std::move(k)), value(v) {}
  Fact(std::string k, const std::filesystem::path& v) : key(std::move(k)), value(v.string()) {}
  template <class Int>
    requires std::is_integral_v<Int>
  Fact(std::string k, Int v) : key(std::move(k)), value(std::to_string(v)) {}
};

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::vector<Fact> facts = {}, std::string hint = {});

  ErrorCode code() const { return code_; }
  /// One sentence without facts and hint.
  const std::string& message() const { return message_; }
  const std::vector<Fact>& facts() const { return facts_; }
  /// The next thing to try; may be empty.
  const std::string& hint() const { return hint_; }
  /// Value of a fact, or an empty string.
  std::string fact(std::string_view key) const;

  /// Adds a fact unless one of that key is there already (the innermost place knows best).
  Error& with(Fact fact);
  template <class Value>
  Error& with(std::string key, Value&& value) {
    return with(Fact(std::move(key), std::forward<Value>(value)));
  }
  /// Sets the hint unless there is one.
  Error& with_hint(std::string hint);

  /// `message (key: value, …). hint` on one line; control characters appear as escapes.
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  void compose();
  ErrorCode code_;
  std::string message_;
  std::vector<Fact> facts_;
  std::string hint_;
  std::string what_;
};

/// Error of a failed system call: `no_space` (full disk or quota), `not_found` (missing file), else `io`.
Error system_error(int errno_value, const std::string& doing, const std::filesystem::path& path);

/// The closest of `candidates` to `word`, as " (did you mean 'x'?)", or an empty string when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace kindling
