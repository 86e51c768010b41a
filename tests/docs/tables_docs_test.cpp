// The programs of docs/guide/tables.md, compiled and run (see train_docs_test.cpp).

#include <kindling/tabular.hpp>

#include "docs/working_folder.hpp"

#include <iostream>

#include <gtest/gtest.h>

using namespace kindling;
using namespace kindling::testing;

namespace {

/// Three hundred rows of Adult, four times over, as adult.csv.
void write_adult() {
  const std::string text = read_text(fs::path(KINDLING_SOURCE_DIR) / "tests/golden/tabular/adult.csv");
  const auto header = text.find('\n') + 1;
  std::string table = text;
  for (int i = 0; i < 3; ++i) table += text.substr(header);
  write_file("adult.csv", table);
}

}  // namespace

TEST(TablesGuide, Trains) {
  const WorkingFolder folder;
  write_adult();
  //! trains
  auto dls = TabularDataLoaders::from_csv("adult.csv",
      {.procs = {Categorify(), FillMissing(), Normalize()},
       .cat_names = {"workclass", "education", "marital-status", "occupation", "relationship", "race"},
       .cont_names = {{"age", "fnlwgt", "education-num"}},
       .y_names = {"salary"},
       .seed = 42});
  std::cout << dls.batch_table();
  auto learn = tabular_learner(dls, {.metrics = {accuracy}});
  learn.fit_one_cycle(2);
  std::cout << results_table(learn);
  learn.export_to("adult.safetensors");
  //!
  EXPECT_TRUE(fs::exists("adult.safetensors"));
}

TEST(TablesGuide, TrainsTabM) {
  const WorkingFolder folder;
  write_adult();
  const std::vector<std::string> cats = {"workclass", "education", "occupation"}, conts = {"age", "hours-per-week"};
  //! tabm
  auto dls = TabularDataLoaders::from_csv("adult.csv", {.procs = tabm_procs(), .cat_names = cats, .cont_names = conts,
                                                        .y_names = {"salary"}, .seed = 42, .bs = 256});
  auto learn = tabm_learner(dls, {.metrics = {accuracy}});
  fit_tabm(learn, 8);
  //!
  EXPECT_GT(learn.validate().at(1), 0.5);
}
