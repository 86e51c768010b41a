#include <kindling/train/lr_find.hpp>

#include <algorithm>
#include <cstdint>

namespace kindling {

namespace {

/// What fastai gives its rules: float32.
struct Curve {
  std::vector<float> lrs, losses;
  explicit Curve(const LrCurve& curve)
      : lrs(curve.lrs.begin(), curve.lrs.end()), losses(curve.losses.begin(), curve.losses.end()) {}
  std::int64_t size() const { return static_cast<std::int64_t>(losses.size()); }
  LrSuggestion at(std::int64_t i, double factor = 1) const {
    return {.lr = lrs[i] * factor, .at_lr = lrs[i], .at_loss = losses[i]};
  }
};

/// numpy's: central differences, one-sided at both ends.
std::vector<float> gradient(const std::vector<float>& y) {
  std::vector<float> g(y.size());
  for (std::size_t i = 1; i + 1 < y.size(); ++i) g[i] = (y[i + 1] - y[i - 1]) / 2;
  g.front() = y[1] - y[0];
  g.back() = y.back() - y[y.size() - 2];
  return g;
}

/// Loss at a learning rate between those of the curve, linear in its logarithm.
double loss_at(const Curve& curve, double lr) {
  const auto above = std::lower_bound(curve.lrs.begin(), curve.lrs.end(), lr) - curve.lrs.begin();
  if (above == 0) return curve.losses.front();
  if (above == static_cast<std::ptrdiff_t>(curve.lrs.size())) return curve.losses.back();
  const double low = std::log10(curve.lrs[above - 1]), high = std::log10(curve.lrs[above]);
  const double part = (std::log10(lr) - low) / (high - low);
  return curve.losses[above - 1] + part * (curve.losses[above] - curve.losses[above - 1]);
}

}  // namespace

namespace suggest {

LrSuggestion valley(const LrCurve& given) {
  const Curve curve(given);
  const auto n = curve.size();
  if (n == 0) return {};
  // Length of the longest falling subsequence that ends at each point.
  std::vector<std::int64_t> falling(n, 1);
  std::int64_t start = 0, end = 0;
  for (std::int64_t i = 1; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      if (curve.losses[i] < curve.losses[j]) falling[i] = std::max(falling[i], falling[j] + 1);
      if (falling[end] < falling[i]) {
        end = i;
        start = end - falling[end];
      }
    }
  }
  const double third = static_cast<double>(end - start) / 3;
  const auto at = start + static_cast<std::int64_t>(third) + static_cast<std::int64_t>(third / 2);
  // The start may lie one before the curve; Python's index then counts from its end.
  return curve.at(at < 0 ? at + n : at);
}

LrSuggestion steep(const LrCurve& given) {
  const Curve curve(given);
  std::int64_t best = -1;
  float lowest = 0;
  for (std::int64_t i = 0; i + 1 < curve.size(); ++i) {
    const float slope =
        (curve.losses[i + 1] - curve.losses[i]) / (std::log(curve.lrs[i + 1]) - std::log(curve.lrs[i]));
    if (best >= 0 && !(slope < lowest)) continue;
    best = i;
    lowest = slope;
  }
  return best < 0 ? LrSuggestion{} : curve.at(best);
}

LrSuggestion minimum(const LrCurve& given) {
  const Curve curve(given);
  if (curve.size() == 0) return {};
  return curve.at(std::min_element(curve.losses.begin(), curve.losses.end()) - curve.losses.begin(), 0.1);
}

LrSuggestion slide(const LrCurve& given, const SlideOptions& o) {
  const Curve curve(given);
  const auto n = curve.size();
  if (n < 2 || o.lr_diff < 0 || n < 1 + o.lr_diff) return {};
  const auto slopes = gradient(curve.losses);
  std::int64_t right = n - 1, left = n - 1 - o.lr_diff;
  const auto thresh = static_cast<float>(o.thresh);
  float lr = curve.lrs[left];
  for (; left >= 0 && std::abs(slopes[right] - slopes[left]) > thresh; --right, --left) lr = curve.lrs[left];
  const double suggested = lr * o.adjust_value;
  return {.lr = suggested, .at_lr = suggested, .at_loss = loss_at(curve, suggested)};
}

}  // namespace suggest

LrFindResult suggestions_of(LrCurve whole, int num_it) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(whole.lrs.size(), whole.losses.size()));
  const std::ptrdiff_t first = std::min<std::ptrdiff_t>(std::max(num_it, 0) / 10, n);
  const std::ptrdiff_t last = std::max<std::ptrdiff_t>(first, n - 5);
  LrCurve curve{{whole.lrs.begin() + first, whole.lrs.begin() + last},
                {whole.losses.begin() + first, whole.losses.begin() + last}};
  const auto bad = std::find_if(curve.losses.begin(), curve.losses.end(), [](double l) { return std::isnan(l); });
  curve.lrs.resize(bad - curve.losses.begin());
  curve.losses.resize(curve.lrs.size());
  LrFindResult result{.curve = std::move(whole),
                      .suggestions = {{"valley", suggest::valley(curve)},
                                      {"steep", suggest::steep(curve)},
                                      {"minimum", suggest::minimum(curve)},
                                      {"slide", suggest::slide(curve)}}};
  result.valley = result.suggestions[0].second.lr;
  result.steep = result.suggestions[1].second.lr;
  result.minimum = result.suggestions[2].second.lr;
  result.slide = result.suggestions[3].second.lr;
  return result;
}

}  // namespace kindling
