#include <kindling/core/error.hpp>
#include <kindling/data/picture.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

#include <chafa.h>
#include <pango/pangocairo.h>

namespace kindling {
namespace {

/// Deletes what C libraries handed out.
struct Release {
  void operator()(cairo_t* p) const { cairo_destroy(p); }
  void operator()(cairo_surface_t* p) const { cairo_surface_destroy(p); }
  void operator()(cairo_font_options_t* p) const { cairo_font_options_destroy(p); }
  void operator()(PangoFontDescription* p) const { pango_font_description_free(p); }
  void operator()(PangoContext* p) const { g_object_unref(p); }
  void operator()(PangoLayout* p) const { g_object_unref(p); }
  void operator()(ChafaSymbolMap* p) const { chafa_symbol_map_unref(p); }
  void operator()(ChafaCanvasConfig* p) const { chafa_canvas_config_unref(p); }
  void operator()(ChafaCanvas* p) const { chafa_canvas_unref(p); }
  void operator()(GString* p) const { g_string_free(p, TRUE); }
  void operator()(char* p) const { g_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Release>;

/// Cairo's own limit for the side of an image surface.
constexpr std::int64_t max_side = 32767;
constexpr std::int64_t max_pixels = std::int64_t{1} << 28;
/// A picture of at most this long side is enlarged pixel by pixel: its pixels are what one wants to see.
constexpr int pixel_art_side = 64;
/// Pango lays a line out whole before it elides it, so longer ones are cut first.
constexpr glong max_line_characters = 400;
constexpr int max_lines = 12;

struct Rgb {
  double red, green, blue;
};
constexpr Rgb ink{0.13, 0.13, 0.13};
/// In place of a picture that is not there.
constexpr Rgb placeholder{0.93, 0.93, 0.93};

Rgb caption_colour(const std::string& name) {
  if (name.empty()) return ink;
  if (name == "green") return {0.08, 0.47, 0.16};
  if (name == "red") return {0.80, 0.10, 0.12};
  throw Error(ErrorCode::usage, "a caption cannot be drawn in this colour", {{"colour", name}},
              "use \"green\", \"red\" or \"\"" + did_you_mean(name, {"green", "red"}));
}

/// Distances and font sizes in pixels, all from the side of a cell.
struct Metrics {
  int cell, gap, margin, text_gap;
  double font, title_font;

  explicit Metrics(int side)
      : cell(side),
        gap(std::max(10, side / 14)),
        margin(std::max(12, side / 10)),
        text_gap(std::max(3, side / 40)),
        font(std::clamp(side / 14.0, 11.0, 22.0)),
        title_font(font * 1.35) {}
};

/// The middle of a long line replaced by an ellipsis.
std::string cut_line(const char* begin, const char* end) {
  const glong characters = g_utf8_strlen(begin, end - begin);
  if (characters <= max_line_characters) return {begin, end};
  const char* head_end = g_utf8_offset_to_pointer(begin, max_line_characters / 2);
  const char* tail = g_utf8_offset_to_pointer(begin, characters - max_line_characters / 2);
  return std::string(begin, head_end) + "…" + std::string(tail, end);
}

/// Captions come from file names and tables: any bytes, of any length. Pango wants valid UTF-8 and complains
/// on stderr.
std::string drawable(const std::string& text) {
  Owned<char> valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  std::string out;
  const char* line = valid.get();
  for (int n = 0; n < max_lines; ++n) {
    const char* end = std::strchr(line, '\n');
    out += cut_line(line, end ? end : line + std::strlen(line));
    if (!end) break;
    out += '\n';
    line = end + 1;
  }
  return out;
}

/// Makes text layouts that look the same on every machine with the same font: grey antialiasing, no user
/// settings.
class Typesetter {
 public:
  Typesetter() : context_(pango_font_map_create_context(pango_cairo_font_map_get_default())) {
    Owned<cairo_font_options_t> options(cairo_font_options_create());
    cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_SLIGHT);
    cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_ON);
    pango_cairo_context_set_font_options(context_.get(), options.get());
  }

  /// Centred in `width` pixels; each line too long for it is elided in its middle.
  Owned<PangoLayout> layout(const std::string& text, double font_size, PangoWeight weight, int width) const {
    Owned<PangoFontDescription> font(pango_font_description_from_string("Sans"));
    pango_font_description_set_absolute_size(font.get(), font_size * PANGO_SCALE);
    pango_font_description_set_weight(font.get(), weight);
    Owned<PangoLayout> layout(pango_layout_new(context_.get()));
    pango_layout_set_font_description(layout.get(), font.get());
    pango_layout_set_width(layout.get(), width * PANGO_SCALE);
    pango_layout_set_ellipsize(layout.get(), PANGO_ELLIPSIZE_MIDDLE);
    pango_layout_set_alignment(layout.get(), PANGO_ALIGN_CENTER);
    const std::string valid = drawable(text);
    pango_layout_set_text(layout.get(), valid.data(), static_cast<int>(valid.size()));
    return layout;
  }

  /// One short text from the left, as wide as it is.
  Owned<PangoLayout> label(const std::string& text, double font_size, int most) const {
    auto made = layout(text, font_size, PANGO_WEIGHT_BOLD, -1);
    pango_layout_set_alignment(made.get(), PANGO_ALIGN_LEFT);
    pango_layout_set_width(made.get(), -1);
    int width = 0;
    pango_layout_get_pixel_size(made.get(), &width, nullptr);
    if (width > most) pango_layout_set_width(made.get(), most * PANGO_SCALE);
    return made;
  }

  /// Lines in letters of one width.
  Owned<PangoLayout> fixed(const std::string& text, double font_size) const {
    Owned<PangoFontDescription> font(pango_font_description_from_string("Monospace"));
    pango_font_description_set_absolute_size(font.get(), font_size * PANGO_SCALE);
    Owned<PangoLayout> layout(pango_layout_new(context_.get()));
    pango_layout_set_font_description(layout.get(), font.get());
    Owned<char> valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
    pango_layout_set_text(layout.get(), valid.get(), -1);
    return layout;
  }

 private:
  Owned<PangoContext> context_;
};

int height_of(PangoLayout* layout) {
  int height = 0;
  pango_layout_get_pixel_size(layout, nullptr, &height);
  return height;
}

/// The largest size of `size`'s shape in a square; at least a pixel on each side.
Size fitted(Size size, int square) {
  const double scale = static_cast<double>(square) / std::max(size.width, size.height);
  const auto side = [&](int length) {
    return std::clamp(static_cast<int>(std::lround(length * scale)), 1, square);
  };
  return {side(size.width), side(size.height)};
}

void check_side(std::int64_t width, std::int64_t height) {
  if (width <= max_side && height <= max_side && width * height <= max_pixels) return;
  throw Error(ErrorCode::limit, "the picture is too large to draw",
              {{"width", width}, {"height", height}, {"most a side", max_side}, {"most pixels", max_pixels}},
              "draw fewer cells, or smaller ones (GridOptions::cell)");
}

/// Throws what went wrong in Cairo, out of memory as such.
void check(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  if (status == CAIRO_STATUS_NO_MEMORY) throw std::bad_alloc();
  throw Error(ErrorCode::internal, "Cairo cannot draw the picture",
              {{"cairo", cairo_status_to_string(status)}});
}

Owned<cairo_surface_t> blank_surface(Size size) {
  Owned<cairo_surface_t> surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, size.width, size.height));
  check(cairo_surface_status(surface.get()));
  return surface;
}

/// Cairo keeps a pixel as one 32-bit number in the machine's byte order.
std::uint32_t* surface_row(cairo_surface_t* surface, int y) {
  unsigned char* pixels = cairo_image_surface_get_data(surface);
  return reinterpret_cast<std::uint32_t*>(pixels +
                                          std::ptrdiff_t{y} * cairo_image_surface_get_stride(surface));
}

Owned<cairo_surface_t> to_surface(const Image& image) {
  check_side(image.width(), image.height());
  auto surface = blank_surface(image.size());
  const int channels = image.channels();
  for (int y = 0; y < image.height(); ++y) {
    const std::uint8_t* from = image.row(y);
    std::uint32_t* to = surface_row(surface.get(), y);
    for (int x = 0; x < image.width(); ++x, from += channels) {
      const std::uint32_t red = from[0], green = from[channels / 3], blue = from[channels / 3 * 2];
      to[x] = red << 16 | green << 8 | blue;
    }
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

Image to_image(cairo_surface_t* surface) {
  Image image({cairo_image_surface_get_width(surface), cairo_image_surface_get_height(surface)}, 3);
  for (int y = 0; y < image.height(); ++y) {
    const std::uint32_t* from = surface_row(surface, y);
    std::uint8_t* to = image.row(y);
    for (int x = 0; x < image.width(); ++x, to += 3) {
      to[0] = static_cast<std::uint8_t>(from[x] >> 16);
      to[1] = static_cast<std::uint8_t>(from[x] >> 8);
      to[2] = static_cast<std::uint8_t>(from[x]);
    }
  }
  return image;
}

/// Fills the rectangle at (x, y) with the picture.
void draw_image(cairo_t* cairo, const Image& image, int x, int y, Size size) {
  const auto surface = to_surface(image);
  cairo_save(cairo);
  cairo_rectangle(cairo, x, y, size.width, size.height);
  cairo_clip(cairo);
  cairo_translate(cairo, x, y);
  cairo_scale(cairo, static_cast<double>(size.width) / image.width(),
              static_cast<double>(size.height) / image.height());
  cairo_set_source_surface(cairo, surface.get(), 0, 0);
  const bool pixel_art =
      size.width > image.width() && std::max(image.width(), image.height()) <= pixel_art_side;
  cairo_pattern_set_filter(cairo_get_source(cairo), pixel_art ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_BEST);
  // Without it the border pixels would be mixed with what lies outside.
  cairo_pattern_set_extend(cairo_get_source(cairo), CAIRO_EXTEND_PAD);
  cairo_paint(cairo);
  cairo_restore(cairo);
}

/// matplotlib's tab20, its ten strong colours first, so that the classes of a small mask differ most.
constexpr std::uint32_t class_colours[] = {0x1F77B4, 0xFF7F0E, 0x2CA02C, 0xD62728, 0x9467BD, 0x8C564B, 0xE377C2,
                                           0x7F7F7F, 0xBCBD22, 0x17BECF, 0xAEC7E8, 0xFFBB78, 0x98DF8A, 0xFF9896,
                                           0xC5B0D5, 0xC49C94, 0xF7B6D2, 0xC7C7C7, 0xDBDB8D, 0x9EDAE5};

std::uint32_t class_colour(std::uint8_t index) {
  return class_colours[index % std::size(class_colours)];
}

/// Each class in its colour.
Image coloured(const Image& mask) {
  Image out(mask.size(), 3);
  for (std::size_t i = 0; i < mask.bytes(); ++i) {
    const std::uint32_t colour = class_colour(mask.data()[i]);
    for (int c = 0; c < 3; ++c) out.data()[3 * i + c] = static_cast<std::uint8_t>(colour >> (16 - 8 * c));
  }
  return out;
}

/// Lays the mask over the rectangle that the photo fills, with sharp borders between the classes.
void draw_mask(cairo_t* cairo, const Image& mask, int x, int y, Size size) {
  constexpr double strength = 0.5;
  const auto surface = to_surface(coloured(mask));
  cairo_save(cairo);
  cairo_rectangle(cairo, x, y, size.width, size.height);
  cairo_clip(cairo);
  cairo_translate(cairo, x, y);
  cairo_scale(cairo, static_cast<double>(size.width) / mask.width(), static_cast<double>(size.height) / mask.height());
  cairo_set_source_surface(cairo, surface.get(), 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_NEAREST);
  cairo_paint_with_alpha(cairo, strength);
  cairo_restore(cairo);
}

/// Draws what lies on a photo, in a coordinate system of the photo's pixels.
class Marks {
 public:
  Marks(cairo_t* cairo, const Typesetter& typesetter, const Metrics& metrics, const Image& image, int x, int y, Size size)
      : cairo_(cairo),
        typesetter_(typesetter),
        metrics_(metrics),
        left_(x),
        top_(y),
        size_(size),
        scale_x_(static_cast<double>(size.width) / image.width()),
        scale_y_(static_cast<double>(size.height) / image.height()) {}

  /// A red dot with a white rim is seen on any photo.
  void draw(const Point& point) const {
    const double radius = std::max(2.5, metrics_.cell / 64.0);
    cairo_arc(cairo_, x_of(point.x), y_of(point.y), radius, 0, 2 * std::acos(-1.0));
    set_colour({0.90, 0.08, 0.10});
    cairo_fill_preserve(cairo_);
    set_colour({1, 1, 1});
    cairo_set_line_width(cairo_, std::max(1.0, radius / 3));
    cairo_stroke(cairo_);
  }

  void draw(const BoxMark& mark) const {
    const double x = x_of(mark.box.left), y = y_of(mark.box.top);
    // Even widths fill whole pixels on both sides of an edge.
    const double thick = 2 * std::max(1.0, std::round(metrics_.cell / 220.0));
    cairo_rectangle(cairo_, x, y, x_of(mark.box.right) - x, y_of(mark.box.bottom) - y);
    set_colour({0, 0, 0});
    cairo_set_line_width(cairo_, thick + 2);
    cairo_stroke_preserve(cairo_);
    set_colour({1, 1, 1});
    cairo_set_line_width(cairo_, thick);
    cairo_stroke(cairo_);
    if (!mark.label.empty()) draw_label(mark.label, x, y);
  }

 private:
  double x_of(double x) const { return left_ + x * scale_x_; }
  double y_of(double y) const { return top_ + y * scale_y_; }
  void set_colour(Rgb c) const { cairo_set_source_rgb(cairo_, c.red, c.green, c.blue); }

  /// White on dark in the box's top left corner, moved so that it stays on the photo.
  void draw_label(const std::string& label, double x, double y) const {
    const auto layout = typesetter_.label(label, metrics_.font * 0.85, size_.width);
    int width = 0, height = 0;
    pango_layout_get_pixel_size(layout.get(), &width, &height);
    x = std::clamp<double>(x, left_, std::max<double>(left_, left_ + size_.width - width - 4));
    y = std::clamp<double>(y, top_, std::max<double>(top_, top_ + size_.height - height));
    cairo_set_source_rgba(cairo_, 0, 0, 0, 0.65);
    cairo_rectangle(cairo_, x, y, width + 4, height);
    cairo_fill(cairo_);
    set_colour({1, 1, 1});
    cairo_move_to(cairo_, x + 2, y);
    pango_cairo_show_layout(cairo_, layout.get());
  }

  cairo_t* cairo_;
  const Typesetter& typesetter_;
  const Metrics& metrics_;
  double left_, top_;
  Size size_;
  double scale_x_, scale_y_;
};

/// Where everything of a grid goes, known before a pixel is drawn.
class Grid {
 public:
  Grid(const std::vector<GridCell>& cells, const GridOptions& options)
      : cells_(cells), metrics_(options.cell) {
    const int count = static_cast<int>(cells.size());
    const int fastai_rows = static_cast<int>(std::sqrt(static_cast<double>(count)));
    columns_ =
        options.columns > 0 ? std::min(options.columns, count) : (count + fastai_rows - 1) / fastai_rows;
    width_ = 2 * std::int64_t{metrics_.margin} + std::int64_t{columns_} * metrics_.cell +
             (columns_ - std::int64_t{1}) * metrics_.gap;
    check_side(width_, metrics_.cell);
    const int text_width = metrics_.cell + 2 * caption_overhang();
    for (const GridCell& cell : cells)
      captions_.push_back(typesetter_.layout(cell.caption, metrics_.font, PANGO_WEIGHT_NORMAL, text_width));
    place(options.title);
  }

  Image draw() const {
    const auto surface = blank_surface({static_cast<int>(width_), static_cast<int>(height_)});
    Owned<cairo_t> cairo(cairo_create(surface.get()));
    cairo_set_source_rgb(cairo.get(), 1, 1, 1);
    cairo_paint(cairo.get());
    if (title_) draw_text(cairo.get(), title_.get(), metrics_.margin, metrics_.margin, ink);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      draw_caption(cairo.get(), i);
      draw_photo(cairo.get(), i);
    }
    check(cairo_status(cairo.get()));
    cairo_surface_flush(surface.get());
    return to_image(surface.get());
  }

 private:
  struct Row {
    int top = 0, text = 0, photo = 0;
    int photo_top() const { return top + text; }
  };

  void place(const std::string& title) {
    std::int64_t y = metrics_.margin;
    if (!title.empty()) {
      const int text_width = static_cast<int>(width_) - 2 * metrics_.margin;
      title_ = typesetter_.layout(title, metrics_.title_font, PANGO_WEIGHT_BOLD, text_width);
      y += height_of(title_.get()) + metrics_.gap;
    }
    for (std::size_t first = 0; first < cells_.size(); first += columns_) {
      Row row = measure(first);
      row.top = static_cast<int>(y);
      y += row.text + row.photo + metrics_.gap;
      check_side(width_, y);
      rows_.push_back(row);
    }
    height_ = y - metrics_.gap + metrics_.margin;
    check_side(width_, height_);
  }

  Row measure(std::size_t first) const {
    Row row;
    for (std::size_t i = first; i < std::min(cells_.size(), first + columns_); ++i) {
      row.photo = std::max(row.photo, photo_size(i).height);
      if (!cells_[i].caption.empty())
        row.text = std::max(row.text, height_of(captions_[i].get()) + metrics_.text_gap);
    }
    return row;
  }

  Size photo_size(std::size_t i) const {
    const Image& image = cells_[i].image;
    return image.empty() ? Size{metrics_.cell, metrics_.cell} : fitted(image.size(), metrics_.cell);
  }

  /// How far a caption may reach over its cell on each side.
  int caption_overhang() const { return metrics_.gap / 4; }

  int left(std::size_t i) const {
    return metrics_.margin + static_cast<int>(i % columns_) * (metrics_.cell + metrics_.gap);
  }

  static void draw_text(cairo_t* cairo, PangoLayout* layout, int x, int y, Rgb colour) {
    cairo_set_source_rgb(cairo, colour.red, colour.green, colour.blue);
    cairo_move_to(cairo, x, y);
    pango_cairo_show_layout(cairo, layout);
  }

  /// Just above the photos of its row, which hang from one line.
  void draw_caption(cairo_t* cairo, std::size_t i) const {
    if (cells_[i].caption.empty()) return;
    PangoLayout* layout = captions_[i].get();
    const int y = rows_[i / columns_].photo_top() - metrics_.text_gap - height_of(layout);
    draw_text(cairo, layout, left(i) - caption_overhang(), y, caption_colour(cells_[i].colour));
  }

  void draw_photo(cairo_t* cairo, std::size_t i) const {
    const Size size = photo_size(i);
    const int x = left(i) + (metrics_.cell - size.width) / 2;
    const int y = rows_[i / columns_].photo_top();
    if (!cells_[i].image.empty()) return draw_marked(cairo, cells_[i], x, y, size);
    cairo_set_source_rgb(cairo, placeholder.red, placeholder.green, placeholder.blue);
    cairo_rectangle(cairo, x, y, size.width, size.height);
    cairo_fill(cairo);
  }

  void draw_marked(cairo_t* cairo, const GridCell& cell, int x, int y, Size size) const {
    draw_image(cairo, cell.image, x, y, size);
    if (!cell.mask.empty()) draw_mask(cairo, cell.mask, x, y, size);
    if (cell.points.empty() && cell.boxes.empty()) return;
    cairo_save(cairo);
    cairo_rectangle(cairo, x, y, size.width, size.height);
    cairo_clip(cairo);
    const Marks marks(cairo, typesetter_, metrics_, cell.image, x, y, size);
    for (const BoxMark& box : cell.boxes) marks.draw(box);
    for (const Point& point : cell.points) marks.draw(point);
    cairo_restore(cairo);
  }

  const std::vector<GridCell>& cells_;
  Metrics metrics_;
  Typesetter typesetter_;
  int columns_ = 0;
  std::int64_t width_ = 0, height_ = 0;
  Owned<PangoLayout> title_;
  std::vector<Owned<PangoLayout>> captions_;
  std::vector<Row> rows_;
};

void check_grid(const std::vector<GridCell>& cells, const GridOptions& options) {
  if (cells.empty())
    throw Error(ErrorCode::usage, "a grid needs at least one picture", {},
                "give draw_grid at least one cell");
  if (cells.size() > 100000)
    throw Error(ErrorCode::limit, "the grid has too many pictures", {{"pictures", cells.size()}},
                "draw fewer cells");
  if (options.cell < 16 || options.cell > 4096)
    throw Error(ErrorCode::usage, "the cells of a grid are 16 to 4096 pixels wide", {{"cell", options.cell}});
  if (options.columns < 0)
    throw Error(ErrorCode::usage, "a grid cannot have a negative number of columns",
                {{"columns", options.columns}}, "0 chooses by the number of pictures");
  for (std::size_t i = 0; i < cells.size(); ++i) {
    caption_colour(cells[i].colour);
    const Image& image = cells[i].image;
    if (!image.empty() && image.channels() != 1 && image.channels() != 3)
      throw Error(ErrorCode::usage, "a grid shows pictures of 1 or 3 channels",
                  {{"item", i}, {"channels", image.channels()}});
    if (!cells[i].mask.empty() && cells[i].mask.channels() != 1)
      throw Error(ErrorCode::usage, "a mask has 1 channel", {{"item", i}, {"channels", cells[i].mask.channels()}});
  }
}

/// What `Picture` promises of its pixels.
void check_drawn(const Image& image) {
  if (image.empty() || image.channels() != 3)
    throw Error(ErrorCode::usage, image.empty() ? "the picture is empty" : "a picture has 3 channels",
                {{"channels", image.channels()}}, "make it with draw_grid or from an RGB image");
}

Owned<ChafaCanvasConfig> terminal_config(int columns, int rows) {
  Owned<ChafaSymbolMap> symbols(chafa_symbol_map_new());
  chafa_symbol_map_add_by_tags(
      symbols.get(),
      static_cast<ChafaSymbolTags>(CHAFA_SYMBOL_TAG_SPACE | CHAFA_SYMBOL_TAG_SOLID | CHAFA_SYMBOL_TAG_HALF |
                                   CHAFA_SYMBOL_TAG_QUAD | CHAFA_SYMBOL_TAG_BLOCK | CHAFA_SYMBOL_TAG_BORDER));
  Owned<ChafaCanvasConfig> config(chafa_canvas_config_new());
  chafa_canvas_config_set_canvas_mode(config.get(), CHAFA_CANVAS_MODE_TRUECOLOR);
  chafa_canvas_config_set_pixel_mode(config.get(), CHAFA_PIXEL_MODE_SYMBOLS);
  chafa_canvas_config_set_geometry(config.get(), columns, rows);
  chafa_canvas_config_set_symbol_map(config.get(), symbols.get());
  return config;
}

}  // namespace

Bytes Picture::png() const {
  check_drawn(image_);
  Bytes bytes;
  // C code calls it: no exception may leave it.
  const auto append = [](void* closure, const unsigned char* data, unsigned length) noexcept {
    try {
      auto& out = *static_cast<Bytes*>(closure);
      out.insert(out.end(), data, data + length);
      return CAIRO_STATUS_SUCCESS;
    } catch (const std::bad_alloc&) {
      return CAIRO_STATUS_NO_MEMORY;
    }
  };
  check(cairo_surface_write_to_png_stream(to_surface(image_).get(), append, &bytes));
  return bytes;
}

void Picture::save(const fs::path& path) const {
  write_file(path, std::span<const std::uint8_t>(png()));
}

std::string Picture::to_terminal(int columns, int rows) const {
  check_drawn(image_);
  if (columns < 1 || rows < 1 || columns > 4096 || rows > 4096)
    throw Error(ErrorCode::usage, "a terminal is 1 to 4096 cells wide and high",
                {{"columns", columns}, {"rows", rows}});
  // A terminal's cell is about twice as high as wide.
  constexpr float cell_aspect = 0.5f;
  chafa_calc_canvas_geometry(image_.width(), image_.height(), &columns, &rows, cell_aspect, TRUE, FALSE);
  const auto config = terminal_config(std::max(columns, 1), std::max(rows, 1));
  Owned<ChafaCanvas> canvas(chafa_canvas_new(config.get()));
  chafa_canvas_draw_all_pixels(canvas.get(), CHAFA_PIXEL_RGB8, image_.data(), image_.width(), image_.height(),
                               static_cast<int>(image_.stride()));
  Owned<GString> text(chafa_canvas_print(canvas.get(), nullptr));
  return std::string(text->str, text->len) + "\n";
}

Picture draw_grid(const std::vector<GridCell>& given, const GridOptions& options) {
  std::vector<GridCell> cells = given;
  for (GridCell& cell : cells) {
    // A mask without a photo is itself the picture.
    if (cell.image.empty() && !cell.mask.empty()) cell.image = coloured(std::exchange(cell.mask, {}));
  }
  check_grid(cells, options);
  return Picture(Grid(cells, options).draw());
}

Picture draw_text(const std::string& text) {
  constexpr double font = 15;
  constexpr int margin = 16;
  const Typesetter typesetter;
  const auto layout = typesetter.fixed(text, font);
  int width = 0, height = 0;
  pango_layout_get_pixel_size(layout.get(), &width, &height);
  check_side(width + 2 * margin, height + 2 * margin);
  const auto surface = blank_surface({width + 2 * margin, height + 2 * margin});
  Owned<cairo_t> cairo(cairo_create(surface.get()));
  cairo_set_source_rgb(cairo.get(), 1, 1, 1);
  cairo_paint(cairo.get());
  cairo_set_source_rgb(cairo.get(), ink.red, ink.green, ink.blue);
  cairo_move_to(cairo.get(), margin, margin);
  pango_cairo_show_layout(cairo.get(), layout.get());
  check(cairo_status(cairo.get()));
  cairo_surface_flush(surface.get());
  return Picture(to_image(surface.get()));
}

}  // namespace kindling
