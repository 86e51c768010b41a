#include "core/leftovers.hpp"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace kindling::detail {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view beginning = ".kindling-", ending = ".tmp";

/// Of this process: in a container the next program often has the same number.
std::string own_beginning() {
  static const std::uint32_t token = std::random_device{}();
  return fmt::format("{}{}-{:08x}-", beginning, ::getpid(), token);
}

/// The process that a temporary's name names.
std::optional<pid_t> owner_of(std::string_view name) {
  if (!name.starts_with(beginning) || !name.ends_with(ending)) return std::nullopt;
  pid_t owner = 0;
  const auto read = std::from_chars(name.data() + beginning.size(), name.data() + name.size(), owner);
  if (read.ec != std::errc() || *read.ptr != '-' || owner <= 0) return std::nullopt;
  return owner;
}

bool runs(pid_t process) {
  return process != ::getpid() && (::kill(process, 0) == 0 || errno != ESRCH);
}

bool is_leftover(const std::string& name) {
  const auto owner = owner_of(name);
  return owner && !runs(*owner) && !name.starts_with(own_beginning());
}

}  // namespace

fs::path temporary_name(const fs::path& folder) {
  static std::atomic<std::uint64_t> count{0};
  return folder / fmt::format("{}{}{}", own_beginning(), count++, ending);
}

void remove_leftovers(const fs::path& folder) {
  std::error_code none;
  for (fs::directory_iterator entry(folder.empty() ? "." : folder, none), end; !none && entry != end; entry.increment(none)) {
    std::error_code ignored;
    if (is_leftover(entry->path().filename().string())) fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace kindling::detail
