#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/learner.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>

#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/utils.h>

namespace kindling {

namespace {

/// The optimizer, the weights and torch's random numbers as they were, put back when this goes.
class Restore {
 public:
  explicit Restore(Learner& learn) : learn_(learn), hypers_(learn.opt->hypers_to_json()) {
    for (const auto& [name, tensor] : state_dict(learn.model.module()))
      weights_.emplace_back(tensor, tensor.detach().clone());
    for (const auto& [name, tensor] : learn.opt->state()) opt_state_[name] = tensor.detach().clone();
    generators_.push_back(at::globalContext().defaultGenerator(at::kCPU));
    if (!learn.dls.device().is_cpu())
      generators_.push_back(at::globalContext().defaultGenerator(learn.dls.device()));
    for (auto& generator : generators_) {
      const std::lock_guard lock(generator.mutex());
      random_.push_back(generator.get_state());
    }
  }
  Restore(const Restore&) = delete;
  ~Restore() {
    torch::NoGradGuard no_grad;
    learn_.opt->zero_grad();
    for (auto& [tensor, value] : weights_) tensor.copy_(value);
    learn_.opt->load_hypers(hypers_);
    learn_.opt->load_state(opt_state_);
    for (std::size_t i = 0; i < generators_.size(); ++i) {
      const std::lock_guard lock(generators_[i].mutex());
      generators_[i].set_state(random_[i]);
    }
  }

 private:
  Learner& learn_;
  Json hypers_;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> weights_;
  std::map<std::string, torch::Tensor> opt_state_;
  std::vector<at::Generator> generators_;
  std::vector<torch::Tensor> random_;
};

/// Training with an exponentially growing learning rate (fastai `LRFinder`).
struct LRFinder {
  static constexpr int order = 60;
  static constexpr bool run_valid = false;
  LrFindOptions options;
  std::shared_ptr<Listener> listener;
  std::shared_ptr<LrCurve> curve;
  std::vector<Schedule> scheds = {};
  SmoothLoss smooth = SmoothLoss();
  double best = std::numeric_limits<double>::infinity();
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  void before_fit(Learner& learn) {
    const auto n = learn.opt->n_groups();
    const auto first = options.start_lr.over(n), last = options.end_lr.over(n);
    for (std::size_t g = 0; g < n; ++g) scheds.push_back(SchedExp(first[g], last[g]));
  }
  void before_batch(Learner& learn) {
    std::vector<double> lrs;
    for (const Schedule& sched : scheds)
      lrs.push_back(sched(static_cast<double>(learn.train_iter) / options.num_it));
    learn.opt->set_hyper("lr", Hyper(std::move(lrs)));
  }
  void after_batch(Learner& learn) {
    smooth.add(learn.loss.item<double>());
    const double loss = smooth.value();
    curve->lrs.push_back(learn.opt->hypers(learn.opt->n_groups() - 1).at("lr"));
    curve->losses.push_back(loss);
    best = std::min(best, loss);
    const bool diverged = options.stop_div && loss > 4 * best;
    const bool last = diverged || learn.train_iter >= options.num_it;
    show(learn.train_iter, loss, last);
    if (last) throw CancelFit{};
  }
  void before_validate(Learner&) { throw CancelValid{}; }

 private:
  void show(std::int64_t done, double loss, bool finished) const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    listener->progress({.what = "lr_find",
                        .done = done,
                        .total = options.num_it,
                        .note = fmt::format("{:.4f}", loss),
                        .elapsed_s = elapsed.count(),
                        .finished = finished});
  }
};

}  // namespace

LrFindResult Learner::lr_find(const LrFindOptions& given) {
  LrFindOptions options = given;
  options.num_it = std::max(options.num_it, 6);
  if (!opt) create_opt();
  const auto curve = std::make_shared<LrCurve>();
  bool stopped = false;
  {
    // A mock training neither shows in the record nor counts as a fit, nor uses up an order of the items.
    struct Keep {
      Learner& learn;
      std::shared_ptr<Listener> listener = std::exchange(learn.options_.listener, silent_listener());
      std::shared_ptr<Recorder> recorder = std::exchange(learn.recorder_, std::make_shared<Recorder>());
      std::shared_ptr<const TrainingState> resume = std::exchange(learn.resume_, nullptr);
      std::int64_t epochs_begun = learn.epochs_begun_;
      std::int64_t fits_begun = learn.fits_begun_;
      std::int64_t steps_done = learn.steps_done_;
      Callbacks cbs = learn.cbs_;
      ~Keep() {
        learn.options_.listener = listener;
        learn.recorder_ = recorder;
        learn.resume_ = resume;
        learn.epochs_begun_ = epochs_begun;
        learn.fits_begun_ = fits_begun;
        learn.steps_done_ = steps_done;
        learn.cbs_ = std::move(cbs);
      }
    };
    const Keep keep{*this};
    std::erase_if(cbs_, [](const Callback& cb) { return cb.skip_lr_find(); });
    const Restore restore(*this);
    const auto batches = std::max<std::int64_t>(dls.train().size(), 1);
    fit(static_cast<int>(options.num_it / batches) + 1,
        {.cbs = {LRFinder{.options = options, .listener = keep.listener, .curve = curve}}});
    stopped = std::exchange(interrupted, false);
  }
  LrFindResult result = suggestions_of(std::move(*curve), options.num_it);
  result.interrupted = stopped;
  return result;
}

LrFindResult lr_find(Learner& learn, const LrFindOptions& options) {
  return learn.lr_find(options);
}

}  // namespace kindling
