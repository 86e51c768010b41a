#include <kindling/core/error.hpp>
#include <kindling/train/hyper.hpp>

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

std::vector<double> Hyper::over(std::size_t groups) const {
  switch (kind_) {
    case Kind::number:
      return std::vector<double>(groups, values_[0]);
    case Kind::slice_stop: {
      std::vector<double> all(groups, values_[0] / 10);
      if (groups) all.back() = values_[0];
      return all;
    }
    case Kind::slice: {
      std::vector<double> all;
      const double factor =
          groups > 1 ? std::pow(values_[1] / values_[0], 1.0 / static_cast<double>(groups - 1)) : 1;
      for (std::size_t i = 0; i < groups; ++i)
        all.push_back(values_[0] * std::pow(factor, static_cast<double>(i)));
      if (groups == 1) all[0] = values_[1];
      return all;
    }
    case Kind::list:
      break;
  }
  if (values_.size() != groups) {
    throw Error(ErrorCode::usage, "a list of hyper-parameters needs one value for each parameter group",
                {{"values", values_.size()}, {"groups", groups}}, "give one number, or slice(first, last)");
  }
  return values_;
}

std::string Hyper::to_string() const {
  if (kind_ == Kind::number) return fmt::format("{:g}", values_[0]);
  const std::string list = fmt::format("{:g}", fmt::join(values_, ", "));
  return kind_ == Kind::list ? "[" + list + "]" : "slice(" + list + ")";
}

Hyper Hyper::operator*(double factor) const {
  Hyper scaled = *this;
  for (double& v : scaled.values_) v *= factor;
  return scaled;
}

Hyper slice(double stop) {
  return Hyper(Hyper::Kind::slice_stop, {stop});
}

Hyper slice(double start, double stop) {
  if (!(start > 0 && stop > 0)) {
    throw Error(ErrorCode::usage, "slice(start, stop) takes positive numbers",
                {{"start", fmt::to_string(start)}, {"stop", fmt::to_string(stop)}});
  }
  return Hyper(Hyper::Kind::slice, {start, stop});
}

}  // namespace kindling
