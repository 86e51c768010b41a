#include "cli/model_path.hpp"

#include <kindling/core/error.hpp>

#include "cli/run_folder.hpp"

namespace kindling::cli {

fs::path model_path(const fs::path& given) {
  std::error_code ignored;
  if (fs::is_directory(given, ignored)) {
    fs::path inside = given / model_file;
    if (fs::exists(inside, ignored)) return inside;
    throw Error(ErrorCode::not_found, "this folder holds no model",
                {{"path", given}, {"expected", model_file}},
                "give a model file, or the folder of a run that has ended");
  }
  if (!fs::exists(given, ignored)) {
    throw Error(ErrorCode::not_found, "there is no such model file", {{"path", given}},
                "`kindling train DATA` makes one: RUN/model.safetensors");
  }
  return given;
}

}  // namespace kindling::cli
