#pragma once
/// What a command line is about: photos, a table, or ratings. Commands of one name ask other things of each.

namespace kindling::cli {

enum class Task { photos, table, ratings };

/// Told by DATA's name, for ratings also by its columns, or by the run that --resume, --like or `interpret` names; `--task
/// ratings` forces ratings.
Task task_of(int argc, char** argv);

}  // namespace kindling::cli
