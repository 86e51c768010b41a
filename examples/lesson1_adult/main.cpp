// Lesson 1: who earns more than 50,000 dollars a year?
//
// A table of people of the US census of 1994: shows a batch, trains fastai's net for tables, shows what it says of the
// validation rows, says it of one person, and writes the one file that holds the model.
//
//   lesson1_adult adult.csv         the file of fastai's ADULT_SAMPLE
//
// Numbers to expect after two epochs, as in the course: an accuracy of 0.83 to 0.84, and a valid_loss of about 0.36.
#include <kindling/tabular.hpp>

#include <cstdio>
#include <iostream>

using namespace kindling;

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: lesson1_adult adult.csv\n";
    return 2;
  }
  torch::manual_seed(42);
  auto dls = TabularDataLoaders::from_csv(
      argv[1], {.procs = {Categorify(), FillMissing(), Normalize()},
                .cat_names = {"workclass", "education", "marital-status", "occupation", "relationship", "race"},
                .cont_names = {{"age", "fnlwgt", "education-num"}},
                .y_names = {"salary"},
                .seed = 42});
  std::cout << dls.batch_table({.max_n = 5}) << "\n";

  auto learn = tabular_learner(dls, {.metrics = {accuracy}});
  learn.fit_one_cycle(2);
  std::cout << "\n" << results_table(learn, {.max_n = 5}) << "\n";

  // One row, by the names of its columns.
  const std::string person = R"({"age": 49, "workclass": "Private", "fnlwgt": 101320, "education": "Assoc-acdm",
      "education-num": 12, "marital-status": "Married-civ-spouse", "occupation": null, "relationship": "Wife",
      "race": "White"})";
  auto [label, index, probs] = learn.predict(Bytes(person.begin(), person.end()));
  std::printf("this person earns %s, with probability %.4f\n", label.c_str(), probs[index].item<float>());

  learn.export_to("adult.safetensors");
  std::cout << "wrote adult.safetensors\n";
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
