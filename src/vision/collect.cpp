#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/vision/codec.hpp>
#include <kindling/vision/collect.hpp>

#include "core/leftovers.hpp"
#include "core/portable_name.hpp"
#include "vision/collect_sources.hpp"
#include "vision/shrink.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <semaphore>
#include <set>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr int most_parallel = 64;
constexpr std::size_t longest_slug = 40;
constexpr std::size_t address_digits = 10;

std::string address_digest(const std::string& url) {
  return sha256_of(std::span(reinterpret_cast<const std::uint8_t*>(url.data()), url.size()));
}

/// "brown-bear-0f3a…": it tells the title, and is one address' own.
std::string stem_of(const ImageResult& from, std::size_t digits) {
  std::string word = detail::slug(from.title, longest_slug);
  return word + (word.empty() ? "" : "-") + address_digest(from.url).substr(0, digits);
}

/// Of a failure that is one picture's own; nothing for what must end the whole.
std::optional<CollectStatus> status_of(const Error& e) {
  switch (e.code()) {
    case ErrorCode::network:
      return CollectStatus::failed;
    case ErrorCode::bad_image:
      return CollectStatus::unreadable;
    case ErrorCode::limit:
    case ErrorCode::unsupported:
    case ErrorCode::usage:
      return CollectStatus::refused;
    default:
      return std::nullopt;
  }
}

class Collector {
 public:
  Collector(const fs::path& folder, const std::vector<ImageResult>& results, const DownloadImagesOptions& options)
      : options_(options),
        folder_(folder),
        results_(results),
        sources_(options.sources.empty() ? folder / "sources.csv" : options.sources),
        below_(folder.lexically_normal().lexically_relative(sources_.folder().lexically_normal())),
        images_(results.size()),
        decoders_(hardware_threads()) {
    if (sources_.folder().empty()) below_ = folder.lexically_normal();
    if (below_.empty() || *below_.begin() == "..") {
      throw Error(ErrorCode::usage, "the list of sources must lie in the folder of the photos, or above it",
                  {{"folder", folder}, {"sources", options.sources}});
    }
    for (const fs::path& written : {folder, sources_.folder()}) detail::remove_leftovers(written);
  }

  CollectReport run() {
    try {
      ThreadPool(options_.parallel).for_each(results_.size(), [this](std::size_t i) {
        if (interrupt_requested()) throw Error(ErrorCode::interrupted, "collecting was stopped");
        images_[i] = take(i);
        tell(images_[i]);
        sources_.save(false);
      });
    } catch (...) {
      finish();
      throw;
    }
    finish();
    return {std::move(images_)};
  }

 private:
  void finish() {
    sources_.save(true);
    options_.listener->progress({.what = what(), .finished = true});
  }

  std::string what() const { return "Downloading " + folder_.filename().string(); }

  CollectedImage take(std::size_t i) {
    if (auto settled = settled_before(results_[i])) {
      sources_.put(*settled, i);
      return *settled;
    }
    CollectedImage image{.from = results_[i], .file = {}, .sha256 = {}, .reason = {}};
    const auto known = sources_.find(image.from.url);
    if (known && known->status == CollectStatus::ok) return of_another_folder(image, *known);
    try {
      fetch_into(image);
    } catch (const Error& e) {
      const auto status = status_of(e);
      if (!status) throw;
      image.status = *status;
      image.reason = e.message();
      image.file.clear();
    }
    sources_.put(image, i);
    return image;
  }

  /// What an earlier run found out for good.
  std::optional<CollectedImage> settled_before(const ImageResult& from) {
    auto known = sources_.find(from.url);
    if (!known || !known->was_there) return std::nullopt;
    switch (known->status) {
      case CollectStatus::duplicate:
      case CollectStatus::unreadable:
        return known;
      case CollectStatus::failed:
      case CollectStatus::refused:
        return std::nullopt;
      case CollectStatus::ok:
        if (known->file.parent_path() != wanted_folder()) return std::nullopt;
        if (is_there(sources_.folder() / known->file)) return known;
        break;
      case CollectStatus::removed:
        break;
    }
    if (options_.again || is_there(sources_.folder() / known->file)) return back_again(*known);
    known->status = CollectStatus::removed;
    known->reason = "it was taken out of the folder";
    return known;
  }

  /// A picture that was removed and is wanted again, or was put back.
  std::optional<CollectedImage> back_again(CollectedImage known) {
    if (!is_there(sources_.folder() / known.file)) {
      sources_.release(known.sha256);
      known.status = CollectStatus::failed;
      sources_.put(known, 0);
      return std::nullopt;
    }
    known.status = CollectStatus::ok;
    known.reason.clear();
    return known;
  }

  static CollectedImage of_another_folder(CollectedImage image, const CollectedImage& known) {
    image.status = CollectStatus::duplicate;
    image.reason = "the same address as " + known.file.generic_string();
    image.was_there = true;
    return image;
  }

  static bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
  }

  fs::path wanted_folder() const { return below_ == "." ? fs::path() : below_; }

  void fetch_into(CollectedImage& image) {
    const Bytes bytes = fetch(image.from.url, fetch_options());
    image.sha256 = sha256_of(std::span<const std::uint8_t>(bytes));
    const auto checked = check_and_encode(bytes);
    const fs::path name = name_for(image.from, checked.format);
    const fs::path file = wanted_folder() / name;
    if (const auto other = sources_.claim(image.sha256, file)) {
      image.status = CollectStatus::duplicate;
      image.reason = "the same bytes as " + other->generic_string();
      return;
    }
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) throw system_error(error.value(), "create the folder", folder_);
    const Bytes& kept = checked.bytes.empty() ? bytes : checked.bytes;
    write_file(folder_ / name, std::span<const std::uint8_t>(kept));
    image.file = file;
    image.status = CollectStatus::ok;
  }

  FetchOptions fetch_options() const {
    return {.max_bytes = options_.max_bytes,
            .retries = options_.retries,
            .backoff = options_.backoff,
            .connect_timeout = options_.connect_timeout,
            .stall_timeout = options_.stall_timeout,
            .timeout = options_.timeout,
            .allow_private = options_.allow_private,
            .allow_hosts = options_.allow_hosts};
  }

  /// Throws unless the bytes are a picture. `bytes` stays empty where they are kept as they came.
  detail::Encoded check_and_encode(const Bytes& bytes) {
    const ImageInfo info = image_info(bytes);
    const int most = options_.max_size;
    const bool shrinks = most > 0 && std::max(info.size.width, info.size.height) > most;
    // Pixels need memory: only as many pictures as there are cores are open at a time.
    decoders_.acquire();
    const struct Release {
      std::counting_semaphore<>& semaphore;
      ~Release() { semaphore.release(); }
    } release{decoders_};
    DecodeOptions decode{.max_pixels = options_.max_pixels};
    if (!shrinks) {
      // Every byte is looked at, but pixels are made at an eighth.
      decode.reduction = [](Size) { return 8; };
      decode_image(bytes, decode);
      return {.bytes = {}, .format = info.format};
    }
    decode.reduction = [most](Size size) {
      int by = 1;
      while (by < 8 && std::max(size.width, size.height) / (2 * by) >= 2 * most) by *= 2;
      return by;
    };
    return detail::shrink(bytes, most, decode);
  }

  fs::path name_for(const ImageResult& from, ImageFormat format) const {
    for (std::size_t digits = address_digits;; digits *= 2) {
      const fs::path name = stem_of(from, digits) + std::string(detail::extension_of(format));
      if (digits > address_digits || !sources_.is_taken(wanted_folder() / name, from.url)) return name;
    }
  }

  void tell(const CollectedImage& image) {
    const std::lock_guard lock(mutex_);
    ++done_;
    good_ += image.status == CollectStatus::ok;
    options_.listener->event({{"event", "photo"},
                              {"url", image.from.url},
                              {"file", image.file.generic_string()},
                              {"status", name_of(image.status)},
                              {"reason", image.reason},
                              {"licence", image.from.licence}});
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began_;
    options_.listener->progress({.what = what(),
                                 .done = done_,
                                 .total = static_cast<std::int64_t>(results_.size()),
                                 .note = fmt::format("{} good", good_),
                                 .elapsed_s = elapsed.count()});
  }

  const DownloadImagesOptions& options_;
  const fs::path& folder_;
  const std::vector<ImageResult>& results_;
  detail::CollectSources sources_;
  fs::path below_;  ///< the folder, from that of the CSV
  std::vector<CollectedImage> images_;
  std::counting_semaphore<> decoders_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::int64_t done_ = 0;
  std::int64_t good_ = 0;
};

/// Each address once: two threads must not fetch one file.
std::vector<ImageResult> without_repeats(const std::vector<ImageResult>& results) {
  std::set<std::string> seen;
  std::vector<ImageResult> out;
  for (const ImageResult& result : results) {
    if (seen.insert(result.url).second) out.push_back(result);
  }
  return out;
}

}  // namespace

std::string_view name_of(CollectStatus status) {
  switch (status) {
    case CollectStatus::ok:
      return "ok";
    case CollectStatus::duplicate:
      return "duplicate";
    case CollectStatus::unreadable:
      return "unreadable";
    case CollectStatus::refused:
      return "refused";
    case CollectStatus::failed:
      return "failed";
    case CollectStatus::removed:
      return "removed";
  }
  return "";
}

std::size_t CollectReport::count(CollectStatus status) const {
  return static_cast<std::size_t>(std::ranges::count(images, status, &CollectedImage::status));
}

CollectReport download_images(const fs::path& folder, const std::vector<ImageResult>& results,
                              const DownloadImagesOptions& options) {
  if (options.parallel < 1 || options.parallel > most_parallel) {
    throw Error(ErrorCode::usage, "so many downloads at a time are not possible", {{"parallel", options.parallel}},
                fmt::format("give 1 to {}", most_parallel));
  }
  const auto wanted = without_repeats(results);
  return Collector(folder, wanted, options).run();
}

CollectReport download_images(const fs::path& folder, const std::vector<std::string>& urls,
                              const DownloadImagesOptions& options) {
  std::vector<ImageResult> results;
  for (const std::string& url : urls) results.push_back({.url = url});
  return download_images(folder, results, options);
}

}  // namespace kindling
