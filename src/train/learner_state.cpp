// What a learner must remember to go on as if it had never stopped, and weights to and from files.

#include <kindling/core/error.hpp>
#include <kindling/train/checkpoint.hpp>

#include "train/doubles.hpp"

#include <map>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

using detail::doubles;

constexpr const char* model_prefix = "model.";
constexpr const char* opt_prefix = "opt.";
constexpr const char* grad_prefix = "grad.";

/// The tensors whose name begins with `prefix`, without it.
std::map<std::string, torch::Tensor> below(const Weights::Named& tensors, std::string_view prefix) {
  std::map<std::string, torch::Tensor> found;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) found.emplace(name.substr(prefix.size()), tensor);
  }
  return found;
}

void add(Weights::Named& tensors, const std::string& prefix, const Weights::Named& more) {
  for (const auto& [name, tensor] : more) tensors.emplace_back(prefix + name, tensor);
}

torch::Tensor find(const Weights::Named& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  throw Error(ErrorCode::bad_model, "the checkpoint lacks a tensor", {{"tensor", name}});
}

torch::Tensor doubles(const std::vector<double>& values) {
  return torch::tensor(values, torch::kFloat64);
}

// ---- the record. Rows are tensors, since JSON knows no NaN.

torch::Tensor rows_of(const std::vector<EpochRecord>& records) {
  std::vector<double> flat;
  for (const EpochRecord& r : records) {
    flat.insert(flat.end(), {static_cast<double>(r.epoch), r.train_loss, r.valid_loss, r.seconds,
                             static_cast<double>(r.metrics.size())});
    flat.insert(flat.end(), r.metrics.begin(), r.metrics.end());
    flat.insert(flat.end(), r.train_metrics.begin(), r.train_metrics.end());
  }
  const auto n = static_cast<std::int64_t>(records.size());
  return n == 0 ? torch::empty({0, 0}, torch::kFloat64) : doubles(flat).reshape({n, -1});
}

std::vector<EpochRecord> records_from(const torch::Tensor& rows) {
  constexpr std::int64_t fixed = 5;
  std::vector<EpochRecord> records;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const auto row = doubles(rows[i]);
    const auto n = static_cast<std::int64_t>(row.size());
    const auto metrics = n < fixed ? -1 : static_cast<std::int64_t>(row[4]);
    if (metrics < 0 || metrics > n - fixed)
      throw Error(ErrorCode::bad_model, "the checkpoint's record is not complete");
    records.push_back({.epoch = static_cast<std::int64_t>(row[0]),
                       .train_loss = row[1],
                       .valid_loss = row[2],
                       .metrics = {row.begin() + fixed, row.begin() + fixed + metrics},
                       .seconds = row[3],
                       .train_metrics = {row.begin() + fixed + metrics, row.end()}});
  }
  return records;
}

void add_record(TrainingState& state, const Recorder& record) {
  state.values["recorder"] = {{"metric_names", record.metric_names}, {"iters", record.iters}};
  add(state.tensors, "recorder.",
      {{"lrs", doubles(record.lrs)},
       {"moms", doubles(record.moms)},
       {"losses", doubles(record.losses)},
       {"epochs", rows_of(record.epochs)},
       {"history", rows_of(record.history)}});
}

void load_record(const TrainingState& state, Recorder& record) {
  const Json& values = state.values.at("recorder");
  record.metric_names = values.at("metric_names").get<std::vector<std::string>>();
  record.iters = values.at("iters").get<std::vector<std::int64_t>>();
  record.lrs = doubles(find(state.tensors, "recorder.lrs"));
  record.moms = doubles(find(state.tensors, "recorder.moms"));
  record.losses = doubles(find(state.tensors, "recorder.losses"));
  record.epochs = records_from(find(state.tensors, "recorder.epochs"));
  record.history = records_from(find(state.tensors, "recorder.history"));
}

// ---- callbacks, numbered in the order in which they run

std::string callback_prefix(std::size_t index) {
  return fmt::format("cb.{}.", index);
}

void add_callbacks(TrainingState& state, const Callbacks& cbs) {
  Json all = Json::array();
  for (const Callback& cb : cbs) {
    if (!cb.has_state()) continue;
    CallbackState kept;
    cb.save_state(kept);
    add(state.tensors, callback_prefix(all.size()), kept.tensors);
    all.push_back({{"name", cb.name()}, {"values", std::move(kept.values)}});
  }
  state.values["callbacks"] = std::move(all);
}

/// Callbacks whose state is not in the checkpoint (one that was added since) begin anew; one that is missing now
/// would change what is learnt.
void load_callbacks(const TrainingState& state, const Callbacks& cbs) {
  const Json& all = state.values.at("callbacks");
  std::size_t at = 0;
  for (const Callback& cb : cbs) {
    if (!cb.has_state() || at >= all.size() || all[at].at("name") != cb.name()) continue;
    CallbackState kept{.values = all[at].at("values")};
    for (auto& [name, tensor] : below(state.tensors, callback_prefix(at))) kept.tensors.emplace_back(name, tensor);
    cb.load_state(kept);
    ++at;
  }
  if (at == all.size()) return;
  throw Error(ErrorCode::usage, "the training was begun with a callback that this one lacks",
              {{"callback", all[at].at("name").get<std::string>()}},
              "go on with the same callbacks in the same order");
}

// ---- random numbers

at::Generator& cpu_generator() {
  // NOLINTNEXTLINE: torch hands out its global generators as const.
  return const_cast<at::Generator&>(at::detail::getDefaultCPUGenerator());
}

at::Generator& cuda_generator(torch::Device device) {
  // NOLINTNEXTLINE: likewise.
  return const_cast<at::Generator&>(at::globalContext().defaultGenerator(device));
}

void add_random(TrainingState& state, torch::Device device) {
  state.tensors.emplace_back("rng.cpu", cpu_generator().get_state());
  if (device.is_cuda()) state.tensors.emplace_back("rng.cuda", cuda_generator(device).get_state());
}

bool has_cuda_random(const TrainingState& state) {
  return !below(state.tensors, "rng.cuda").empty();
}

void load_random(const TrainingState& state, torch::Device device) {
  cpu_generator().set_state(find(state.tensors, "rng.cpu").clone());
  if (device.is_cuda() && has_cuda_random(state))
    cuda_generator(device).set_state(find(state.tensors, "rng.cuda").clone());
}

// ---- gradients that are being accumulated

void add_grads(TrainingState& state, const Learner& learn) {
  for (const auto& p : learn.model.module().named_parameters()) {
    if (p.value().grad().defined()) state.tensors.emplace_back(grad_prefix + p.key(), p.value().grad());
  }
}

void load_grads(const TrainingState& state, Learner& learn) {
  const auto grads = below(state.tensors, grad_prefix);
  for (auto& p : learn.model.module().named_parameters()) {
    const auto found = grads.find(p.key());
    p.value().mutable_grad() =
        found == grads.end() ? torch::Tensor() : torch::empty_like(p.value()).copy_(found->second);
  }
}

Error unfit(const char* what, std::int64_t expected, std::int64_t got) {
  return Error(ErrorCode::usage, fmt::format("the training that is to go on has another {}", what),
               {{"expected", expected}, {"got", got}}, "go on with the calls and settings of the first one");
}

}  // namespace

TrainingState Learner::state(At at) const {
  TrainingState state;
  TrainingPosition& p = state.position;
  p.fit = fits_begun_ - 1;
  p.fit_done = at == At::fit_end;
  p.in_epoch = at == At::batch_end || at == At::train_end;
  p.epoch = at == At::epoch_end ? epoch + 1 : epoch;
  p.batch = at == At::batch_end ? iter + 1 : at == At::train_end ? dls.train().size() : 0;
  p.steps = steps_done_;
  state.values = {{"n_epoch", n_epoch},         {"n_iter", dls.train().size()}, {"epochs_begun", epochs_begun_},
                  {"train_iter", train_iter},   {"pct_train", pct_train},       {"parts", parts_},
                  {"optimizer", opt->hypers_to_json()}};
  add(state.tensors, model_prefix, state_dict(model.module()));
  add(state.tensors, opt_prefix, opt->state());
  add_grads(state, *this);
  add_random(state, dls.device());
  add_record(state, *recorder_);
  add_callbacks(state, cbs_);
  return state;
}

void load_weights(Learner& learn, const TrainingState& state) {
  const auto weights = below(state.tensors, model_prefix);
  load_state_dict(learn.model.module(), Weights({weights.begin(), weights.end()}));
}

void Learner::resume(TrainingState state) {
  if (has_cuda_random(state) != dls.device().is_cuda()) {
    listener().message(Level::warning,
                       fmt::format("the checkpoint was written on {}: on {} the training goes on with other random numbers",
                                   has_cuda_random(state) ? "a CUDA device" : "the CPU", dls.device().str()));
  }
  resume_ = std::make_shared<const TrainingState>(std::move(state));
  fits_begun_ = 0;
}

void Learner::restore(const TrainingState& state) {
  torch::NoGradGuard no_grad;
  try {
    const Json& v = state.values;
    if (const int n = v.at("n_epoch").get<int>(); n != n_epoch) throw unfit("number of epochs", n, n_epoch);
    if (const auto n = v.at("n_iter").get<std::int64_t>(); n != dls.train().size())
      throw unfit("number of batches an epoch", n, dls.train().size());
    load_weights(*this, state);
    opt->load_hypers(v.at("optimizer"));
    opt->load_state(below(state.tensors, opt_prefix));
    load_grads(state, *this);
    load_random(state, dls.device());
    epochs_begun_ = v.at("epochs_begun").get<std::int64_t>() - (state.position.in_epoch ? 1 : 0);
    train_iter = v.at("train_iter").get<std::int64_t>();
    pct_train = v.at("pct_train").get<double>();
    parts_ = v.at("parts").get<int>();
    steps_done_ = state.position.steps;
    load_record(state, *recorder_);
    load_callbacks(state, cbs_);
  } catch (const Json::exception& e) {
    throw Error(ErrorCode::bad_model, "the checkpoint is not complete", {{"detail", e.what()}});
  }
}

/// Events before the first batch may have drawn random numbers or changed the model, which they had done before the
/// checkpoint too: its state is set a second time behind them.
std::int64_t Learner::take_resume_batch() {
  if (!resume_) return 0;
  restore(*resume_);
  const std::int64_t batch = resume_->position.batch;
  resume_.reset();
  return batch;
}

// ---- save and load

fs::path Learner::save(const std::string& name, const SaveModelOptions& options) {
  const fs::path path = options_.path / options_.model_dir / (name + ".safetensors");
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  if (failed) throw system_error(failed.value(), "create the folder", path.parent_path());
  Weights::Named tensors;
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  add(tensors, options.with_opt && opt ? model_prefix : "", state_dict(model.module()));
  if (options.with_opt && opt) {
    add(tensors, opt_prefix, opt->state());
    metadata["kindling.optimizer"] = opt->hypers_to_json().dump();
  }
  save_safetensors(path, tensors, metadata);
  return path;
}

void Learner::load(const fs::path& name, const LoadModelOptions& options) {
  std::error_code ignored;
  const fs::path inside = options_.path / options_.model_dir / (name.string() + ".safetensors");
  const Weights weights = Weights::open(fs::exists(inside, ignored) || !fs::exists(name, ignored) ? inside : name);
  const auto optimizer = weights.metadata().find("kindling.optimizer");
  const bool has_opt = optimizer != weights.metadata().end();
  const auto kept = below(weights.tensors(), model_prefix);
  load_state_dict(model.module(), has_opt ? Weights({kept.begin(), kept.end()}) : weights,
                  {.strict = options.strict});
  if (!options.with_opt) return;
  if (!has_opt) {
    listener().message(Level::warning, "the file holds no optimizer state: the optimizer stays as it is");
    return;
  }
  if (!opt) create_opt();
  opt->load_hypers(parse_json(optimizer->second, "the optimizer's settings"));
  opt->load_state(below(weights.tensors(), opt_prefix));
}

}  // namespace kindling
