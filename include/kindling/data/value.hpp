#pragma once
/// What flows through a pipeline: one variant of semantic types. Transforms choose by type what they act on.

#include <kindling/core/files.hpp>
#include <kindling/data/image.hpp>

#include <any>
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

struct Number {
  double value = 0;
};

struct Text {
  std::string text;
};

/// A batch of pictures: N x C x H x W, uint8 as collated, float32 in [0, 1] later; channels last in memory.
struct TensorImage {
  torch::Tensor tensor;
};

/// A batch of class indices: N, int64.
struct TensorCategory {
  torch::Tensor tensor;
};

/// The one open alternative: a value kind of the user's own.
struct UserValue {
  std::any value;
};

/// Kinds of one item (path … tensor), and of a collated batch (TensorImage, TensorCategory, tensor).
using Value = std::variant<std::monostate, fs::path, Bytes, Image, Category, CategoryIndex, Number, Text,
                           torch::Tensor, TensorImage, TensorCategory, UserValue>;

/// "Image", "Category" …, for messages.
std::string_view kind_of(const Value& value);

/// "Image 500x375x3", "Category 'cat'", "Tensor [2, 3] Float", for messages and summaries.
std::string describe(const Value& value);

/// The tensor in a batch value; an undefined tensor for kinds that hold none.
torch::Tensor tensor_of(const Value& value);

/// What a learner sees of a batch. `x` are the model's inputs, `y` the targets (empty for unlabelled items).
struct Batch {
  std::vector<torch::Tensor> x;
  std::vector<torch::Tensor> y;
  std::vector<std::int64_t> items;  ///< place of each item in its data set
  /// Items in the batch.
  std::int64_t size() const { return x.empty() ? 0 : x.front().size(0); }
};

}  // namespace kindling
