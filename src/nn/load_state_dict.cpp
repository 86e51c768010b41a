#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/nn/module.h>

namespace kindling {

namespace {

constexpr std::size_t names_shown = 3;

std::string shape_text(at::IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

/// "2 missing (a, b)"; nothing for none.
std::string listing(const std::vector<std::string>& names, const std::string& what) {
  if (names.empty()) return "";
  const std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), names_shown)));
  return fmt::format("{} {} ({}{})", names.size(), what, fmt::join(first, "; "),
                     names.size() > names_shown ? "; …" : "");
}

std::string join_present(const std::vector<std::string>& parts, const char* separator) {
  std::string out;
  for (const auto& part : parts) {
    if (part.empty()) continue;
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

struct Match {
  std::string name;
  at::Tensor target;
  at::Tensor source;
};

struct Plan {
  std::vector<Match> matches;
  std::vector<Match> misshapen;
  LoadReport report;
};

Plan match_names(const torch::nn::Module& module, const Weights& weights) {
  Plan plan;
  std::unordered_set<std::string> known;
  for (const auto& [name, target] : state_dict(module)) {
    known.insert(name);
    if (!weights.contains(name)) {
      // Batch norm counts its batches since PyTorch 0.4.1; older files have no such count, and nothing needs
      // it.
      if (!name.ends_with("num_batches_tracked")) plan.report.missing.push_back(name);
      continue;
    }
    const auto& source = weights.at(name);
    if (source.sizes() != target.sizes()) {
      plan.report.misshapen.push_back(fmt::format("{}: expected {}, got {}", name, shape_text(target.sizes()),
                                                  shape_text(source.sizes())));
      plan.misshapen.push_back({name, target, source});
      continue;
    }
    plan.report.loaded.push_back(name);
    plan.matches.push_back({name, target, source});
  }
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!known.contains(name)) plan.report.unexpected.push_back(name);
  }
  return plan;
}

/// The prefix that all names of the file have before a name of the module ("module." of DataParallel), or
/// nothing.
std::string foreign_prefix(const LoadReport& report) {
  if (report.missing.empty() || report.unexpected.empty() || !report.loaded.empty()) return "";
  const std::string& foreign = report.unexpected.front();
  for (const auto& name : report.missing) {
    if (foreign.size() > name.size() && foreign.ends_with(name)) {
      const std::string prefix = foreign.substr(0, foreign.size() - name.size());
      const auto has_prefix = [&](const std::string& other) { return other.starts_with(prefix); };
      if (std::ranges::all_of(report.unexpected, has_prefix)) return prefix;
    }
  }
  return "";
}

std::string hint_of(const Plan& plan) {
  const auto differs_in_outputs = [](const Match& m) {
    return m.target.dim() > 0 && m.target.dim() == m.source.dim() &&
           m.target.sizes().slice(1) == m.source.sizes().slice(1);
  };
  if (!plan.misshapen.empty() && plan.report.missing.empty() &&
      std::ranges::all_of(plan.misshapen, differs_in_outputs)) {
    const Match& m = plan.misshapen.front();
    return fmt::format(
        "the file was made for {} classes and the model has {}: create it with num_classes = {}, or load "
        "with "
        "strict = false, which leaves that layer as it is",
        m.source.size(0), m.target.size(0), m.source.size(0));
  }
  if (const std::string prefix = foreign_prefix(plan.report); !prefix.empty()) {
    return fmt::format("all names in the file begin with '{}': take it off with Weights::renamed", prefix);
  }
  return "see whether the file is for this architecture, or load with strict = false, which takes what fits";
}

Error does_not_fit(const Plan& plan) {
  const LoadReport& r = plan.report;
  const std::string what = join_present(
      {listing(r.missing, "missing"), listing(r.unexpected, "unexpected"), listing(r.misshapen, "misshapen")},
      ", ");
  return Error(ErrorCode::bad_weights, "the weights do not fit the model: " + what, {}, hint_of(plan));
}

}  // namespace

Weights::Named state_dict(const torch::nn::Module& module) {
  Weights::Named out;
  for (const auto& item : module.named_parameters()) {
    if (item.value().defined()) out.emplace_back(item.key(), item.value().detach());
  }
  for (const auto& item : module.named_buffers()) {
    if (item.value().defined()) out.emplace_back(item.key(), item.value().detach());
  }
  return out;
}

LoadReport load_state_dict(torch::nn::Module& module, const Weights& weights, const LoadOptions& options) {
  Plan plan = match_names(module, weights);
  if (options.strict && !plan.report.complete()) throw does_not_fit(plan);
  const torch::NoGradGuard no_grad;
  for (auto& match : plan.matches) match.target.copy_(match.source);
  return std::move(plan.report);
}

std::string LoadReport::to_string() const {
  std::string out = fmt::format("{} tensors loaded", loaded.size());
  const std::string rest = join_present(
      {listing(missing, "missing"), listing(unexpected, "unexpected"), listing(misshapen, "misshapen")},
      "\n");
  return rest.empty() ? out : out + "\n" + rest;
}

}  // namespace kindling
