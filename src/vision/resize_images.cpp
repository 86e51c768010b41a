#include <kindling/core/interrupt.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/vision/resize_images.hpp>

#include "vision/shrink.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

namespace kindling {

namespace {

enum class Fate { resized, copied, kept };

class FolderResizer {
 public:
  FolderResizer(const fs::path& path, const ResizeImagesOptions& options)
      : path_(path), options_(options), in_place_(is_same_folder(path, options.dest)) {}

  ResizeReport run() {
    const Paths files = get_image_files(path_, {.recurse = options_.recurse});
    std::vector<std::optional<Error>> errors(files.size());
    std::vector<Fate> fates(files.size(), Fate::copied);
    ThreadPool(options_.threads).for_each(files.size(), [&](std::size_t i) {
      if (interrupt_requested()) throw Error(ErrorCode::interrupted, "resizing the photos was stopped");
      try {
        fates[i] = take(files[i]);
      } catch (const Error& e) {
        if (!is_the_files_fault(e)) throw;
        errors[i] = e;
      }
      tell(files.size());
    });
    options_.listener->progress({.what = progress_name, .finished = true});
    return report(files, errors, fates);
  }

 private:
  static constexpr const char* progress_name = "Resizing photos";

  static bool is_same_folder(const fs::path& a, const fs::path& b) {
    std::error_code ignored;
    return fs::equivalent(a, b, ignored);
  }

  static bool is_the_files_fault(const Error& e) {
    return e.code() == ErrorCode::bad_image || e.code() == ErrorCode::unsupported || e.code() == ErrorCode::limit;
  }

  Fate take(const fs::path& file) const {
    const Bytes bytes = read_file(file);
    const ImageInfo info = image_info(bytes);
    const bool too_large = std::max(info.size.width, info.size.height) > options_.max_size;
    const fs::path target = in_place_ ? file : options_.dest / file.lexically_relative(path_);
    if (!too_large && !(options_.to_rgb && info.channels != 3)) {
      // Every byte is looked at all the same: a broken file is not carried on.
      decode_image(bytes, {.reduction = [](Size) { return 8; }});
      if (!in_place_) write(target, bytes);
      return Fate::copied;
    }
    const bool same_format = detail::written_format(info.format) == info.format;
    if (in_place_ && !same_format) return Fate::kept;
    const auto encoded = detail::shrink(bytes, options_.max_size, {});
    write(same_format ? target : fs::path(target) += detail::extension_of(encoded.format), encoded.bytes);
    return Fate::resized;
  }

  static void write(const fs::path& target, const Bytes& bytes) {
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error) throw system_error(error.value(), "create the folder", target.parent_path());
    write_file(target, std::span<const std::uint8_t>(bytes));
  }

  void tell(std::size_t total) {
    const std::lock_guard lock(mutex_);
    options_.listener->progress(
        {.what = progress_name, .done = ++done_, .total = static_cast<std::int64_t>(total)});
  }

  static ResizeReport report(const Paths& files, const std::vector<std::optional<Error>>& errors,
                             const std::vector<Fate>& fates) {
    ResizeReport report;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (errors[i]) {
        report.unreadable.push_back({files[i], *errors[i]});
      } else if (fates[i] == Fate::kept) {
        report.kept.push_back(files[i]);
      } else {
        ++(fates[i] == Fate::resized ? report.resized : report.copied);
      }
    }
    return report;
  }

  const fs::path& path_;
  const ResizeImagesOptions& options_;
  const bool in_place_;
  std::mutex mutex_;
  std::int64_t done_ = 0;
};

}  // namespace

ResizeReport resize_images(const fs::path& path, const ResizeImagesOptions& options) {
  if (options.max_size < 1) {
    throw Error(ErrorCode::usage, "resizing needs the length of the longer side", {{"max_size", options.max_size}},
                "e.g. {.max_size = 400, .dest = \"small\"}");
  }
  if (options.dest.empty()) {
    throw Error(ErrorCode::usage, "resizing needs a folder for the small photos", {{"path", path}},
                "name it as dest; to replace the photos themselves, name their own folder");
  }
  return FolderResizer(path, options).run();
}

}  // namespace kindling
