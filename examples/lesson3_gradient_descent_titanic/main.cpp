// Lesson 3, second part: a neural net in a spreadsheet, fitted by gradient descent.
//
// Who survived the Titanic? The passengers become rows of numbers as in the lesson's spreadsheet; then a linear model,
// a sum of two ReLUs, and the same as one matrix product learn to tell, by plain steps against the gradient. The
// filled sheet is written too, to look at in any spreadsheet.
//
//   lesson3_gradient_descent_titanic TRAIN_CSV [SHEET]        SHEET is titanic_sheet.csv where not given
//
// TRAIN_CSV is train.csv of Kaggle's competition "Titanic - Machine Learning from Disaster" (kaggle.com/c/titanic, free
// with an account).
//
// Numbers to expect: 712 passengers; losses of 0.1442 (linear: the lesson's solver stops there too, for it is the
// least that a linear model can have) and EXPECT_RELU (two ReLUs, and as a matrix product; the lesson's is 0.1439).
#include <kindling/data.hpp>
#include <kindling/data/table.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

using namespace kindling;
using torch::Tensor;

// ---- The sheet ----------------------------------------------------------------------------------------------

// Rows with a missing age or port are deleted, as in the lesson.
Table complete(const Table& passengers) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < passengers.n_rows(); ++i) {
    if (!passengers.is_null(i, "Age") && !passengers.is_null(i, "Embarked")) rows.push_back(i);
  }
  return passengers.take(rows);
}

template <class F>
std::vector<double> column(const Table& table, F&& value_of_row) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < table.n_rows(); ++i) values.push_back(value_of_row(i));
  return values;
}

// Everything becomes a number of about the same size: ages as parts of the greatest, fares by their logarithm (a few
// paid a hundred times what most did), kinds as columns of 0 and 1. One kind of each is left out, for it is told by
// zeros in the others. A column of ones takes the place of the constant that a line needs.
Table make_sheet(const Table& p) {
  const std::vector<double> ages = p.numbers("Age");
  const double oldest = *std::max_element(ages.begin(), ages.end());
  auto number = [&](const char* name) { return p.numbers(name); };
  auto dummy = [&](const char* name, const std::string& kind) {
    return column(p, [&](std::int64_t i) { return p.text(i, name) == kind ? 1.0 : 0.0; });
  };
  return Table({{"Survived", number("Survived")},
                {"SibSp", number("SibSp")},
                {"Parch", number("Parch")},
                {"Age_N", column(p, [&](std::int64_t i) { return ages[i] / oldest; })},
                {"log_Fare", column(p, [&](std::int64_t i) { return std::log10(p.number(i, "Fare") + 1); })},
                {"Pclass_1", dummy("Pclass", "1")},
                {"Pclass_2", dummy("Pclass", "2")},
                {"Embark_S", dummy("Embarked", "S")},
                {"Embark_C", dummy("Embarked", "C")},
                {"Male", dummy("Sex", "male")},
                {"Ones", std::vector<double>(p.n_rows(), 1.0)}});
}

// A column of the sheet as a tensor of N numbers.
Tensor to_tensor(const std::vector<double>& values) {
  return torch::tensor(values, torch::kFloat32);
}

// ---- The models ---------------------------------------------------------------------------------------------

// Each parameter starts at random between -0.5 and 0.5, as RAND() - 0.5 of the spreadsheet.
Tensor random_params(std::int64_t rows, std::int64_t columns) {
  return torch::rand({rows, columns}) - 0.5;
}

// Of each passenger: the sum of columns times parameters (SUMPRODUCT).
Tensor sum_product(const Tensor& x, const Tensor& params) {
  return (x * params.squeeze(1)).sum(1);
}

// Two such sums, each cut off below zero, added up. That is a neural net.
Tensor two_relus(const Tensor& x, const Tensor& params) {
  const Tensor first = sum_product(x, params.narrow(1, 0, 1)).relu();
  const Tensor second = sum_product(x, params.narrow(1, 1, 1)).relu();
  return first + second;
}

// The same net: a matrix product (MMULT) makes both sums at once, and would make a thousand.
Tensor matrix_form(const Tensor& x, const Tensor& params) {
  return x.matmul(params).relu().sum(1);
}

using Net = Tensor (*)(const Tensor& x, const Tensor& params);

// Moves the parameters against the gradient of the mean squared error, all rows at once, again and again.
Tensor descend(const char* name, Net net, Tensor params, const Tensor& x, const Tensor& y, double lr, int steps) {
  std::printf("%s\n  step   loss\n", name);
  params = params.clone().requires_grad_();
  for (int step = 0; step <= steps; ++step) {
    const Tensor loss = (net(x, params) - y).square().mean();
    if (step % (steps / 10) == 0) std::printf("  %4d  %.4f\n", step, loss.item<float>());
    if (step == steps) break;
    loss.backward();
    torch::NoGradGuard no_grad;
    params -= params.grad() * lr;
    params.mutable_grad().reset();
  }
  return net(x, params).detach();
}

// The sheet with a model's predictions and squared errors beside the data, as the lesson has them.
Table with_predictions(const Table& sheet, const std::string& name, const Tensor& preds, const Tensor& y) {
  return sheet.with_column(name, numbers_of(preds)).with_column(name + "_loss", numbers_of((preds - y).square()));
}

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: lesson3_gradient_descent_titanic TRAIN_CSV [SHEET]\n"
                 "TRAIN_CSV is train.csv of Kaggle's Titanic competition (kaggle.com/c/titanic)\n";
    return 2;
  }
  const fs::path sheet_path = argc > 2 ? argv[2] : "titanic_sheet.csv";

  Table sheet = make_sheet(complete(read_table(argv[1])));
  std::vector<Tensor> columns;
  for (const std::string& name : sheet.names()) columns.push_back(to_tensor(sheet.numbers(name)));
  const Tensor y = columns[0];
  const Tensor x = torch::stack(std::vector<Tensor>(columns.begin() + 1, columns.end()), 1);
  std::printf("%ld passengers, %ld columns\n", static_cast<long>(x.size(0)), static_cast<long>(x.size(1)));

  torch::manual_seed(42);
  const Tensor start = random_params(x.size(1), 1), start2 = random_params(x.size(1), 2);
  const Tensor preds = descend("linear", sum_product, start, x, y, 0.2, 1000);
  const Tensor preds2 = descend("two ReLUs", two_relus, start2, x, y, 0.1, 3000);
  const Tensor preds3 = descend("matrix form", matrix_form, start2, x, y, 0.1, 3000);

  const std::vector<std::pair<std::string, Tensor>> results = {
      {"Linear", preds}, {"ReLU", preds2}, {"Matrix", preds3}};
  for (const auto& [name, p] : results) {
    std::printf("%s: loss %.4f, right about %.1f %% of the passengers\n", name.c_str(),
                (p - y).square().mean().item<float>(),
                100 * ((p > 0.5) == (y > 0.5)).to(torch::kFloat32).mean().item<float>());
    sheet = with_predictions(sheet, name, p, y);
  }
  sheet.save_csv(sheet_path);
  std::cout << "wrote " << sheet_path.string() << "\n";
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
