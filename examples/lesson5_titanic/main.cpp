// Lesson 5: who survives the Titanic, by the framework ("Why you should use a framework").
//
// Adds the course's columns to the table, finds a learning rate, trains a small net, and five more whose predictions are
// averaged.
//
//   lesson5_titanic train.csv       Kaggle's Titanic
//
// Numbers to expect: an accuracy of 0.80 to 0.84 on 178 validation rows, and about the same of the five together.
#include <kindling/tabular.hpp>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>

using namespace kindling;

namespace {

/// "Mr" of "Braund, Mr. Owen Harris"; nothing for rare titles.
std::optional<std::string> title_of(const std::string& name) {
  const auto comma = name.find(", ");
  const auto point = name.find('.', comma == std::string::npos ? 0 : comma);
  if (comma == std::string::npos || point == std::string::npos) return std::nullopt;
  const std::string title = name.substr(comma + 2, point - comma - 2);
  for (const char* known : {"Mr", "Miss", "Mrs", "Master"}) {
    if (title == known) return title;
  }
  return std::nullopt;
}

std::optional<std::string> deck_of(const std::optional<std::string>& cabin) {
  if (!cabin || cabin->empty()) return std::nullopt;
  const std::string letter = cabin->substr(0, 1);
  for (const char* deck : {"ABC", "DE", "FG"}) {
    if (std::string(deck).find(letter) != std::string::npos) return deck;
  }
  return std::nullopt;
}

Table add_features(const Table& table) {
  std::vector<double> log_fare, family;
  std::vector<bool> alone;
  std::vector<std::int64_t> ticket_freq;
  Table::Texts deck, title;
  std::map<std::string, std::int64_t> tickets;
  for (const auto& ticket : table.texts("Ticket")) ++tickets[ticket.value_or("")];
  const auto cabins = table.texts("Cabin");
  for (std::int64_t row = 0; row < table.n_rows(); ++row) {
    log_fare.push_back(std::log1p(table.number(row, "Fare")));
    family.push_back(table.number(row, "SibSp") + table.number(row, "Parch"));
    alone.push_back(family.back() == 0);
    ticket_freq.push_back(tickets[table.text(row, "Ticket")]);
    deck.push_back(deck_of(cabins[static_cast<std::size_t>(row)]));
    title.push_back(title_of(table.text(row, "Name")));
  }
  return table.with_column("LogFare", log_fare)
      .with_column("Deck", deck)
      .with_column("Family", family)
      .with_column("Alone", alone)
      .with_column("TicketFreq", ticket_freq)
      .with_column("Title", title);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: lesson5_titanic train.csv\n";
    return 2;
  }
  torch::manual_seed(42);
  const Table table = add_features(read_table(argv[1]));
  const TabularData data(table, {.procs = {Categorify(), FillMissing(), Normalize()},
                                 .cat_names = {"Sex", "Pclass", "Embarked", "Deck", "Title"},
                                 .cont_names = {"Age", "SibSp", "Parch", "LogFare", "Alone", "TicketFreq", "Family"},
                                 .y_names = {"Survived"},
                                 .y_block = CategoryBlock(),
                                 .splits = RandomSplitter(0.2, 42)(rows_of(table))});
  const auto dls = data.dataloaders();

  auto learn = tabular_learner(dls, {.layers = {10, 10}, .metrics = {accuracy}});
  learn.fit(16, 0.03);

  // Five nets agree better than one.
  torch::Tensor preds, targs;
  for (int i = 0; i < 5; ++i) {
    auto one = tabular_learner(dls, {.layers = {10, 10}, .metrics = {accuracy}, .listener = silent_listener()});
    one.fit(16, 0.03);
    const auto said = one.get_preds();
    preds = preds.defined() ? preds + said.preds : said.preds;
    targs = said.targs;
  }
  std::printf("five nets together: accuracy %.4f\n", (preds.argmax(1) == targs).to(torch::kFloat).mean().item<float>());
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
