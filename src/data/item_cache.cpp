#include <kindling/core/error.hpp>

#include "data/item_cache.hpp"

#include <fstream>
#include <string>

namespace kindling {

namespace {

/// Memory that can be had without swapping, as the kernel estimates it.
std::size_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::size_t kilobytes = 0;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("MemAvailable:")) continue;
    kilobytes = std::stoull(line.substr(std::string("MemAvailable:").size()));
  }
  return kilobytes * 1024;
}

std::size_t bytes_of(const Value& value) {
  if (auto* image = std::get_if<Image>(&value)) return image->bytes() + Image::read_slack;
  if (auto* mask = std::get_if<Mask>(&value)) return mask->image.bytes() + Image::read_slack;
  if (auto* text = std::get_if<Text>(&value)) return text->text.size();
  if (auto* encoded = std::get_if<Bytes>(&value)) return encoded->size();
  if (auto tensor = tensor_of(value); tensor.defined()) return tensor.nbytes();
  return 0;
}

std::size_t bytes_of(const Values& values) {
  std::size_t bytes = sizeof(Values) + values.size() * sizeof(Value);
  for (const Value& value : values) bytes += bytes_of(value);
  return bytes;
}

std::unique_ptr<ItemStore> open_store(const Pipeline& pipeline, Split split) {
  Json kept = pipeline.to_json();
  kept.erase("batch_tfms");
  kept["split"] = split == Split::train ? "train" : "valid";
  kept["kindling"] = KINDLING_VERSION;
  const std::string text = kept.dump();
  const auto key = sha256_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  return std::make_unique<ItemStore>(kindling_home() / "items" / (key.substr(0, 32) + ".items"));
}

}  // namespace

ItemCache::ItemCache(Cache mode, std::int64_t n_items, const Pipeline& pipeline, Split split) : mode_(mode) {
  if (mode == Cache::disk) {
    store_ = open_store(pipeline, split);
    return;
  }
  entries_.resize(n_items);
  limit_ = available_memory() / 4;
}

Values ItemCache::get(std::int64_t index, const Values& raw, const std::function<Values()>& make) {
  const FileStamps stamps = stamps_of(raw);
  if (store_) return from_store(raw, stamps, make);
  {
    std::lock_guard lock(mutex_);
    if (mode_ == Cache::off) return make();
    // Values share their pixels and tensors, so that this copies no picture.
    if (const Entry& entry = entries_[index]; entry.filled && entry.stamps == stamps) return entry.values;
  }
  Values made = make();
  keep(index, made, stamps);
  return made;
}

void ItemCache::keep(std::int64_t index, const Values& values, const FileStamps& stamps) {
  const std::size_t bytes = bytes_of(values);
  std::lock_guard lock(mutex_);
  if (mode_ == Cache::off) return;
  Entry& entry = entries_[index];
  if (entry.filled) used_ -= bytes_of(entry.values);
  entry = {};
  if (used_ + bytes > limit_) {
    // Automatic: what will not fit as a whole is given up, for the memory serves training better.
    if (mode_ == Cache::automatic) {
      mode_ = Cache::off;
      entries_.clear();
      used_ = 0;
    }
    return;
  }
  entry = {values, stamps, true};
  used_ += bytes;
}

Values ItemCache::from_store(const Values& raw, const FileStamps& stamps, const std::function<Values()>& make) {
  const auto key = store_key(raw, stamps);
  if (!key) return make();
  if (auto found = store_->find(*key)) return std::move(*found);
  Values made = make();
  store_->add(*key, made);
  return made;
}

}  // namespace kindling
