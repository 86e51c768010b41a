#include <kindling/tabular/frame.hpp>

#include "tabular/unique_cells.hpp"

namespace kindling {

TabularFrame::TabularFrame(Table given, std::vector<std::string> cats, std::vector<std::string> conts_given)
    : table(std::move(given)),
      cat_names(std::move(cats)),
      cont_names(std::move(conts_given)),
      n_rows(table.n_rows()) {}

const torch::Tensor& TabularFrame::cont(const std::string& name) {
  auto found = conts.find(name);
  if (found == conts.end()) found = conts.emplace(name, detail::number_column(table, name)).first;
  return found->second;
}

const detail::UniqueCells& TabularFrame::unique(const std::string& name) const {
  auto& cells = unique_[name];
  if (!cells) cells = std::make_shared<const detail::UniqueCells>(detail::unique_cells(table, name));
  return *cells;
}

}  // namespace kindling
