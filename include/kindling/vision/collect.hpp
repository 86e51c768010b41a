#pragma once
/// Photos from the web for a data set of one's own, with their authors and licences.
///
///   for (const std::string kind : {"grizzly bear", "black bear"}) {
///     auto found = search_images(kind, {.max_images = 150});
///     download_images(fs::path("bears") / kind, found, {.max_size = 640});
///   }
///
/// Providers are open: any type with the members that `ImageProvider` names converts to one.

#include <kindling/core/fetch.hpp>
#include <kindling/core/files.hpp>
#include <kindling/core/listener.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kindling {

/// A picture that was found. Text is as the provider gives it, without markup; unknown parts are empty or 0.
struct ImageResult {
  std::string url;
  std::string thumbnail;
  std::string title;
  std::string author;
  std::string licence;      ///< "CC BY-SA 2.0"
  std::string licence_url;  ///< its text
  std::string source_page;  ///< where a person sees the picture with its licence
  int width = 0, height = 0;
};

/// What a provider is asked for: the next results of a term.
struct PageRequest {
  std::string term;
  std::string cursor;  ///< empty at first, then what the last page gave
  int wanted = 0;      ///< results in all; a hint for the size of pages
  FetchOptions fetch;  ///< for the provider's own requests
};

struct ImagePage {
  std::vector<ImageResult> results;
  std::string next;  ///< cursor of the next page; empty at the end
};

/// Where pictures are searched. Converts from any type with `std::string name() const` and
/// `ImagePage page(const PageRequest&) const`, which throws `network` and the like.
class ImageProvider {
 public:
  template <class P>
    requires(!std::same_as<std::remove_cvref_t<P>, ImageProvider>) && requires(const P& p, const PageRequest& r) {
      { p.name() } -> std::convertible_to<std::string>;
      { p.page(r) } -> std::convertible_to<ImagePage>;
    }
  ImageProvider(P provider) : model_(std::make_shared<Model<P>>(std::move(provider))) {}

  std::string name() const { return model_->name(); }
  ImagePage page(const PageRequest& request) const { return model_->page(request); }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual std::string name() const = 0;
    virtual ImagePage page(const PageRequest& request) const = 0;
  };
  template <class P>
  struct Model final : Concept {
    explicit Model(P p) : provider(std::move(p)) {}
    std::string name() const override { return provider.name(); }
    ImagePage page(const PageRequest& request) const override { return provider.page(request); }
    P provider;
  };
  std::shared_ptr<const Concept> model_;
};

struct ProviderOptions {
  std::string address = "";  ///< of a mirror or a test; empty: the provider's own
  int width = 1280;          ///< wikimedia: larger pictures are taken scaled to this width; 0: as they are
};

/// Openverse: openly licensed pictures of many collections (https://api.openverse.org). Needs no key; without one it
/// gives 20 results a page and about 240 in all, and takes 20 requests a minute.
ImageProvider openverse(const ProviderOptions& options = {});
/// Wikimedia Commons (https://commons.wikimedia.org).
ImageProvider wikimedia(const ProviderOptions& options = {});
/// A text file with an address a line ('#' begins a comment), or a CSV with a column `url` and, where known, `title`,
/// `author`, `licence`, `licence_url`, `source_page`; rows of another `term` are left out where it has that column.
/// Throws what `read_text` throws, and `bad_data`, when asked.
ImageProvider address_list(const fs::path& file);
/// "openverse", "wikimedia" or "list:FILE". Throws `usage` for others.
ImageProvider image_provider_from(const std::string& name, const ProviderOptions& options = {});

struct SearchImagesOptions {
  int max_images = 150;
  ImageProvider provider = openverse();
  FetchOptions fetch = {.max_bytes = std::uint64_t{8} << 20, .allow_private = false};  ///< of the search itself
  std::shared_ptr<Listener> listener = silent_listener();
};

/// Up to `max_images` pictures for a term, each address once, in the provider's order. When a later page fails, what
/// the earlier ones gave is returned, with a warning. Throws `usage`, `offline`, `network`, `bad_data` (an answer that
/// is none) or `interrupted`.
std::vector<ImageResult> search_images(const std::string& term, const SearchImagesOptions& options = {});

/// What became of a picture.
enum class CollectStatus {
  ok,          ///< it is in the folder
  duplicate,   ///< the same bytes are there already
  unreadable,  ///< the bytes are no picture, or a damaged one
  refused,     ///< too large, a private address, not of http or https
  failed,      ///< the network's fault: worth another run
  removed,     ///< it was there, and was taken out of the folder by somebody since
};
std::string_view name_of(CollectStatus status);

struct CollectedImage {
  ImageResult from;
  fs::path file;       ///< below the folder of the CSV; empty unless it was kept
  std::string sha256;  ///< of the bytes that came, before any scaling
  CollectStatus status = CollectStatus::failed;
  std::string reason;      ///< for a person; empty when ok
  bool was_there = false;  ///< since an earlier run
};

struct DownloadImagesOptions {
  int parallel = 8;  ///< 1..64
  std::chrono::seconds connect_timeout{10};
  std::chrono::seconds stall_timeout{15};  ///< without a byte for this long
  std::chrono::seconds timeout{60};        ///< of an attempt in all
  int retries = 2;
  std::chrono::milliseconds backoff{500};
  std::uint64_t max_bytes = std::uint64_t{32} << 20;
  std::int64_t max_pixels = std::int64_t{1} << 27;
  int max_size = 0;  ///< pictures with a longer side are scaled to it, upright, as JPEG or PNG; 0: bytes as they came
  bool allow_private = false;
  std::vector<std::string> allow_hosts = {};  ///< that may lie in a private network (fetch.hpp)
  fs::path sources = {};                      ///< the CSV; empty: `sources.csv` in the folder
  bool again = false;  ///< fetches also what somebody took out of the folder since
  std::shared_ptr<Listener> listener = silent_listener();
};

/// What became of all pictures asked for, in their order.
struct CollectReport {
  std::vector<CollectedImage> images;
  std::size_t count(CollectStatus status) const;
};

/// Fetches pictures into `folder`, many at a time. Only bytes that decode as a picture come into it, each once, named
/// by their title and address with the ending of their content. `sources.csv` says where each came from, who made it
/// and under which licence (columns `file,url,source_page,title,author,licence,licence_url,sha256,status,reason`), is
/// written as it goes, and lets a later call go on: what is there is not fetched again, what failed is tried again.
/// Other files in the folder are left alone. Events: `photo` for each. Throws `io`, `no_space`, `usage`, `offline`,
/// `bad_data` (a CSV that is not ours) or `interrupted`, with the CSV complete in all cases.
CollectReport download_images(const fs::path& folder, const std::vector<ImageResult>& results,
                              const DownloadImagesOptions& options = {});
CollectReport download_images(const fs::path& folder, const std::vector<std::string>& urls,
                              const DownloadImagesOptions& options = {});

}  // namespace kindling
