#pragma once
/// MODEL on the command line: a file, or the run that left one.

#include <kindling/core/files.hpp>

namespace kindling::cli {

/// The model file of a run's folder; a file is itself.
fs::path model_path(const fs::path& given);

}  // namespace kindling::cli
