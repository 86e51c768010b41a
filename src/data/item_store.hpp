#pragma once
/// The file behind `Cache::disk`: records of items that were made, found by a key (docs/formats/item-cache.md).

#include <kindling/core/files.hpp>
#include <kindling/data/pipeline.hpp>

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace kindling {

/// Size and time of change of a file.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
using FileStamps = std::vector<FileStamp>;

/// Of each member that is a path; zeros for a file that is not there.
FileStamps stamps_of(const Values& raw);

using StoreKey = std::array<std::uint8_t, 32>;
/// Of the members' contents and their files' stamps; nothing for kinds that have no content to tell them by.
std::optional<StoreKey> store_key(const Values& raw, const FileStamps& stamps);

/// A file that only grows. What is damaged, or was cut off while it was written, is not found and made anew.
class ItemStore {
 public:
  /// Opens or makes the file. One process at a time adds to it; others read. Where it cannot be written (a full disk, no
  /// right), nothing is added: a cache does not stop the work.
  explicit ItemStore(fs::path path);
  ~ItemStore();
  ItemStore(const ItemStore&) = delete;
  ItemStore& operator=(const ItemStore&) = delete;

  std::optional<Values> find(const StoreKey& key);
  /// Values of kinds that cannot be written are left out.
  void add(const StoreKey& key, const Values& values);

 private:
  struct Place {
    std::uint64_t offset = 0;  // of the contents
    std::uint32_t length = 0;
    std::uint32_t crc = 0;
    bool checked = false;
  };
  void read_index();

  fs::path path_;
  int fd_ = -1;
  bool may_write_ = false;
  std::uint64_t end_ = 0;
  std::uint64_t limit_ = 0;
  std::map<StoreKey, Place> places_;
  std::mutex mutex_;
};

}  // namespace kindling
