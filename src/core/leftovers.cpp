#include "core/leftovers.hpp"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <optional>
#include <random>
#include <string_view>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace kindling::detail {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view beginning = ".kindling-", ending = ".tmp";

/// The process that a temporary's name names.
std::optional<pid_t> owner_of(std::string_view name) {
  if (!name.starts_with(beginning) || !name.ends_with(ending)) return std::nullopt;
  pid_t owner = 0;
  const char* const from = name.data() + beginning.size();
  const auto read = std::from_chars(from, name.data() + name.size(), owner);
  if (read.ec != std::errc() || *read.ptr != '-' || owner <= 0) return std::nullopt;
  return owner;
}

bool runs(pid_t process) {
  return ::kill(process, 0) == 0 || errno != ESRCH;
}

}  // namespace

fs::path temporary_name(const fs::path& folder) {
  static std::atomic<std::uint64_t> count{0};
  return folder / fmt::format("{}{}-{}-{:08x}{}", beginning, ::getpid(), count++, std::random_device{}(), ending);
}

void remove_leftovers(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder, none)) {
    const auto owner = owner_of(entry.path().filename().string());
    if (owner && !runs(*owner)) fs::remove(entry.path(), none);
  }
}

}  // namespace kindling::detail
