#pragma once
/// A drawn picture: contact sheets of photos with captions, saved as PNG or shown in a terminal.
///
///   draw_grid({{photo, "cat"}, {other, "dog"}}).save("batch.png");

#include <kindling/core/files.hpp>
#include <kindling/data/image.hpp>
#include <kindling/data/value.hpp>

#include <functional>
#include <string>
#include <typeindex>
#include <vector>

namespace kindling {

/// A box drawn on a picture, with its label at its top.
struct BoxMark {
  BBox box;
  std::string label = "";
};

/// One cell of a grid. Lines of `caption` are separated by '\n'; any script; too long ones are elided in the
/// middle. Points and boxes are in pixels of `image` and drawn on it; a mask, whatever its size, lies over the whole
/// picture at half strength, each class in a colour of its own (matplotlib's tab20).
struct GridCell {
  Image image;
  std::string caption = "";
  std::string colour = "";  ///< of the caption: "", "green", "red"
  Image mask = {};          ///< 1 channel of class indices; empty: none
  std::vector<Point> points = {};
  std::vector<BoxMark> boxes = {};
};

struct GridOptions {
  int columns = 0;         ///< 0: fastai's grid: rows = int(sqrt(n)), columns = ceil(n / rows)
  int cell = 224;          ///< side in pixels of the square that a photo is fitted into (never cropped)
  std::string title = "";  ///< above the grid
};

/// A picture that was drawn. Value type; the pixels are RGB.
class Picture {
 public:
  Picture() = default;
  explicit Picture(Image image) : image_(std::move(image)) {}
  const Image& image() const { return image_; }
  Bytes png() const;
  /// Writes a PNG, atomically.
  void save(const fs::path& path) const;
  /// The picture as text for a terminal of that size in cells (Chafa symbols with 24-bit colours).
  std::string to_terminal(int columns, int rows) const;

 private:
  Image image_;
};

/// Draws the cells row by row on white. Throws `usage` without cells.
Picture draw_grid(const std::vector<GridCell>& cells, const GridOptions& options = {});

/// Draws text on white in letters of one width, line by line: a table of `format_table`.
Picture draw_text(const std::string& text);

/// Rows of cells in columns as wide as their widest cell, under a line of names; long cells are cut.
std::string format_table(const std::vector<std::string>& names, const std::vector<std::vector<std::string>>& rows);

namespace detail {
using ShowUser = std::function<void(const std::any&, GridCell&)>;
void register_show(std::type_index type, ShowUser show);
/// Empty for a type that nothing is registered for.
ShowUser show_of(std::type_index type);
}  // namespace detail

/// Says how a value kind of the user's own is shown in a cell: it sets the picture, marks on it, or the caption.
///
///   register_show<Curve>([](const Curve& curve, GridCell& cell) { cell.image = plot(curve); });
template <class T, class Show>
void register_show(Show show) {
  detail::register_show(typeid(T), [show](const std::any& value, GridCell& cell) {
    show(*std::any_cast<T>(&value), cell);
  });
}

}  // namespace kindling
