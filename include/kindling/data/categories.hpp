#pragma once
/// Class names to indices and back: one a item, several, or several as ones and zeros.

#include <kindling/data/transform.hpp>

namespace kindling {

struct CategorizeOptions {
  std::vector<std::string> vocab = {};  ///< empty: the training items' labels
  bool sort = true;     ///< sort the names, also given ones (as fastai); false: order of first appearance
  bool add_na = false;  ///< "#na#" at 0 for unknown and missing labels
};

/// Category to CategoryIndex by a vocabulary that is given or learnt from the training items (fastai
/// `Categorize`); numbers are classes too, and sorted as such. An unknown label throws `bad_data` naming it and the known
/// ones, an empty one too.
class Categorize {
 public:
  static constexpr const char* name = "Categorize";
  static constexpr int order = 1;
  explicit Categorize(CategorizeOptions options = {});

  void setup(const std::vector<Value>& train_items);
  CategoryIndex encodes(const Category& label) const;
  CategoryIndex encodes(const Number& label) const;
  CategoryIndex encodes(std::monostate missing) const;
  Category decodes(const CategoryIndex& index) const;
  std::vector<std::string> vocab() const { return vocab_; }
  Json to_json() const;
  static Categorize from_json(const Json& json);

 private:
  CategorizeOptions options_;
  std::vector<std::string> vocab_;
};

struct MultiCategorizeOptions {
  std::vector<std::string> vocab = {};  ///< empty: all labels of the training items, sorted; a given one keeps its order
  bool add_na = false;                  ///< "#na#" at 0 for unknown labels
};

/// Categories to CategoryIndices (fastai `MultiCategorize`). Unknown labels throw `bad_data` naming them all.
class MultiCategorize {
 public:
  static constexpr const char* name = "MultiCategorize";
  static constexpr int order = 1;
  explicit MultiCategorize(MultiCategorizeOptions options = {});

  void setup(const std::vector<Value>& train_items);
  CategoryIndices encodes(const Categories& labels) const;
  /// One label is a list of one.
  CategoryIndices encodes(const Category& label) const { return encodes(Categories{{label.name}}); }
  Categories decodes(const CategoryIndices& indices) const;
  /// The classes of boxes, n int64.
  Categories decodes(const TensorMultiCategory& indices) const;
  std::vector<std::string> vocab() const { return vocab_; }
  Json to_json() const;
  static MultiCategorize from_json(const Json& json);

 private:
  MultiCategorizeOptions options_;
  std::vector<std::string> vocab_;
};

/// CategoryIndices to a float vector of `c` ones and zeros; decoded are the places of what is above one half. With 0 `c` is
/// learnt from the training items.
class OneHotEncode {
 public:
  static constexpr const char* name = "OneHotEncode";
  static constexpr int order = 2;
  explicit OneHotEncode(int c = 0) : c_(c) {}

  void setup(const std::vector<Value>& train_items);
  TensorMultiCategory encodes(const CategoryIndices& indices) const;
  CategoryIndices decodes(const TensorMultiCategory& one_hot) const;
  int c() const { return c_; }
  Json to_json() const { return {{"c", c_}}; }
  static OneHotEncode from_json(const Json& json) { return OneHotEncode(json.at("c").get<int>()); }

 private:
  int c_;
};

/// Numbers that are ones and zeros already, one a class of the vocabulary in its order (fastai
/// `EncodedMultiCategorize`).
class EncodedMultiCategorize {
 public:
  static constexpr const char* name = "EncodedMultiCategorize";
  static constexpr int order = 1;
  /// Throws `usage` without names.
  explicit EncodedMultiCategorize(std::vector<std::string> vocab);

  TensorMultiCategory encodes(const Numbers& one_hot) const;
  Categories decodes(const TensorMultiCategory& one_hot) const;
  std::vector<std::string> vocab() const { return vocab_; }
  Json to_json() const { return {{"vocab", vocab_}}; }
  static EncodedMultiCategorize from_json(const Json& json);

 private:
  std::vector<std::string> vocab_;
};

}  // namespace kindling
