#include "vision/duplicates.hpp"

#include "vision/image_hash.hpp"
#include "vision/photo_loop.hpp"
#include "vision/same_picture.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

namespace kindling::detail {

namespace {

/// Bits of 63 by which the hashes of copies may differ. That is generous: who is taken wrongly is told apart
/// by the pixels.
constexpr int hash_radius = 10;
/// Of 16 x 16 thumbnails. It only chooses what is decoded again.
constexpr double leader_correlation = 0.95;
/// A picture is held against so many of the nearest ones only, so that thousands of nearly equal
/// backgrounds do not make the search quadratic.
constexpr std::size_t most_compared = 64;
constexpr int largest_tiny_side = 64;
constexpr int least_contrast = 12;

bool can_be_compared(const ImageFacts& facts) {
  return !facts.error && facts.info && facts.contrast >= least_contrast &&
         std::min(facts.info->size.width, facts.info->size.height) > largest_tiny_side;
}

/// Pictures gathered around leaders: each joins the leader that it looks like most, or becomes one.
class Gathering {
 public:
  explicit Gathering(const std::vector<const ImageFacts*>& facts) : facts_(facts), index_(hash_radius) {}

  void take(std::size_t at) {
    const ImageFacts& facts = *facts_[at];
    if (const auto leader = find_leader(facts)) {
      groups_[*leader].push_back(at);
      return;
    }
    index_.add(facts.look, static_cast<std::uint32_t>(groups_.size()));
    groups_.push_back({at});
  }

  std::vector<Alike> groups() && {
    std::erase_if(groups_, [](const Alike& group) { return group.size() < 2; });
    return std::move(groups_);
  }

 private:
  std::optional<std::size_t> find_leader(const ImageFacts& facts) const {
    std::optional<std::size_t> best;
    double highest = leader_correlation;
    for (const bool mirror : {false, true}) {
      auto near = index_.near(mirror ? mirrored(facts.look) : facts.look);
      near.resize(std::min(near.size(), most_compared));
      for (const NearHash& candidate : near) {
        const ImageFacts& leader = *facts_[groups_[candidate.id].front()];
        const double r = correlation(leader.thumbnail, facts.thumbnail, mirror);
        if (r <= highest) continue;
        highest = r;
        best = candidate.id;
      }
    }
    return best;
  }

  const std::vector<const ImageFacts*>& facts_;
  HashIndex index_;
  std::vector<Alike> groups_;
};

/// Pictures that were shown to be the same as a first one.
struct Confirmed {
  FinePicture first;
  Lookalikes found;
};

bool join(std::vector<Confirmed>& confirmed, std::size_t at, const FinePicture& picture) {
  for (const bool mirror : {false, true}) {
    for (Confirmed& c : confirmed) {
      if (!same_picture(c.first, picture, mirror)) continue;
      c.found.pictures.push_back(at);
      c.found.mirrored.push_back(mirror);
      return true;
    }
  }
  return false;
}

/// What of a group is the same picture indeed.
std::vector<Lookalikes> confirm(const Alike& group, const Paths& paths, bool exif_orientation) {
  std::vector<Confirmed> confirmed;
  for (const std::size_t at : group) {
    try {
      FinePicture picture = open_fine(paths[at], exif_orientation);
      if (join(confirmed, at, picture)) continue;
      if (confirmed.size() < most_compared) confirmed.push_back({std::move(picture), {{at}, {false}}});
    } catch (const Error&) {
      // It was read before; a file that changes while it is looked at is not compared.
    }
  }
  std::vector<Lookalikes> found;
  for (Confirmed& c : confirmed) {
    if (c.found.pictures.size() > 1) found.push_back(std::move(c.found));
  }
  return found;
}

}  // namespace

std::vector<Alike> equal_files(const std::vector<const ImageFacts*>& facts) {
  std::map<std::string_view, Alike> by_content;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!facts[i]->content.empty() && !facts[i]->error) by_content[facts[i]->content].push_back(i);
  }
  std::vector<Alike> groups;
  for (auto& [content, group] : by_content) {
    if (group.size() > 1) groups.push_back(std::move(group));
  }
  std::ranges::sort(groups);
  return groups;
}

std::vector<Lookalikes> similar_pictures(const Paths& paths, const std::vector<const ImageFacts*>& facts,
                                         const VerifyOptions& options) {
  std::vector<bool> is_copy(facts.size());
  for (const Alike& group : equal_files(facts)) {
    for (std::size_t i = 1; i < group.size(); ++i) is_copy[group[i]] = true;
  }
  Gathering gathering(facts);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!is_copy[i] && can_be_compared(*facts[i])) gathering.take(i);
  }
  const std::vector<Alike> groups = std::move(gathering).groups();
  std::vector<std::vector<Lookalikes>> confirmed(groups.size());
  if (!groups.empty()) {
    for_each_photo(groups.size(), options.threads, *options.listener, "Comparing photos", [&](std::size_t g) {
      confirmed[g] = confirm(groups[g], paths, options.image.exif_orientation);
    });
  }
  std::vector<Lookalikes> all;
  for (auto& found : confirmed) std::ranges::move(found, std::back_inserter(all));
  std::ranges::sort(all, {}, &Lookalikes::pictures);
  return all;
}

}  // namespace kindling::detail
