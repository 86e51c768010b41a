#pragma once
/// `sources.csv`: where each picture of a collection came from, and the state that a later run goes on from.

#include <kindling/vision/collect.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace kindling::detail {

class CollectSources {
 public:
  /// Reads the file where it exists. Throws `bad_data` for one that is not ours, so that it is not written over.
  explicit CollectSources(fs::path csv);

  const fs::path& folder() const { return folder_; }

  /// What is known of an address.
  std::optional<CollectedImage> find(const std::string& url) const;
  /// Takes the digest for `file` (below `folder()`); the file that has it already where there is one.
  std::optional<fs::path> claim(const std::string& sha256, const fs::path& file);
  /// Gives a digest back.
  void release(const std::string& sha256);
  /// Whether another address has the file's name.
  bool is_taken(const fs::path& file, const std::string& url) const;
  /// Notes what became of a picture, in the place of what was known of its address; new ones are kept in the order of
  /// `order`.
  void put(const CollectedImage& image, std::size_t order);
  /// Writes the file, at most twice a second unless `now`, and only where something changed.
  void save(bool now);

 private:
  struct Row {
    CollectedImage image;
    std::vector<std::string> more;  ///< of columns that others added
  };
  void read(const std::string& text);
  std::string text() const;

  mutable std::mutex mutex_;
  fs::path csv_;
  fs::path folder_;
  std::map<std::size_t, Row> rows_;
  std::map<std::string, std::size_t> by_url_;
  std::map<std::string, fs::path> by_digest_;
  std::map<fs::path, std::string> by_file_;
  std::vector<std::string> more_columns_;
  std::size_t first_new_ = 0;
  bool changed_ = false;
  std::chrono::steady_clock::time_point saved_at_{};
};

}  // namespace kindling::detail
