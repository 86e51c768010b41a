// Any bytes as an archive: files below the target, or an Error and nothing at all.
#include <kindling/core/archive.hpp>
#include <kindling/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace kindling;

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "archive-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

/// Every link below the target must end below the target, or nowhere.
void check_links(const fs::path& target) {
  const fs::path real = fs::canonical(target);
  for (const auto& entry : fs::recursive_directory_iterator(target)) {
    if (!entry.is_symlink()) continue;
    std::error_code unresolved;
    const fs::path end = fs::weakly_canonical(entry.path(), unresolved);
    if (!unresolved && !end.string().starts_with(real.string())) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const fs::path archive = folder.path / "archive";
  const fs::path target = folder.path / "target";
  write_file(archive, std::span(data, size));
  try {
    extract_archive(archive, target, {.max_bytes = 1 << 20, .max_files = 100});
    check_links(target);
  } catch (const Error&) {
    if (fs::exists(target)) __builtin_trap();
  }
  std::error_code ignored;
  fs::remove_all(target, ignored);
  if (std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) != 1) __builtin_trap();
  return 0;
}
