// Every kind of label in one program: what docs/guide/data.md shows.
//
//   data_gallery PETS OUT      PETS: examples/data/pets_mini; OUT: a folder for the pictures, data_*.png
//
// Landscapes are drawn, with a table of what is on them; each block then reads the same photos another way.
// Prints the table's columns and the summary of a block. Takes some seconds; nothing is trained.
#include <kindling/vision.hpp>

#include <cmath>
#include <iostream>

using namespace kindling;

namespace {

constexpr int width = 160, height = 120;
const std::vector<std::string> codes = {"sky", "ground", "sun", "house", "tree"};

/// A landscape with its mask: every pixel is painted on both.
struct Landscape {
  Image photo{Size{width, height}, 3};
  Image mask{Size{width, height}, 1};
  std::vector<std::string> labels;
  std::vector<BBox> boxes;
  Point sun{-1, -1};

  template <class Inside>
  void paint(std::uint8_t code, std::array<int, 3> colour, Inside inside) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        if (!inside(x + 0.5, y + 0.5)) continue;
        mask.row(y)[x] = code;
        for (int c = 0; c < 3; ++c) photo.row(y)[3 * x + c] = static_cast<std::uint8_t>(colour[c]);
      }
    }
  }
  void note(std::uint8_t code, double left, double top, double right, double bottom) {
    labels.push_back(codes[code]);
    boxes.push_back({static_cast<float>(left), static_cast<float>(top), static_cast<float>(right),
                     static_cast<float>(bottom)});
  }
};

Landscape draw(CounterRng& rng) {
  Landscape land;
  const int shade = static_cast<int>(rng.integer(-25, 25));
  land.paint(0, {135 + shade, 190 + shade, 235 + shade / 2}, [](double, double) { return true; });
  const double hill = rng.uniform(8, 16), phase = rng.uniform(0, 6);
  land.paint(1, {95 + shade, 150 + shade, 70},
             [&](double x, double y) { return y > 85 + hill * std::sin(x / 30 + phase) / 2; });
  const double sx = rng.uniform(20, width - 20), sy = rng.uniform(16, 50), r = rng.uniform(8, 13);
  land.sun = {static_cast<float>(sx), static_cast<float>(sy)};
  land.paint(2, {252, 214, 60}, [&](double x, double y) { return std::hypot(x - sx, y - sy) < r; });
  land.note(2, sx - r, sy - r, sx + r, sy + r);
  if (rng.bernoulli(0.7)) {
    const double left = rng.uniform(8, 60), top = rng.uniform(62, 72), side = rng.uniform(24, 34);
    land.paint(3, {178, 74, 58}, [&](double x, double y) {
      return y > top - 14 && y < top && std::abs(x - left - side / 2) < (y - top + 14) / 14 * side * 0.6;
    });
    land.paint(3, {236, 222, 196},
               [&](double x, double y) { return x > left && x < left + side && y >= top && y < top + 28; });
    land.note(3, left - side * 0.1, top - 14, left + side * 1.1, top + 28);
  }
  if (rng.bernoulli(0.7)) {
    const double x0 = rng.uniform(105, 145), top = rng.uniform(44, 58);
    land.paint(4, {105, 74, 46},
               [&](double x, double y) { return std::abs(x - x0) < 2.5 && y > top && y < top + 46; });
    land.paint(4, {40, 108, 52},
               [&](double x, double y) { return std::hypot(x - x0, (y - top - 8) * 0.8) < 13; });
    land.note(4, x0 - 13, top - 8.25, x0 + 13, top + 46);
  }
  return land;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

/// Draws the photos, their masks and the table of them.
std::map<std::string, Landscape> make_landscapes(const fs::path& folder) {
  fs::create_directories(folder / "photos");
  fs::create_directories(folder / "masks");
  CounterRng rng(5);
  std::map<std::string, Landscape> made;
  std::vector<std::string> names, labels;
  std::vector<double> heights, xs, ys;
  for (int i = 0; i < 24; ++i) {
    const std::string name = "land" + std::to_string(10 + i);
    Landscape land = draw(rng);
    write_file(folder / "photos" / (name + ".png"), std::span<const std::uint8_t>(encode_png(land.photo)));
    write_file(folder / "masks" / (name + ".png"), std::span<const std::uint8_t>(encode_png(land.mask)));
    names.push_back(name);
    labels.push_back(joined(land.labels));
    heights.push_back(height - land.sun.y);
    xs.push_back(land.sun.x);
    ys.push_back(land.sun.y);
    made.emplace(name, std::move(land));
  }
  Table({{"file", names}, {"labels", labels}, {"sun_height", heights}, {"sun_x", xs}, {"sun_y", ys}})
      .save_csv(folder / "landscapes.csv");
  return made;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::cerr << "usage: data_gallery PETS OUT\n";
    return 2;
  }
  const fs::path pets = argv[1], out = argv[2], lands = out / "landscapes";
  const auto made = make_landscapes(lands);
  const ShowBatchOptions six{.max_n = 6, .nrows = 2, .cell = 160};

  // One class a photo, told by its folder.
  ImageDataLoaders::from_folder(pets, {.valid_pct = 0.2, .seed = 42, .item_tfms = {Resize(160)}, .bs = 12})
      .show_batch(six)
      .save(out / "data_classes.png");

  // Several labels, out of a table.
  ImageDataLoaders::from_csv(
      lands, "landscapes.csv",
      {.seed = 42, .bs = 6, .folder = "photos", .suff = ".png", .label_col = "labels", .label_delim = " "})
      .show_batch(six)
      .save(out / "data_labels.png");

  const Table table = read_table(lands / "landscapes.csv");
  std::cout << table.describe() << "\n";
  const ColReader photo("file", {.pref = lands / "photos", .suff = ".png"});
  const auto block = [&](std::vector<Block> targets, Getters get_y) {
    targets.insert(targets.begin(), ImageBlock());
    return DataBlock({.blocks = std::move(targets),
                      .splitter = RandomSplitter(0.2, 42),
                      .get_x = photo,
                      .get_y = std::move(get_y),
                      .n_inp = 1});
  };
  const auto save = [&](const DataBlock& b, const char* name) {
    b.dataloaders(table, {.bs = 6}).show_batch(six).save(out / name);
  };
  const auto landscape = [&made](const Row& row) -> const Landscape& {
    return made.at(row.table->text(row.index, "file"));
  };

  save(block({RegressionBlock()}, ColReader("sun_height")), "data_numbers.png");
  save(block({PointBlock()}, ColReader({"sun_x", "sun_y"})), "data_points.png");
  save(block({BBoxBlock(), BBoxLblBlock()}, {[&](const Row& row) { return landscape(row).boxes; },
                                             [&](const Row& row) { return landscape(row).labels; }}),
       "data_boxes.png");
  const DataBlock masks =
      block({MaskBlock({.codes = codes})}, ColReader("file", {.pref = lands / "masks", .suff = ".png"}));
  save(masks, "data_masks.png");
  std::cout << masks.summary(table).text();

  // Without a picture: a table of what the columns became.
  const DataBlock plain({.blocks = {RegressionBlock(), MultiCategoryBlock()},
                         .splitter = RandomSplitter(0.2, 42),
                         .get_x = ColReader({"sun_x", "sun_y"}),
                         .get_y = ColReader("labels", {.label_delim = " "})});
  save(plain, "data_rows.png");
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
