#pragma once
/// A better net for tables than fastai's: 32 nets in one.
///
/// TabM (Gorishniy, Kotelnikov, Babenko, 2025; arXiv 2410.24210) in its form "mini" with piecewise-linear embeddings of numbers
/// (arXiv 2203.05556): k members share all layers but a scaling of the inputs and the last layer; each is trained on its own
/// loss, and their predictions are averaged. From RealMLP (Holzmüller, Grinsztajn, Steinwart, 2024; arXiv 2407.04491) come
/// robust scaling with smooth clipping, one-hot codes for small classes, label smoothing, the best epoch, and the temperature.
///
///   auto dls = TabularDataLoaders::from_csv("adult.csv", {.procs = tabm_procs(), …, .bs = 256});
///   auto learn = tabm_learner(dls, {.metrics = {accuracy}});
///   fit_tabm(learn, 10);

#include <kindling/tabular/data.hpp>
#include <kindling/train/learner.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <torch/nn/module.h>

namespace kindling {

/// (x - median) / (the quartiles' distance; where that is 0 half the range), then x / sqrt(1 + (x / 3)²): outliers come no
/// further than 3. By the training rows.
class RobustScale {
 public:
  static constexpr const char* name = "RobustScale";
  static constexpr int order = 99;

  void setup(TabularFrame& frame, const torch::Tensor& train);
  void encodes(TabularFrame& frame) const;
  void decodes(TabularFrame& frame) const;
  Json to_json() const;
  static RobustScale from_json(const Json& json);

 private:
  std::map<std::string, double> medians_, factors_;
};

/// {Categorify(), FillMissing(), RobustScale()}
TabularProcs tabm_procs(const FillMissingOptions& fill = {});

/// The net's sizes.
struct TabMConfig {
  int k = 32;          ///< members
  int width = 128;     ///< of the hidden layers
  int blocks = 2;      ///< hidden layers
  double dropout = 0.1;
  int bins = 48;       ///< pieces of a number's embedding at most
  int d_num = 12;      ///< width of a number's embedding
  int one_hot = 16;    ///< classes of at most so many codes are one-hot; others get an embedding
  int d_cat = 8;       ///< of that width
};

Json to_json(const TabMConfig& config);
TabMConfig tabm_config_from_json(const Json& json);

/// Inputs as TabularModel's. In training N x k x out, a prediction each member; otherwise N x out: numbers averaged, or the
/// logarithm of the members' mean probabilities over the temperature.
class TabM : public torch::nn::Module {
 public:
  /// `cards`: codes of each column of classes. Pieces begin at 0 and 1 until `set_edges`.
  TabM(std::vector<std::int64_t> cards, int n_cont, int out_sz, bool classes, const TabMConfig& config = {});
  torch::Tensor forward(const torch::Tensor& x_cat, const torch::Tensor& x_cont);
  /// Places the pieces at the quantiles of training rows (N x conts).
  void set_edges(const torch::Tensor& x_cont);
  /// Mean and deviation of the target, which the net's numbers are brought to.
  void set_target(const torch::Tensor& mean, const torch::Tensor& std);
  void set_temperature(double temperature);
  double temperature() const;

 private:
  torch::Tensor features(const torch::Tensor& x_cat, const torch::Tensor& x_cont);
  torch::Tensor embed_numbers(const torch::Tensor& x_cont) const;

  std::vector<std::int64_t> cards_;
  int n_cont_, out_;
  bool classes_;
  TabMConfig config_;
  torch::Tensor low_, width_, first_, last_;             ///< buffers: the pieces, conts x bins
  torch::Tensor y_mean_, y_std_, temperature_;           ///< buffers
  torch::Tensor num_linear_, num_bias_, num_pieces_;     ///< of the numbers' embeddings
  std::vector<torch::Tensor> cat_weights_;               ///< embeddings; undefined for one-hot columns
  torch::Tensor member_scale_, first_weight_, first_bias_, head_weight_, head_bias_;
  std::vector<torch::Tensor> weights_, biases_;
};

struct TabMOptions {
  TabMConfig config = {};
  double label_smoothing = 0.05;
  std::vector<Metric> metrics = {};
  double lr = 3e-3;
  double wd = 0.02;
  Callbacks cbs = {};
  fs::path path = ".";
  std::shared_ptr<Listener> listener = nullptr;
};

/// A learner of it. Throws as `tabular_learner`.
Learner tabm_learner(DataLoaders dls, TabMOptions options = {});

/// Fits one cycle, keeps the epoch with the lowest validation loss, and sets the temperature by the validation rows. Gives the
/// number of that epoch. From then on the process keeps up to 1 GB of memory that it has freed (glibc's mallopt): giving it back
/// after each step would take a third of the time.
int fit_tabm(Learner& learn, int epochs, std::optional<double> lr = std::nullopt);

/// Mean cross-entropy of each member with smoothed labels, or of the averaged prediction as it is.
LossFunction TabMLoss(double label_smoothing = 0);

}  // namespace kindling
