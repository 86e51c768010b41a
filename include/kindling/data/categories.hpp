#pragma once
/// Class names to indices and back.

#include <kindling/data/transform.hpp>

namespace kindling {

struct CategorizeOptions {
  std::vector<std::string> vocab = {};  ///< empty: the training items' labels
  bool sort = true;     ///< sort the names, also given ones (as fastai); false: order of first appearance
  bool add_na = false;  ///< "#na#" at 0 for unknown labels
};

/// Category to CategoryIndex by a vocabulary that is given or learnt from the training items (fastai
/// `Categorize`). An unknown label throws `bad_data` naming it and the known ones.
class Categorize {
 public:
  static constexpr const char* name = "Categorize";
  static constexpr int order = 1;
  explicit Categorize(CategorizeOptions options = {});

  void setup(const std::vector<Value>& train_items);
  CategoryIndex encodes(const Category& label) const;
  Category decodes(const CategoryIndex& index) const;
  std::vector<std::string> vocab() const { return vocab_; }
  Json to_json() const;
  static Categorize from_json(const Json& json);

 private:
  CategorizeOptions options_;
  std::vector<std::string> vocab_;
};

}  // namespace kindling
