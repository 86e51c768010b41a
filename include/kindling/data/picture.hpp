#pragma once
/// A drawn picture: contact sheets of photos with captions, saved as PNG or shown in a terminal.
///
///   draw_grid({{photo, "cat"}, {other, "dog"}}).save("batch.png");

#include <kindling/core/files.hpp>
#include <kindling/data/image.hpp>

#include <string>
#include <vector>

namespace kindling {

/// One cell of a grid. Lines of `caption` are separated by '\n'; any script; too long ones are elided in the
/// middle.
struct GridCell {
  Image image;
  std::string caption = "";
  std::string colour = "";  ///< of the caption: "", "green", "red"
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

}  // namespace kindling
