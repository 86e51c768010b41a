// Files of every format version, which must load for ever and say what they said when they were written.
//
// A new version's file is made once, with the program of that version:
//   KINDLING_WRITE_COMPAT=tests/compat/model_vN.safetensors build/release/bin/serve_tests
//   --gtest_filter='Compat.*'
#include <kindling/serve.hpp>

#include "serve/exported_model.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace kindling {

TEST(Compat, EveryModelFileLoadsAndAnswersAsWhenItWasWritten) {
  if (const char* path = std::getenv("KINDLING_WRITE_COMPAT")) {
    fs::copy_file(testing::exported().model, path, fs::copy_options::overwrite_existing);
  }
  testing::register_tiny();
  Paths files = get_files(fs::path(KINDLING_SOURCE_DIR) / "tests/compat", {".safetensors"});
  std::erase_if(files, [](const fs::path& file) { return !file.filename().string().starts_with("model_"); });
  ASSERT_FALSE(files.empty());
  for (const fs::path& file : files) {
    const Predictor predictor(file);
    const ExportedModel model = read_exported(file);
    ASSERT_EQ(model.verify_items.size(), 2u) << file;
    for (const auto& item : model.verify_items) {
      EXPECT_LT((predictor.predict(item.encoded).probs - item.output).abs().max().item<double>(), 1e-5)
          << file;
    }
  }
}

}  // namespace kindling
