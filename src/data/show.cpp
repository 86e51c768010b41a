#include <kindling/core/error.hpp>
#include <kindling/data/dataloaders.hpp>

#include "core/printable.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// One item again and again, as a new one each time for the random transforms.
class RepeatedDataset final : public Dataset {
 public:
  RepeatedDataset(const Dataset& dataset, int n) : dataset_(dataset), n_(n) {}
  std::int64_t size() const override { return n_; }
  Values raw(std::int64_t) const override { return dataset_.raw(0); }
  Value item(std::int64_t) const override { return dataset_.item(0); }

 private:
  const Dataset& dataset_;
  int n_;
};

class ShowRegistry {
 public:
  static ShowRegistry& instance() {
    static ShowRegistry registry;
    return registry;
  }
  void add(std::type_index type, detail::ShowUser show) {
    const std::lock_guard lock(mutex_);
    shows_[type] = std::move(show);
  }
  detail::ShowUser find(std::type_index type) const {
    const std::lock_guard lock(mutex_);
    const auto found = shows_.find(type);
    return found == shows_.end() ? detail::ShowUser() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::type_index, detail::ShowUser> shows_;
};

Image as_rgb(const Image& image) {
  if (image.channels() != 1) return image;
  Image rgb(image.size(), 3);
  for (std::size_t i = 0; i < image.bytes(); ++i) std::memset(rgb.data() + 3 * i, image.data()[i], 3);
  return rgb;
}

/// The second picture of an item to the right of the first, at its own size.
Image beside(const Image& first, const Image& second) {
  const Image left = as_rgb(first), right = as_rgb(second);
  Image both({left.width() + right.width(), std::max(left.height(), right.height())}, 3);
  std::memset(both.data(), 255, both.bytes());
  for (int y = 0; y < left.height(); ++y) std::memcpy(both.row(y), left.row(y), left.stride());
  for (int y = 0; y < right.height(); ++y) std::memcpy(both.row(y) + left.stride(), right.row(y), right.stride());
  return both;
}

/// What an item's other members say in words; nothing for what is drawn.
std::string words_of(const Value& member) {
  if (const auto* label = std::get_if<Category>(&member)) return label->name;
  if (const auto* labels = std::get_if<Categories>(&member)) return fmt::format("{}", fmt::join(labels->names, ";"));
  if (const auto* number = std::get_if<Number>(&member)) return fmt::format("{:.4g}", number->value);
  if (const auto* text = std::get_if<Text>(&member)) return text->text;
  if (const auto* numbers = std::get_if<Numbers>(&member)) {
    std::vector<std::string> texts;
    for (double value : numbers->values) texts.push_back(fmt::format("{:.4g}", value));
    return fmt::format("{}", fmt::join(texts, ", "));
  }
  return "";
}

/// A member as a cell of a table.
std::string cell_of(const Value& member) {
  const std::string words = words_of(member);
  if (!words.empty() || std::holds_alternative<Categories>(member)) return words;
  const auto* tensor = std::get_if<torch::Tensor>(&member);
  if (!tensor || tensor->numel() > 8) return describe(member);
  const auto values = tensor->to(torch::kCPU, torch::kFloat64).contiguous();
  const auto* begin = values.const_data_ptr<double>();
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < values.numel(); ++i) texts.push_back(fmt::format("{:.4g}", begin[i]));
  return fmt::format("{}", fmt::join(texts, ", "));
}

class CellMaker {
 public:
  void add(const Value& member) {
    if (const auto* image = std::get_if<Image>(&member)) return add_image(*image);
    if (const auto* mask = std::get_if<Mask>(&member)) return void(cell_.mask = mask->image);
    if (const auto* points = std::get_if<Points>(&member)) return void(cell_.points = points->points);
    if (const auto* boxes = std::get_if<BBoxes>(&member)) return add_boxes(*boxes);
    const auto* labels = std::get_if<Categories>(&member);
    if (labels && !cell_.boxes.empty() && labels->names.size() == cell_.boxes.size()) return add_labels(*labels);
    if (const auto* user = std::get_if<UserValue>(&member)) {
      if (const auto show = detail::show_of(user->value.type())) return show(user->value, cell_);
    }
    if (const std::string words = words_of(member); !words.empty()) lines_.push_back(words);
  }
  GridCell cell() {
    if (!lines_.empty()) {
      if (!cell_.caption.empty()) lines_.insert(lines_.begin(), cell_.caption);
      cell_.caption = fmt::format("{}", fmt::join(lines_, "\n"));
    }
    return std::move(cell_);
  }

 private:
  void add_image(const Image& image) { cell_.image = cell_.image.empty() ? image : beside(cell_.image, image); }
  void add_boxes(const BBoxes& boxes) {
    for (const BBox& box : boxes.boxes) cell_.boxes.push_back({box});
  }
  void add_labels(const Categories& labels) {
    for (std::size_t i = 0; i < cell_.boxes.size(); ++i) cell_.boxes[i].label = labels.names[i];
  }
  GridCell cell_;
  std::vector<std::string> lines_;
};

/// Something to draw in the cell besides its caption.
bool is_drawn(const GridCell& cell) {
  return !cell.image.empty() || !cell.mask.empty();
}

/// Decoded items of the batch that is shown.
std::vector<Values> shown_items(const DataLoader& loader, const ShowBatchOptions& options) {
  if (options.max_n < 1)
    throw Error(ErrorCode::usage, "at least one item is shown", {{"max_n", options.max_n}});
  DataLoader shown = loader;
  if (options.unique) {
    shown = loader.with(std::make_shared<RepeatedDataset>(loader.dataset(), options.max_n),
                        {.bs = options.max_n, .seed = loader.options().seed, .split = options.split});
  }
  auto items = loader.pipeline().decode_batch(shown.one_batch_values());
  if (static_cast<int>(items.size()) > options.max_n) items.resize(options.max_n);
  return items;
}

std::string table_of(const std::vector<Values>& items, const Pipeline& pipeline) {
  const int n_inp = pipeline.n_inp;
  std::vector<std::string> names;
  const int members = items.empty() ? 0 : static_cast<int>(items.front().size());
  if (pipeline.encoder) names = pipeline.encoder->names();
  names.resize(std::min<std::size_t>(names.size(), members));
  for (int m = static_cast<int>(names.size()); m < members; ++m) {
    const int n = m < n_inp ? n_inp : members - n_inp;
    const std::string name = m < n_inp ? "input" : "target";
    names.push_back(n == 1 ? name : fmt::format("{} {}", name, m < n_inp ? m : m - n_inp));
  }
  std::vector<std::vector<std::string>> rows;
  for (const Values& item : items) {
    rows.emplace_back();
    for (const Value& member : item) rows.back().push_back(cell_of(member));
  }
  return format_table(names, rows);
}

/// One line of at most so many characters.
std::string cut(const std::string& text) {
  constexpr std::size_t most = 48;
  const std::string line = detail::printable(text, detail::LineBreaks::escape);
  if (detail::columns_of(line) <= most) return line;
  return std::string(detail::first_columns(line, most - 1)) + "…";
}

}  // namespace

namespace detail {

void register_show(std::type_index type, ShowUser show) {
  ShowRegistry::instance().add(type, std::move(show));
}

ShowUser show_of(std::type_index type) {
  return ShowRegistry::instance().find(type);
}

}  // namespace detail

std::string format_table(const std::vector<std::string>& names, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> all = {names};
  all.insert(all.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths;
  for (auto& row : all) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) {
      row[c] = cut(row[c]);
      widths[c] = std::max(widths[c], detail::columns_of(row[c]));
    }
  }
  std::string text;
  for (const auto& row : all) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c)
      line += row[c] + std::string(widths[c] - detail::columns_of(row[c]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

GridCell to_cell(const Values& decoded_item) {
  CellMaker maker;
  for (const Value& member : decoded_item) maker.add(member);
  return maker.cell();
}

Picture DataLoaders::show_batch(const ShowBatchOptions& options) const {
  const DataLoader& loader = options.split == Split::train ? train_ : valid_;
  const auto items = shown_items(loader, options);
  std::vector<GridCell> cells;
  for (const Values& item : items) cells.push_back(to_cell(item));
  if (std::none_of(cells.begin(), cells.end(), is_drawn)) return draw_text(table_of(items, pipeline()));
  const int n = static_cast<int>(cells.size());
  return draw_grid(cells, {.columns = options.nrows > 0 ? (n + options.nrows - 1) / options.nrows : 0,
                           .cell = options.cell});
}

std::string DataLoaders::batch_table(const ShowBatchOptions& options) const {
  return table_of(shown_items(options.split == Split::train ? train_ : valid_, options), pipeline());
}

}  // namespace kindling
