#pragma once
/// Files taken out of a data set into a folder, with a list by which they are brought back. Nothing is ever
/// overwritten.

#include <kindling/core/files.hpp>

#include <string>
#include <vector>

namespace kindling::cli {

/// The list in the folder, CSV: file (its place below the folder), from (where it lay), reason.
inline constexpr const char* moved_list = "moved.csv";

struct Move {
  std::string name;  ///< below the data's root, with forward slashes
  std::string reason;
};

/// Moves the files to the same places below `folder`, which is made where it is missing. The list is written
/// first, so that a move that was cut off can be undone too; a list that is there is added to. Throws `usage`
/// when the folder lies in `root` where photos are looked for, and `bad_data` when a file of that name is in
/// it already; then nothing has moved.
void move_files(const fs::path& root, const std::vector<Move>& moves, const fs::path& folder);

struct Undone {
  std::size_t back = 0;           ///< files that lie where they came from again
  std::vector<std::string> left;  ///< why others do not; these stay on the list
};

/// Brings the files on the folder's list back. Throws `not_found` without a list, `bad_data` for one that
/// names files outside the folder.
Undone undo_moves(const fs::path& folder);

}  // namespace kindling::cli
