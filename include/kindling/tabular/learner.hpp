#pragma once
/// A learner for tables.
///
///   auto learn = tabular_learner(dls, {.metrics = {accuracy}});
///   learn.fit_one_cycle(2, 1e-2);
///   std::puts(results_table(learn).c_str());

#include <kindling/tabular/data.hpp>
#include <kindling/tabular/model.hpp>
#include <kindling/train/learner.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

/// fastai's arguments of `tabular_learner` and of `Learner`.
struct TabularLearnerOptions {
  std::vector<int> layers = {200, 100};
  std::map<std::string, int> emb_szs = {};  ///< widths of embeddings in place of the rule's, by column
  TabularConfig config = {};
  int n_out = 0;  ///< 0: as the target needs
  std::optional<std::pair<double, double>> y_range = std::nullopt;
  std::vector<Metric> metrics = {};
  LossFunction loss_func = {};
  OptFunc opt_func = Adam();
  double lr = 1e-3;
  std::optional<double> wd = std::nullopt;
  bool wd_bn_bias = false;
  bool train_bn = true;
  std::array<double, 3> moms{0.95, 0.85, 0.95};
  Callbacks cbs = {};
  fs::path path = ".";
  std::shared_ptr<Listener> listener = nullptr;
};

/// fastai's net over these loaders' columns. Throws `usage` for loaders of other data, `bad_data` where there is only
/// one class to tell.
Learner tabular_learner(DataLoaders dls, TabularLearnerOptions options = {});

/// Codes and width of the embedding of each column of classes (fastai `get_emb_sz`).
std::vector<EmbSize> get_emb_sz(const TabularEncoder& encoder, const std::map<std::string, int>& sz_dict = {});

/// The model alone, as exports name it.
Model create_tabular_model(const std::vector<EmbSize>& emb_szs, int n_cont, int out_sz, const std::vector<int>& layers,
                           const TabularConfig& config = {});

/// Weights for a loss that make each class count alike: n / (classes · n of the class), by the training rows.
std::vector<double> class_weights(const DataLoaders& dls);

struct ResultsTableOptions {
  int max_n = 10;
  int ds_idx = 1;
};
/// Rows with their targets and what the model says, as text (fastai `show_results`).
std::string results_table(Learner& learn, const ResultsTableOptions& options = {});

}  // namespace kindling
