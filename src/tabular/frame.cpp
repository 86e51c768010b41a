#include <kindling/core/thread_pool.hpp>
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

void TabularFrame::prefetch() {
  constexpr std::int64_t worth_threads = 20000;
  if (n_rows < worth_threads) return;
  std::vector<std::shared_ptr<const detail::UniqueCells>> classes(cat_names.size());
  std::vector<torch::Tensor> numbers(cont_names.size());
  ThreadPool().for_each(classes.size() + numbers.size(), [&](std::size_t i) {
    if (i < classes.size())
      classes[i] = std::make_shared<const detail::UniqueCells>(detail::unique_cells(table, cat_names[i]));
    else
      numbers[i - classes.size()] = detail::number_column(table, cont_names[i - classes.size()]);
  });
  for (std::size_t i = 0; i < classes.size(); ++i) unique_[cat_names[i]] = classes[i];
  for (std::size_t i = 0; i < numbers.size(); ++i) conts[cont_names[i]] = numbers[i];
}

const detail::UniqueCells& TabularFrame::unique(const std::string& name) const {
  auto& cells = unique_[name];
  if (!cells) cells = std::make_shared<const detail::UniqueCells>(detail::unique_cells(table, name));
  return *cells;
}

}  // namespace kindling
