#pragma once
/// Archives for tests, also such as no honest program makes.

#include <kindling/core/files.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

namespace kindling::testing {

struct Entry {
  std::string name;
  std::string contents = "";
  unsigned type = AE_IFREG;
  std::string link = "";       ///< of a symbolic link
  std::string hard_link = "";  ///< of a hard link
};

/// Writes a .tgz, .tar or .zip by the name's ending.
inline void write_archive(const fs::path& path, const std::vector<Entry>& entries) {
  const std::string name = path.string();
  archive* out = archive_write_new();
  if (name.ends_with(".zip")) {
    archive_write_set_format_zip(out);
  } else {
    archive_write_set_format_pax_restricted(out);
    if (name.ends_with("gz")) archive_write_add_filter_gzip(out);
  }
  if (archive_write_open_filename(out, name.c_str()) != ARCHIVE_OK) throw std::runtime_error("no archive");
  for (const Entry& from : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, from.name.c_str());
    archive_entry_set_filetype(entry, from.type);
    archive_entry_set_perm(entry, 04755);
    if (from.type == AE_IFREG) archive_entry_set_size(entry, static_cast<la_int64_t>(from.contents.size()));
    if (!from.link.empty()) archive_entry_set_symlink(entry, from.link.c_str());
    if (!from.hard_link.empty()) archive_entry_set_hardlink(entry, from.hard_link.c_str());
    // A warning: the name is no text of the C locale, and stands as its bytes.
    const bool written = archive_write_header(out, entry) >= ARCHIVE_WARN;
    if (written && !from.contents.empty()) archive_write_data(out, from.contents.data(), from.contents.size());
    archive_entry_free(entry);
    if (!written) throw std::runtime_error("no entry " + from.name);
  }
  archive_write_close(out);
  archive_write_free(out);
}

}  // namespace kindling::testing
