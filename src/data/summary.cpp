#include <kindling/core/error.hpp>
#include <kindling/data/datablock.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

constexpr std::size_t name_width = 18;

std::string name_of(const Transform& t) {
  return t.name().empty() ? "a function" : t.name();
}

/// "0 to 255" of a value's numbers; empty for kinds without any.
std::string range_of(const Value& value) {
  const auto of_bytes = [](const Image& image) {
    const auto [low, high] = std::minmax_element(image.data(), image.data() + image.bytes());
    return fmt::format("{} to {}", *low, *high);
  };
  if (const auto* image = std::get_if<Image>(&value)) return of_bytes(*image);
  if (const auto* mask = std::get_if<Mask>(&value)) return of_bytes(mask->image);
  if (const auto* points = std::get_if<Points>(&value); points && !points->points.empty()) {
    const auto& p = points->points;
    const auto [left, right] = std::minmax_element(p.begin(), p.end(), [](Point a, Point b) { return a.x < b.x; });
    const auto [top, bottom] = std::minmax_element(p.begin(), p.end(), [](Point a, Point b) { return a.y < b.y; });
    return fmt::format("x {:g} to {:g}, y {:g} to {:g}", left->x, right->x, top->y, bottom->y);
  }
  const auto tensor = tensor_of(value);
  if (!tensor.defined() || tensor.numel() == 0 || tensor.is_complex()) return "";
  return fmt::format("{:.4g} to {:.4g}", tensor.min().item<double>(), tensor.max().item<double>());
}

std::string in_words(const Value& value) {
  const std::string range = range_of(value);
  return describe(value) + (range.empty() ? "" : "   " + range);
}

/// Names of the members: "input" and "target", numbered where there are several.
std::vector<std::string> member_names(std::size_t members, int n_inp) {
  const auto inputs = static_cast<std::size_t>(n_inp);
  std::vector<std::string> names;
  for (std::size_t m = 0; m < members; ++m) {
    const bool input = m < inputs;
    const std::size_t n = input ? inputs : members - inputs;
    const std::string name = input ? "input" : "target";
    names.push_back(n == 1 ? name : fmt::format("{} {}", name, input ? m : m - inputs));
  }
  return names;
}

std::string tfms_in_words(const Transforms& tfms) {
  std::vector<std::string> names;
  for (const Transform& t : tfms) {
    const char* when = !t.only_on() ? "" : *t.only_on() == Split::train ? " (train only)" : " (valid only)";
    names.push_back(name_of(t) + when);
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::string classes_in_words(const std::vector<std::string>& vocab) {
  constexpr std::size_t most = 8;
  const std::vector<std::string> first(vocab.begin(), vocab.begin() + std::min(vocab.size(), most));
  return fmt::format("{} classes: {}{}", vocab.size(), fmt::join(first, ", "), vocab.size() > most ? ", …" : "");
}

/// An error in the lines of a summary.
std::string failure(const std::string& step, const Error& e) {
  std::string text = fmt::format("\n{} FAILED: {}\n", step, e.message());
  for (const Fact& fact : e.facts()) text += fmt::format("  {}: {}\n", fact.key, fact.value);
  if (!e.hint().empty()) text += fmt::format("  try: {}\n", e.hint());
  return text;
}

/// Follows one training item and a batch through a pipeline, writing down what it sees.
class SummaryWalk {
 public:
  SummaryWalk(const Datasets& datasets, int bs)
      : pipeline_(datasets.pipeline()), train_(datasets.train()), bs_(bs) {}

  std::string text;

  /// Whether a batch came out.
  bool run() {
    describe_pipeline();
    return walk_item() && walk_batch();
  }

 private:
  void describe_pipeline() {
    const auto names = member_names(pipeline_.blocks.size(), pipeline_.n_inp);
    text += "\nBlocks\n";
    for (std::size_t b = 0; b < names.size(); ++b) line(names[b], tfms_in_words(pipeline_.blocks[b]));
    if (const auto vocab = pipeline_.vocab(); !vocab.empty()) line("vocabulary", classes_in_words(vocab));
    if (pipeline_.c() > 0) line("outputs needed", std::to_string(pipeline_.c()));
    line("item transforms", tfms_in_words(pipeline_.item_tfms));
    line("batch transforms", tfms_in_words(pipeline_.batch_tfms));
  }

  bool walk_item() {
    text += fmt::format("\nOne training item: {}\n", describe(train_->item(0)));
    Values item = train_->raw(0);
    const auto names = member_names(item.size(), pipeline_.n_inp);
    ItemContext context{.split = Split::train};
    for (std::size_t b = 0; b < item.size(); ++b) {
      text += "  " + names[b] + "\n";
      line("  getter", in_words(item[b]));
      for (const Transform& t : pipeline_.blocks[b]) {
        if (!step(t, [&] { item[b] = t.encode(item[b], context); })) return false;
        line("  " + name_of(t), in_words(item[b]));
      }
    }
    if (pipeline_.item_tfms.empty()) return true;
    text += "  item transforms, the same draws for all members\n";
    for (const Transform& t : pipeline_.item_tfms) {
      context.image_size = first_size(item);
      ++context.transform;
      if (!walk_members(t, item, names, context)) return false;
    }
    return true;
  }

  bool walk_batch() {
    const auto n = std::min<std::int64_t>(bs_, train_->size());
    text += fmt::format("\nA batch of {}\n", n);
    std::vector<Values> items;
    Values batch;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto make = [&] {
        items.push_back(pipeline_.encode_item(train_->raw(i), {.split = Split::train, .item = i}));
      };
      if (!step("item " + describe(train_->item(i)), make)) return false;
    }
    try {
      batch = collate(items);
    } catch (const Error& e) {
      text += items_in_words(items) + failure("collate", e);
      return false;
    }
    const auto names = member_names(batch.size(), pipeline_.n_inp);
    for (std::size_t m = 0; m < batch.size(); ++m) line(m == 0 ? "  collate" : "", names[m] + ": " + in_words(batch[m]));
    ItemContext context{.split = Split::train, .transform = 1 << 16};
    for (const Transform& t : pipeline_.batch_tfms) {
      ++context.transform;
      if (!walk_members(t, batch, names, context)) return false;
    }
    text += "\nThe model gets " + tensors_in_words(to_batch(batch, pipeline_.n_inp)) + "\n";
    return true;
  }

  /// A transform over all members; those that it changes are written down.
  bool walk_members(const Transform& t, Values& members, const std::vector<std::string>& names,
                    const ItemContext& context) {
    bool first = true;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const std::string before = in_words(members[m]);
      if (!step(t, [&] { members[m] = t.encode(members[m], context); })) return false;
      const std::string after = in_words(members[m]);
      if (before == after) continue;
      line(first ? "  " + name_of(t) : "", names[m] + ": " + after);
      first = false;
    }
    if (first) line("  " + name_of(t), "(kinds and ranges stay)");
    return true;
  }

  template <class F>
  bool step(const Transform& t, F&& f) {
    return step(name_of(t), f);
  }
  template <class F>
  bool step(const std::string& what, F&& f) {
    try {
      f();
      return true;
    } catch (const Error& e) {
      text += failure(what, e);
      return false;
    }
  }

  std::string items_in_words(const std::vector<Values>& items) const {
    std::vector<std::string> names = {"item"};
    for (const std::string& name : member_names(items.front().size(), pipeline_.n_inp)) names.push_back(name);
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < items.size(); ++i) {
      rows.push_back({describe(train_->item(static_cast<std::int64_t>(i)))});
      for (const Value& member : items[i]) rows.back().push_back(describe(member));
    }
    return format_table(names, rows);
  }

  static std::string tensors_in_words(const Batch& batch) {
    const auto words = [](const std::vector<torch::Tensor>& tensors) {
      std::vector<std::string> texts;
      for (const torch::Tensor& t : tensors) texts.push_back(describe(Value(t)));
      return fmt::format("{}", fmt::join(texts, ", "));
    };
    return "x: " + words(batch.x) + (batch.y.empty() ? "" : "; its targets are y: " + words(batch.y));
  }

  static Size first_size(const Values& item) {
    for (const Value& member : item) {
      if (const auto* image = std::get_if<Image>(&member)) return image->size();
    }
    return {};
  }

  void line(const std::string& name, const std::string& what) {
    text += fmt::format("  {:{}}  {}\n", name, name_width, what);
  }

  const Pipeline& pipeline_;
  std::shared_ptr<const Dataset> train_;
  int bs_;
};

}  // namespace

Summary DataBlock::summary(const fs::path& source, const SummaryOptions& options) const {
  Items items;
  const std::string from = fmt::format("Source: {}\n", source.string());
  try {
    items = find_items(source);
  } catch (const Error& e) {
    return Summary(from + failure("get_items", e), false);
  }
  const Summary found = summary(std::move(items), options);
  return Summary(from + found.text(), found.ok());
}

Summary DataBlock::summary(Items items, const SummaryOptions& options) const {
  std::string text = fmt::format("Items: {}{}\n", items.size(), items.empty() ? "" : "; the first is " + describe(items.front()));
  try {
    Splits splits = split(items);
    text += fmt::format("Split: {} train, {} valid\n", splits.train.size(), splits.valid.size());
    Datasets datasets(std::move(items), options_.getters, std::move(splits), make_pipeline());
    SummaryWalk walk(datasets, std::max(options.bs, 1));
    const bool ok = walk.run();
    return Summary(text + walk.text, ok);
  } catch (const Error& e) {
    return Summary(text + failure("setting up", e), false);
  }
}

}  // namespace kindling
