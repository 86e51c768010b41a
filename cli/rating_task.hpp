#pragma once
/// The commands where DATA is ratings.

#include "cli/command.hpp"

namespace kindling::cli {

/// `train RATINGS`, `look RATINGS`, `doctor RATINGS`, `interpret RUN`: the same commands with the flags of ratings.
Command add_train_ratings(CLI::App& program);
Command add_look_ratings(CLI::App& program);
Command add_doctor_ratings(CLI::App& program);
Command add_interpret_ratings(CLI::App& program);
/// `recommend MODEL`.
Command add_recommend(CLI::App& program);

}  // namespace kindling::cli
