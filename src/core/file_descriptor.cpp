#include "core/file_descriptor.hpp"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kindling::detail {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void FileDescriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

FileDescriptor open_for_reading(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) throw system_error(errno, "open the file", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_error(errno, "examine the file", path);
  if (S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::io, "a file is wanted, but this is a folder", {{"path", path}},
                "name a file in it");
  }
  return file;
}

std::uint64_t stated_size(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_error(errno, "examine the file", path);
  return S_ISREG(status.st_mode) && status.st_size > 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::size_t read_some(const FileDescriptor& file, void* data, std::size_t size,
                      const std::filesystem::path& path) {
  auto* out = static_cast<std::uint8_t*>(data);
  std::size_t got = 0;
  while (got < size) {
    const ssize_t count = ::read(file.get(), out + got, size - got);
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error(errno, "read the file", path);
    got += static_cast<std::size_t>(count);
  }
  return got;
}

void read_blocks(const FileDescriptor& file, const std::filesystem::path& path,
                 const std::function<void(std::span<const std::uint8_t>)>& use) {
  std::vector<std::uint8_t> block(std::size_t{1} << 18);
  for (;;) {
    const std::size_t got = read_some(file, block.data(), block.size(), path);
    if (got > 0) use(std::span<const std::uint8_t>(block).first(got));
    if (got < block.size()) return;
  }
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  return folder.empty() ? std::filesystem::path(".") : folder;
}

Error write_error(int errno_value, const std::filesystem::path& path) {
  const std::filesystem::path folder = folder_of(path);
  std::error_code ignored;
  if (errno_value == ENOENT && !std::filesystem::exists(folder, ignored)) {
    return Error(ErrorCode::not_found, "cannot write the file: its folder does not exist",
                 {{"path", path}, {"folder", folder}}, "create the folder first");
  }
  return system_error(errno_value, "write the file", path);
}

void write_all(int fd, const void* data, std::size_t size, const std::filesystem::path& path) {
  const auto* in = static_cast<const std::uint8_t*>(data);
  while (size > 0) {
    const ssize_t count = ::write(fd, in, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw write_error(errno, path);
    in += count;
    size -= static_cast<std::size_t>(count);
  }
}

void sync_to_disk(int fd, const std::filesystem::path& path) {
  // EINVAL and ENOTSUP: a device or a file system that has nothing to force out.
  if (::fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
    throw write_error(errno, path);
}

void sync_folder(const std::filesystem::path& folder) {
  // The file has its name by now, and some file systems refuse to sync a folder: a failure here is not one of
  // the caller's.
  const FileDescriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.is_open()) (void)::fsync(opened.get());
}

}  // namespace kindling::detail
