#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/vision/collect.hpp>

#include <set>

#include <fmt/format.h>

namespace kindling {

namespace {

/// A provider that never comes to its end is left here.
constexpr int max_pages = 500;
constexpr int max_empty_pages = 3;

/// Collects results of many pages.
class Search {
 public:
  Search(const std::string& term, const SearchImagesOptions& options)
      : options_(options), request_{.term = term, .cursor = {}, .wanted = options.max_images, .fetch = options.fetch} {
    request_.fetch.listener = options.listener;
  }

  std::vector<ImageResult> run() {
    int empty = 0;
    for (int page = 0; page < max_pages && empty < max_empty_pages; ++page) {
      if (interrupt_requested())
        throw Error(ErrorCode::interrupted, "the search was stopped", {{"term", request_.term}});
      if (!next_page()) break;
      empty = added_ > 0 ? 0 : empty + 1;
      tell(false);
      if (full() || request_.cursor.empty()) break;
    }
    tell(true);
    return std::move(results_);
  }

 private:
  bool full() const { return results_.size() >= static_cast<std::size_t>(options_.max_images); }

  /// False when the provider gives no more.
  bool next_page() {
    ImagePage page;
    try {
      page = options_.provider.page(request_);
    } catch (const Error& error) {
      if (results_.empty() || error.code() == ErrorCode::interrupted) throw;
      options_.listener->message(Level::warning, fmt::format("{} gives no more than {} results: {}",
                                                             options_.provider.name(), results_.size(), error.what()));
      return false;
    }
    added_ = 0;
    for (ImageResult& result : page.results) {
      if (full()) break;
      if (result.url.empty() || !seen_.insert(result.url).second) continue;
      results_.push_back(std::move(result));
      ++added_;
    }
    const bool moves = page.next != request_.cursor;
    request_.cursor = page.next;
    return moves || page.next.empty();
  }

  void tell(bool finished) const {
    options_.listener->progress({.what = fmt::format("Searching {}", request_.term),
                                 .done = static_cast<std::int64_t>(results_.size()),
                                 .total = options_.max_images,
                                 .finished = finished});
  }

  const SearchImagesOptions& options_;
  PageRequest request_;
  std::vector<ImageResult> results_;
  std::set<std::string> seen_;
  int added_ = 0;
};

}  // namespace

std::vector<ImageResult> search_images(const std::string& term, const SearchImagesOptions& options) {
  if (term.find_first_not_of(" \t\r\n") == std::string::npos)
    throw Error(ErrorCode::usage, "a search needs a term", {}, "say what the photos show, e.g. \"grizzly bear\"");
  if (options.max_images < 1)
    throw Error(ErrorCode::usage, "at least one image must be asked for", {{"max_images", options.max_images}});
  return Search(term, options).run();
}

ImageProvider image_provider_from(const std::string& name, const ProviderOptions& options) {
  constexpr std::string_view list = "list:";
  if (name == "openverse") return openverse(options);
  if (name == "wikimedia") return wikimedia(options);
  if (name.starts_with(list) && name.size() > list.size()) return address_list(name.substr(list.size()));
  throw Error(ErrorCode::usage,
              fmt::format("there is no provider '{}'{}", name, did_you_mean(name, {"openverse", "wikimedia"})), {},
              "it is one of: openverse, wikimedia, list:FILE");
}

}  // namespace kindling
