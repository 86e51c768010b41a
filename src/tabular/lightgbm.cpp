#include "tabular/lightgbm.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

namespace kindling::detail {

namespace {

constexpr int float32_type = 0, row_major = 1, plain_prediction = 0, all_trees = -1, trees = 100;

/// The functions of LightGBM's c_api.h (4.x) that are needed. Each gives 0 where it succeeded.
struct LightGbm {
  int (*dataset_from_mat)(const void*, int, std::int32_t, std::int32_t, int, const char*, void*, void**);
  int (*set_field)(void*, const char*, const void*, int, int);
  int (*free_dataset)(void*);
  int (*create_booster)(void*, const char*, void**);
  int (*update)(void*, int*);
  int (*predict)(void*, const void*, int, std::int32_t, std::int32_t, int, int, int, int, const char*, std::int64_t*, double*);
  int (*free_booster)(void*);
};

template <class F>
void find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  if (function == nullptr) throw std::runtime_error(name);
}

/// Loaded once, and kept.
std::optional<LightGbm> load() {
  const char* named = std::getenv("KINDLING_LIGHTGBM");
  void* library = ::dlopen(named != nullptr ? named : "lib_lightgbm.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  LightGbm api{};
  try {
    find(library, "LGBM_DatasetCreateFromMat", api.dataset_from_mat);
    find(library, "LGBM_DatasetSetField", api.set_field);
    find(library, "LGBM_DatasetFree", api.free_dataset);
    find(library, "LGBM_BoosterCreate", api.create_booster);
    find(library, "LGBM_BoosterUpdateOneIter", api.update);
    find(library, "LGBM_BoosterPredictForMat", api.predict);
    find(library, "LGBM_BoosterFree", api.free_booster);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
  return api;
}

void check(int status) {
  if (status != 0) throw std::runtime_error("LightGBM");
}

std::string parameters_of(const TreeTask& task) {
  std::vector<std::int64_t> categorical(static_cast<std::size_t>(task.n_categorical));
  for (std::size_t i = 0; i < categorical.size(); ++i) categorical[i] = static_cast<std::int64_t>(i);
  const std::string objective = task.classes == 0   ? "objective=regression"
                                : task.classes == 2 ? "objective=binary"
                                                    : fmt::format("objective=multiclass num_class={}", task.classes);
  return fmt::format("{} verbosity=-1 deterministic=true force_row_wise=true seed={} num_threads={} categorical_feature={}",
                     objective, task.seed, at::get_num_threads(), fmt::join(categorical, ","));
}

torch::Tensor fit_and_predict(const LightGbm& api, const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& valid,
                              const TreeTask& task) {
  const std::string parameters = parameters_of(task);
  const auto rows = static_cast<std::int32_t>(x.size(0)), columns = static_cast<std::int32_t>(x.size(1));
  void* handle = nullptr;
  check(api.dataset_from_mat(x.const_data_ptr<float>(), float32_type, rows, columns, row_major, parameters.c_str(), nullptr, &handle));
  const std::unique_ptr<void, int (*)(void*)> dataset(handle, api.free_dataset);
  check(api.set_field(dataset.get(), "label", y.const_data_ptr<float>(), rows, float32_type));
  check(api.create_booster(dataset.get(), parameters.c_str(), &handle));
  const std::unique_ptr<void, int (*)(void*)> booster(handle, api.free_booster);
  int finished = 0;
  for (int tree = 0; tree < trees && finished == 0; ++tree) check(api.update(booster.get(), &finished));
  const std::int64_t outputs = task.classes > 2 ? task.classes : 1;
  auto said = torch::empty({valid.size(0), outputs}, torch::kFloat64);
  std::int64_t length = 0;
  check(api.predict(booster.get(), valid.const_data_ptr<float>(), float32_type, static_cast<std::int32_t>(valid.size(0)), columns,
                    row_major, plain_prediction, 0, all_trees, parameters.c_str(), &length, said.data_ptr<double>()));
  if (length != said.numel()) throw std::runtime_error("LightGBM");
  if (task.classes == 2) return torch::cat({1 - said, said}, 1);
  return task.classes == 0 ? said.squeeze(1) : said;
}

}  // namespace

std::optional<torch::Tensor> lightgbm_predictions(const torch::Tensor& x, const torch::Tensor& y, const torch::Tensor& valid,
                                                  const TreeTask& task) {
  static const std::optional<LightGbm> api = load();
  if (!api) return std::nullopt;
  try {
    return fit_and_predict(*api, x.contiguous(), y.contiguous(), valid.contiguous(), task);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace kindling::detail
