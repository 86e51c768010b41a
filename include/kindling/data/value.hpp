#pragma once
/// What flows through a pipeline: one variant of semantic types. Transforms choose by type what they act on.

#include <kindling/core/files.hpp>
#include <kindling/data/image.hpp>

#include <any>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// A class name, before it is looked up in the vocabulary.
struct Category {
  std::string name;
};

/// A class as its place in the vocabulary.
struct CategoryIndex {
  std::int64_t index = 0;
};

/// Several class names of one item.
struct Categories {
  std::vector<std::string> names;
};

/// Several classes as their places in the vocabulary.
struct CategoryIndices {
  std::vector<std::int64_t> indices;
};

struct Number {
  double value = 0;
};

/// Several numbers that are one member of an item: the targets of a regression.
struct Numbers {
  std::vector<double> values;
};

struct Text {
  std::string text;
};

/// The class of each pixel: a picture of one channel, whose values are class indices and no brightness.
struct Mask {
  Image image;
};

/// A point in pixels: x to the right and y down from the picture's top left corner.
struct Point {
  float x = 0, y = 0;
  bool operator==(const Point&) const = default;
};

/// Points on the item's first picture.
struct Points {
  std::vector<Point> points;
};

/// A rectangle in pixels.
struct BBox {
  float left = 0, top = 0, right = 0, bottom = 0;
  bool operator==(const BBox&) const = default;
};

/// Boxes on the item's first picture.
struct BBoxes {
  std::vector<BBox> boxes;
};

class Table;

/// A row of a table that is shared by all its rows.
struct Row {
  std::shared_ptr<const Table> table;
  std::int64_t index = 0;
};

/// A batch of pictures: N x C x H x W, uint8 as collated, float32 in [0, 1] later; channels last in memory.
struct TensorImage {
  torch::Tensor tensor;
};

/// A batch of masks: N x H x W, uint8 as collated, int64 later.
struct TensorMask {
  torch::Tensor tensor;
};

/// Points scaled to [-1, 1] of the picture's width (x) and height (y): n x 2 of an item, N x n x 2 of a batch,
/// float32.
struct TensorPoint {
  torch::Tensor tensor;
};

/// Boxes as left, top, right, bottom, scaled like points: n x 4 of an item, N x n x 4 of a batch, where items with
/// fewer boxes end in zeros; float32.
struct TensorBBox {
  torch::Tensor tensor;
};

/// A batch of class indices: N, int64.
struct TensorCategory {
  torch::Tensor tensor;
};

/// Several classes an item: one-hot C (N x C of a batch) float32, or the classes of boxes, N x n int64.
struct TensorMultiCategory {
  torch::Tensor tensor;
};

/// The one open alternative: a value kind of the user's own.
struct UserValue {
  std::any value;
};

/// Kinds of one item first, then those of a collated batch (scaled points, boxes and one-hot classes are both).
using Value = std::variant<std::monostate, fs::path, Bytes, Image, Mask, Category, CategoryIndex, Categories,
                           CategoryIndices, Number, Numbers, Text, Points, BBoxes, Row, torch::Tensor, TensorImage,
                           TensorMask, TensorPoint, TensorBBox, TensorCategory, TensorMultiCategory, UserValue>;

/// "Image", "Category" …, for messages.
std::string_view kind_of(const Value& value);

/// "Image 500x375x3", "Category 'cat'", "Tensor [2, 3] Float", for messages and summaries.
std::string describe(const Value& value);

/// The tensor in a value; an undefined tensor for kinds that hold none.
torch::Tensor tensor_of(const Value& value);

/// The same kind of value round another tensor; kinds that hold no tensor come back as they are.
Value with_tensor(const Value& value, torch::Tensor tensor);

/// What a learner sees of a batch. `x` are the model's inputs, `y` the targets (empty for unlabelled items).
struct Batch {
  std::vector<torch::Tensor> x;
  std::vector<torch::Tensor> y;
  std::vector<std::int64_t> items;  ///< place of each item in its data set
  /// Items in the batch.
  std::int64_t size() const { return x.empty() ? 0 : x.front().size(0); }
};

}  // namespace kindling
