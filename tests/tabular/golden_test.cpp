#include <kindling/data/splitters.hpp>
#include <kindling/nn/weights.hpp>

#include "tabular_golden.hpp"

namespace kindling {

using testing::expect_codes;
using testing::expect_map;
using testing::expect_numbers;
using testing::golden;
using testing::tabular_file;

namespace {

const Json& tables() {
  static const Json json = golden("tabular/tabular.json");
  return json;
}

/// Statistics to 1e-6 of their size (fastai sums float32 columns in float32), what is made with them to 1e-5.
void expect_processed(const TabularData& data, const Json& want, const std::string& what) {
  const TabularEncoder& e = data.encoder();
  EXPECT_EQ(e.cat_names(), want.at("cat_names").get<std::vector<std::string>>()) << what;
  EXPECT_EQ(e.cont_names(), want.at("cont_names").get<std::vector<std::string>>()) << what;
  for (const std::string& name : e.cat_names())
    EXPECT_EQ(e.classes(name).size(), static_cast<std::int64_t>(want.at("classes").at(name).size())) << what << " " << name;
  expect_codes(data.cats(), want.at("cats"), what);
  if (want.contains("means")) {
    expect_map(e.proc<NormalizeConts>()->means(), want.at("means"), 1e-6, what);
    expect_map(e.proc<NormalizeConts>()->stds(), want.at("stds"), 1e-6, what);
  }
  if (want.contains("na_dict")) expect_map(e.proc<FillMissing>()->na_dict(), want.at("na_dict"), 1e-7, what);
  expect_numbers(data.conts(), want.at("conts"), 1e-5, what);
  const auto sizes = get_emb_sz(e);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(sizes[i].first, want.at("emb_szs")[i][0].get<std::int64_t>()) << what << " " << i;
    EXPECT_EQ(sizes[i].second, want.at("emb_szs")[i][1].get<std::int64_t>()) << what << " " << i;
  }
}

TabularOptions odd_options(TabularProcs procs) {
  Splits splits{tables().at("splits")[0].get<std::vector<std::int64_t>>(),
                tables().at("splits")[1].get<std::vector<std::int64_t>>()};
  return {.procs = std::move(procs),
          .cat_names = {"text", "kind", "grade", "flag", "when"},
          .cont_names = {"long", "gap", "whole gap", "wide"},
          .y_names = {"y"},
          .splits = std::move(splits)};
}

void expect_odd(const std::string& name, TabularProcs procs) {
  const Json& want = tables().at("odd").at(name);
  const TabularData data(read_tabular(tabular_file("odd.csv")), odd_options(std::move(procs)));
  expect_processed(data, want, name);
  const Values test = data.encoder().encode(read_tabular(tabular_file("odd_test.csv")), false);
  expect_codes(tensor_of(test[0]), want.at("test").at("cats"), name + " test");
  expect_numbers(tensor_of(test[1]), want.at("test").at("conts"), 1e-5, name + " test");
}

}  // namespace

TEST(TabularGolden, AdultIsProcessedAsByFastai) {
  const Json& want = tables().at("adult");
  const Table table = read_tabular(tabular_file("adult.csv"));
  const TabularData data(table, {.procs = {Categorify(), FillMissing(), Normalize()},
                                 .cat_names = {"workclass", "education", "marital-status", "occupation", "relationship",
                                               "race"},
                                 .cont_names = {"age", "fnlwgt", "education-num"},
                                 .y_names = {"salary"},
                                 .splits = RandomSplitter(0.2, 42)(rows_of(table))});
  expect_processed(data, want, "adult");
  EXPECT_EQ(data.encoder().vocab(), want.at("vocab").get<std::vector<std::string>>());
  for (std::int64_t i = 0; i < data.size(); ++i) EXPECT_EQ(data.ys()[i].item<std::int64_t>(), want.at("ys")[i].get<int>());
  for (const std::string& name : data.encoder().cat_names()) {
    if (name == "education-num_na") continue;
    EXPECT_EQ(data.encoder().classes(name).items(), want.at("classes").at(name).get<std::vector<std::string>>());
  }
}

TEST(TabularGolden, EveryOddThingIsFilledWithTheMedianAsByFastai) {
  expect_odd("median", {Categorify(), FillMissing(), Normalize()});
}

TEST(TabularGolden, EveryOddThingIsFilledWithTheModeAsByFastai) {
  expect_odd("mode", {Normalize(), FillMissing({.fill_strategy = FillStrategy::mode}), Categorify()});
}

TEST(TabularGolden, EveryOddThingIsFilledWithAConstantAsByFastai) {
  expect_odd("constant", {FillMissing({.fill_strategy = FillStrategy::constant, .add_col = false,
                                       .fill_vals = {{"gap", 5}, {"whole gap", 6}}}),
                          Categorify()});
}

TEST(TabularGolden, ExportedProcessingGivesTheSame) {
  const TabularData data(read_tabular(tabular_file("odd.csv")), odd_options({Categorify(), FillMissing(), Normalize()}));
  const auto again = TabularEncoder::from_json(parse_json(data.encoder().to_json().dump(), "the processing"));
  const Table test = read_tabular(tabular_file("odd_test.csv"));
  const Values want = data.encoder().encode(test, false), got = again->encode(test, false);
  for (std::size_t m = 0; m < want.size(); ++m) EXPECT_TRUE(torch::equal(tensor_of(want[m]), tensor_of(got[m])));
  EXPECT_EQ(again->names(), data.encoder().names());
}

TEST(TabularGolden, ColumnsAreSplitAndShrunkAsByFastai) {
  const Json& want = tables().at("odd");
  const Table table = read_tabular(tabular_file("odd.csv"));
  const auto [cont, cat] = cont_cat_split(table, {.max_card = 5, .dep_var = {"y"}});
  EXPECT_EQ(cont, want.at("cont").get<std::vector<std::string>>());
  EXPECT_EQ(cat, want.at("cat").get<std::vector<std::string>>());
  for (const auto& [name, dtype] : want.at("dtypes").items()) {
    if (name == "when") continue;  // pandas leaves dates in a CSV text
    EXPECT_EQ(shrunk_type(table, name), dtype.get<std::string>()) << name;
    EXPECT_EQ(shrunk_type(table, name, true), want.at("udtypes").at(name).get<std::string>()) << name;
  }
}

TEST(TabularGolden, EmbeddingSizesFollowTheRule) {
  for (const auto& [n, size] : tables().at("emb_sz_rule").items())
    EXPECT_EQ(emb_sz_rule(std::stoll(n)), size.get<std::int64_t>()) << n;
}

namespace {

void expect_columns(const Table& table, const Json& want, const std::string& what) {
  for (const auto& [name, cells] : want.items()) {
    ASSERT_TRUE(table.contains(name)) << what << " " << name;
    const auto got = table.numbers(name);
    ASSERT_EQ(got.size(), cells.size()) << what << " " << name;
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (cells[i].is_null())
        EXPECT_TRUE(std::isnan(got[i])) << what << " " << name << " row " << i;
      else
        EXPECT_EQ(got[i], cells[i].get<double>()) << what << " " << name << " row " << i;
    }
  }
}

}  // namespace

TEST(TabularGolden, DatesHaveThePartsThatPandasGives) {
  const Json& want = tables().at("dates");
  Table::Texts dates;
  for (const Json& date : want.at("dates")) dates.emplace_back(date.get<std::string>());
  dates.emplace_back();
  const Table parts = add_datepart(Table({{"saleDate", dates}}), "saleDate");
  expect_columns(parts, want.at("parts"), "parts");
  EXPECT_EQ(parts.n_columns(), static_cast<int>(want.at("parts").size()));
  const Table timed = add_datepart(
      Table({{"at", std::vector<std::string>{"2011-11-01 12:30:59", "1969-12-31 23:59:58"}}}), "at", {.time = true});
  expect_columns(timed, want.at("timed"), "timed");
}

TEST(TabularGolden, ElapsedTimesAreThoseOfFastai) {
  const Json& want = tables().at("dates");
  std::vector<std::int64_t> store, closed;
  std::vector<std::string> date;
  std::vector<bool> promo;
  const Table events = [&] {
    const std::string text = want.at("events").get<std::string>();
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream cells(line);
      std::string s, d, p, c;
      std::getline(cells, s, ',');
      std::getline(cells, d, ',');
      std::getline(cells, p, ',');
      std::getline(cells, c, ',');
      store.push_back(std::stoll(s));
      date.push_back(d);
      promo.push_back(p == "True");
      closed.push_back(std::stoll(c));
    }
    return Table({{"store", store}, {"Date", date}, {"promo", promo}, {"closed", closed}});
  }();
  expect_columns(add_elapsed_times(events, {"promo", "closed"}, "Date", "store"), want.at("elapsed"), "elapsed");
}

class TabularModelGolden : public ::testing::TestWithParam<const char*> {};

/// Converted fastai weights give fastai's outputs to 1e-5.
TEST_P(TabularModelGolden, OutputsAreThoseOfFastai) {
  const std::string name = GetParam();
  const std::map<std::string, std::pair<std::vector<int>, TabularConfig>> nets = {
      {"plain", {{20, 10}, {}}},
      {"y_range", {{8}, {.ps = {0.5}, .y_range = {{-1.5, 2}}}}},
      {"bn_final", {{6, 5}, {.ps = {0.1, 0.2}, .embed_p = 0.3, .bn_final = true, .lin_first = false}}},
      {"no_bn", {{7}, {.use_bn = false, .bn_cont = false}}},
      {"no_hidden", {{}, {}}}};
  const auto& [layers, config] = nets.at(name);
  const Weights all = Weights::open(tabular_file("models.safetensors"));
  Model model = create_tabular_model({{5, 4}, {3, 3}, {10, 6}}, 4, 3, layers, config);
  const std::string prefix = name + ".model.";
  load_state_dict(model.module(), all.renamed([&](const std::string& key) {
    return key.starts_with(prefix) ? key.substr(prefix.size()) : std::string();
  }));
  const Model again = model_from_spec(parse_json(model.spec.dump(), "the spec"));
  load_state_dict(again.module(), Weights(state_dict(model.module())));
  const Model::Inputs x = {all.at("x_cat"), all.at("x_cont")};
  model.module().eval();
  again.module().eval();
  EXPECT_LT((model.forward(x) - all.at(name + ".eval")).abs().max().item<double>(), 1e-5);
  EXPECT_LT((again.forward(x) - all.at(name + ".eval")).abs().max().item<double>(), 1e-5);
  if (!all.contains(name + ".train")) return;
  model.module().train();
  EXPECT_LT((model.forward(x) - all.at(name + ".train")).abs().max().item<double>(), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Nets, TabularModelGolden,
                         ::testing::Values("plain", "y_range", "bn_final", "no_bn", "no_hidden"));

}  // namespace kindling
