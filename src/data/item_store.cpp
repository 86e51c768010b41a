#include "data/item_store.hpp"

#include "data/value_bytes.hpp"

#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace kindling {

namespace {

constexpr char magic[8] = {'k', 'i', 'n', 'd', 'l', 'i', 't', '1'};
/// A record that claims to be longer is damaged.
constexpr std::uint32_t max_length = 1u << 30;

/// Before each record's contents, as it lies in the file (little-endian).
struct RecordHead {
  StoreKey key;
  std::uint32_t length;
  std::uint32_t crc;  // of the contents
};
static_assert(sizeof(RecordHead) == 40);

std::uint32_t crc_of(const Bytes& bytes) {
  return static_cast<std::uint32_t>(::crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

bool read_at(int fd, void* to, std::size_t n, std::uint64_t offset) {
  auto* bytes = static_cast<char*>(to);
  while (n > 0) {
    const auto got = ::pread(fd, bytes, n, static_cast<off_t>(offset));
    if (got <= 0) return false;
    bytes += got;
    offset += static_cast<std::uint64_t>(got);
    n -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_at(int fd, const void* from, std::size_t n, std::uint64_t offset) {
  auto* bytes = static_cast<const char*>(from);
  while (n > 0) {
    const auto put = ::pwrite(fd, bytes, n, static_cast<off_t>(offset));
    if (put <= 0) return false;
    bytes += put;
    offset += static_cast<std::uint64_t>(put);
    n -= static_cast<std::size_t>(put);
  }
  return true;
}

}  // namespace

FileStamps stamps_of(const Values& raw) {
  FileStamps stamps;
  for (const Value& member : raw) {
    auto* path = std::get_if<fs::path>(&member);
    if (!path) continue;
    struct ::stat s {};
    if (::stat(path->c_str(), &s) != 0) s = {};
    stamps.push_back({static_cast<std::uint64_t>(s.st_size),
                      static_cast<std::int64_t>(s.st_mtim.tv_sec) * 1'000'000'000 + s.st_mtim.tv_nsec});
  }
  return stamps;
}

std::optional<StoreKey> store_key(const Values& raw, const FileStamps& stamps) {
  Bytes content;
  for (const Value& member : raw) {
    if (!append_value(content, member)) return std::nullopt;
  }
  const auto* begin = reinterpret_cast<const std::uint8_t*>(stamps.data());
  content.insert(content.end(), begin, begin + stamps.size() * sizeof(FileStamp));
  const std::string hex = sha256_of(content);
  StoreKey key;
  for (std::size_t i = 0; i < key.size(); ++i)
    key[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return key;
}

ItemStore::ItemStore(fs::path path) : path_(std::move(path)) {
  std::error_code failed;
  fs::create_directories(path_.parent_path(), failed);
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) return;
  may_write_ = ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
  read_index();
  const auto space = fs::space(path_.parent_path(), failed);
  limit_ = failed ? 0 : end_ + space.available / 4;
}

ItemStore::~ItemStore() {
  if (fd_ >= 0) ::close(fd_);
}

void ItemStore::read_index() {
  char head[sizeof(magic)];
  if (!read_at(fd_, head, sizeof(head), 0) || std::memcmp(head, magic, sizeof(magic)) != 0) {
    if (may_write_) may_write_ = ::ftruncate(fd_, 0) == 0 && write_at(fd_, magic, sizeof(magic), 0);
    end_ = sizeof(magic);
    return;
  }
  struct ::stat s {};
  const auto size = ::fstat(fd_, &s) == 0 ? static_cast<std::uint64_t>(s.st_size) : 0;
  end_ = sizeof(magic);
  RecordHead record;
  while (end_ + sizeof(record) <= size && read_at(fd_, &record, sizeof(record), end_)) {
    const std::uint64_t next = end_ + sizeof(record) + record.length;
    if (record.length > max_length || next > size) break;
    places_[record.key] = {end_ + sizeof(record), record.length, record.crc};
    end_ = next;
  }
}

std::optional<Values> ItemStore::find(const StoreKey& key) {
  Place place;
  {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found == places_.end()) return std::nullopt;
    place = found->second;
  }
  Bytes contents(place.length);
  if (!read_at(fd_, contents.data(), contents.size(), place.offset)) return std::nullopt;
  // Once a process: the pages may be read again in each epoch.
  if (!place.checked && crc_of(contents) != place.crc) {
    std::lock_guard lock(mutex_);
    places_.erase(key);
    return std::nullopt;
  }
  auto values = read_values(contents);
  std::lock_guard lock(mutex_);
  if (auto found = places_.find(key); found != places_.end()) found->second.checked = true;
  return values;
}

void ItemStore::add(const StoreKey& key, const Values& values) {
  if (!may_write_) return;
  Bytes contents;
  for (const Value& value : values) {
    if (!append_value(contents, value)) return;
  }
  if (contents.size() > max_length) return;
  const RecordHead record{key, static_cast<std::uint32_t>(contents.size()), crc_of(contents)};
  std::lock_guard lock(mutex_);
  if (places_.count(key) != 0 || end_ + sizeof(record) + contents.size() > limit_) return;
  if (!write_at(fd_, contents.data(), contents.size(), end_ + sizeof(record)) ||
      !write_at(fd_, &record, sizeof(record), end_)) {
    may_write_ = false;
    [[maybe_unused]] const int cut = ::ftruncate(fd_, static_cast<off_t>(end_));
    return;
  }
  places_[key] = {end_ + sizeof(record), record.length, record.crc, true};
  end_ += sizeof(record) + contents.size();
}

}  // namespace kindling
