#include "cli/move_files.hpp"

#include <kindling/core/error.hpp>

#include "core/csv.hpp"
#include "core/file_descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>

namespace kindling::cli {

namespace {

struct Record {
  std::string file;
  std::string from;
  std::string reason;
};

void write_list(const fs::path& folder, const std::vector<Record>& records) {
  std::string text = detail::csv_line({"file", "from", "reason"});
  for (const Record& r : records) text += detail::csv_line({r.file, r.from, r.reason});
  write_file(folder / moved_list, std::string_view(text));
}

/// Whether a place below a folder stays below it.
bool stays_below(const fs::path& place) {
  return !place.empty() && place.is_relative() &&
         std::ranges::none_of(place, [](const fs::path& part) { return part == ".." || part == "."; });
}

std::vector<Record> read_list(const fs::path& folder) {
  const fs::path path = folder / moved_list;
  std::vector<Record> records;
  std::size_t row = 0;
  for (const detail::CsvRecord& record : detail::parse_csv(read_text(path), path.string())) {
    if (row++ == 0) continue;
    const auto& f = record.fields;
    const bool ours = f.size() == 3 && stays_below(f[0]) && fs::path(f[1]).is_absolute() &&
                      f[1].ends_with("/" + f[0]) && fs::path(f[1]).lexically_normal() == fs::path(f[1]);
    if (!ours) {
      throw Error(ErrorCode::bad_data, "this line of the list of moved files was not written by kindling",
                  {{"path", path}, {"line", record.line}}, "move the files back by hand");
    }
    records.push_back({f[0], f[1], f[2]});
  }
  return records;
}

bool is_taken(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

/// To another file system. The source goes when the copy is on the disk.
void copy_over(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::copy_file(from, to, fs::copy_options::none, error) || error)
    throw system_error(error.value(), "move the file", from);
  fs::last_write_time(to, fs::last_write_time(from, error), error);
  detail::sync_to_disk(detail::open_for_reading(to).get(), to);
  if (!fs::remove(from, error) || error) throw system_error(error.value(), "remove the moved file", from);
}

void move_one(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EXDEV || errno == EINVAL || errno == ENOSYS) return copy_over(from, to);
  throw system_error(errno, "move the file", from);
}

/// Folders below data whose names begin with a dot are not looked into.
void check_folder(const fs::path& root, const fs::path& folder) {
  // A relative path of which nothing exists would stay relative.
  const auto real = [](const fs::path& path) { return fs::weakly_canonical(fs::absolute(path)); };
  const fs::path inside = real(folder).lexically_relative(real(root));
  if (!inside.empty() && *inside.begin() == "..") return;
  const auto hidden = [](const fs::path& part) { return part != "." && part.string().starts_with('.'); };
  if (std::ranges::any_of(inside, hidden)) return;
  throw Error(ErrorCode::usage, "files cannot be moved to a folder in DATA: they would be found there again",
              {{"--move-to", folder}, {"DATA", root}}, "choose a folder beside DATA");
}

void remove_empty_folders(const fs::path& folder, fs::path place) {
  std::error_code error;
  for (place = place.parent_path(); !place.empty(); place = place.parent_path()) {
    if (!fs::is_empty(folder / place, error) || error) return;
    fs::remove(folder / place, error);
  }
}

/// Empty when the file went back, else why it did not.
std::string bring_back(const Record& record, const fs::path& folder) {
  const fs::path lies = folder / record.file;
  if (!is_taken(lies)) return is_taken(record.from) ? "" : "it is not in the folder any more";
  if (is_taken(record.from)) return "another file lies where it came from";
  try {
    move_one(lies, record.from);
  } catch (const Error& error) {
    return error.message();
  }
  remove_empty_folders(folder, record.file);
  return "";
}

}  // namespace

void move_files(const fs::path& root, const std::vector<Move>& moves, const fs::path& folder) {
  check_folder(root, folder);
  for (const Move& move : moves) {
    if (is_taken(folder / move.name)) {
      throw Error(ErrorCode::bad_data, "a file of this name is in the folder already",
                  {{"path", folder / move.name}}, "choose another folder, or bring back what is in it");
    }
  }
  if (moves.empty()) return;
  fs::create_directories(folder);
  std::vector<Record> records;
  if (is_taken(folder / moved_list)) records = read_list(folder);
  const fs::path base = fs::absolute(root).lexically_normal();
  for (const Move& move : moves) {
    const Record record{move.name, (base / move.name).lexically_normal().generic_string(), move.reason};
    std::erase_if(records, [&](const Record& old) { return old.file == record.file; });
    records.push_back(record);
  }
  write_list(folder, records);
  for (const Move& move : moves) move_one(root / move.name, folder / move.name);
}

Undone undo_moves(const fs::path& folder) {
  if (!is_taken(folder / moved_list)) {
    throw Error(ErrorCode::not_found, "there is no list of moved files in this folder",
                {{"path", folder / moved_list}}, "give the folder that --move-to named");
  }
  Undone undone;
  std::vector<Record> left;
  for (const Record& record : read_list(folder)) {
    const bool lay_here = is_taken(folder / record.file);
    const std::string why = bring_back(record, folder);
    if (why.empty()) {
      undone.back += lay_here ? 1 : 0;
      continue;
    }
    left.push_back(record);
    undone.left.push_back(record.file + ": " + why);
  }
  if (!left.empty()) {
    write_list(folder, left);
    return undone;
  }
  std::error_code ignored;
  fs::remove(folder / moved_list, ignored);
  if (fs::is_empty(folder, ignored)) fs::remove(folder, ignored);
  return undone;
}

}  // namespace kindling::cli
