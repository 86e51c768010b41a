#include "core/mirror.hpp"

#include <kindling/core/error.hpp>

#include "core/http_transfer.hpp"

#include <cstdlib>

namespace kindling::detail {

namespace {

Mirror folder_mirror(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return {.folder = folder, .address = {}};
  throw Error(ErrorCode::not_found, "KINDLING_MIRROR names a folder that does not exist", {{"path", folder}},
              "correct the variable, or unset it to download from the usual addresses");
}

}  // namespace

std::string Mirror::url_of(const std::string& file_name) const {
  return folder.empty() ? address + escaped_step(file_name) : (folder / file_name).string();
}

std::optional<Mirror> mirror_from_environment() {
  const char* value = std::getenv("KINDLING_MIRROR");
  const std::string mirror = value == nullptr ? "" : value;
  if (mirror.empty()) return std::nullopt;
  if (mirror.find("://") == std::string::npos) return folder_mirror(mirror);
  const Address address = parse_address(mirror);
  if (address.scheme == "file") return folder_mirror(address.path);
  if (address.scheme != "http" && address.scheme != "https") {
    throw Error(ErrorCode::usage, "KINDLING_MIRROR is neither a folder nor an http address",
                {{"got", mirror}});
  }
  return Mirror{.folder = {}, .address = mirror.ends_with('/') ? mirror : mirror + "/"};
}

}  // namespace kindling::detail
