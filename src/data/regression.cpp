#include <kindling/core/error.hpp>
#include <kindling/data/regression.hpp>

#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

double number_in(const std::string& text) {
  double value = 0;
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return value;
  throw Error(ErrorCode::bad_data, "a number is expected as target", {{"got", "'" + text + "'"}},
              "correct the value, or leave the item out");
}

double checked(double value) {
  if (std::isfinite(value)) return value;
  throw Error(ErrorCode::bad_data, "the target is no finite number", {{"got", fmt::format("{}", value)}},
              "correct the value, or leave the item out");
}

}  // namespace

void RegressionSetup::setup(const std::vector<Value>& train_items) {
  if (n_out_ > 0 || train_items.empty()) return;
  const Value& first = train_items.front();
  if (const auto* numbers = std::get_if<Numbers>(&first)) {
    n_out_ = static_cast<int>(numbers->values.size());
  } else if (const auto* texts = std::get_if<Categories>(&first)) {
    n_out_ = static_cast<int>(texts->names.size());
  } else if (const auto tensor = tensor_of(first); tensor.defined()) {
    n_out_ = static_cast<int>(tensor.numel());
  } else {
    n_out_ = 1;
  }
}

Number RegressionSetup::encodes(const Number& number) const {
  return {checked(number.value)};
}

Number RegressionSetup::encodes(const Category& text) const {
  return {checked(number_in(text.name))};
}

Number RegressionSetup::encodes(std::monostate) const {
  throw Error(ErrorCode::bad_data, "the target is missing", {}, "give the item a number, or leave it out");
}

torch::Tensor RegressionSetup::encodes(const Numbers& numbers) const {
  if (n_out_ > 0 && numbers.values.size() != static_cast<std::size_t>(n_out_)) {
    throw Error(ErrorCode::bad_data, "an item has another count of numbers than the others",
                {{"expected", n_out_}, {"got", numbers.values.size()}}, "give every item the same numbers");
  }
  auto tensor = torch::empty({static_cast<std::int64_t>(numbers.values.size())});
  for (std::size_t i = 0; i < numbers.values.size(); ++i)
    tensor.data_ptr<float>()[i] = static_cast<float>(checked(numbers.values[i]));
  return tensor;
}

torch::Tensor RegressionSetup::encodes(const Categories& texts) const {
  Numbers numbers;
  for (const std::string& text : texts.names) numbers.values.push_back(number_in(text));
  return encodes(numbers);
}

Numbers RegressionSetup::decodes(const torch::Tensor& numbers) const {
  const auto values = numbers.to(torch::kCPU, torch::kFloat64).contiguous();
  const auto* begin = values.const_data_ptr<double>();
  return {{begin, begin + values.numel()}};
}

}  // namespace kindling
