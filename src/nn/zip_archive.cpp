#include "nn/zip_archive.hpp"

#include <kindling/core/error.hpp>

#include "nn/pickle_globals.hpp"

#include <cstring>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

namespace kindling::detail {

namespace {

constexpr int max_entries = 1'000'000;

Error damaged(const std::string& where, const std::string& reason) {
  return Error(ErrorCode::bad_weights, "the zip archive is damaged: " + reason, {{"path", where}},
               "get the file again; it may be cut short");
}

std::string reason_of(archive* source) {
  const char* text = archive_error_string(source);
  return text == nullptr ? "it cannot be read" : text;
}

}  // namespace

void ZipEntry::read(void* target) const {
  auto* out = static_cast<std::uint8_t*>(target);
  std::uint64_t done = 0;
  while (done < size_) {
    const la_ssize_t n = archive_read_data(source_, out + done, static_cast<std::size_t>(size_ - done));
    if (n < 0) throw damaged(where_, reason_of(source_)).with({"entry", display_name(name_)});
    if (n == 0) throw damaged(where_, "an entry ends early").with({"entry", display_name(name_)});
    done += static_cast<std::uint64_t>(n);
  }
  // The checksum is compared where the entry ends, which only a further read reaches.
  std::uint8_t beyond = 0;
  const la_ssize_t rest = archive_read_data(source_, &beyond, 1);
  if (rest < 0) throw damaged(where_, reason_of(source_)).with({"entry", display_name(name_)});
  if (rest > 0) throw damaged(where_, "an entry is longer than stated").with({"entry", display_name(name_)});
}

std::string ZipEntry::read_text() const {
  std::string out(static_cast<std::size_t>(size_), '\0');
  read(out.data());
  return out;
}

void visit_zip(std::span<const std::uint8_t> bytes, const std::string& where,
               const std::function<bool(const ZipEntry&)>& visit) {
  const std::unique_ptr<archive, int (*)(archive*)> source(archive_read_new(), archive_read_free);
  if (!source) throw Error(ErrorCode::limit, "not enough memory to open the archive", {{"path", where}});
  archive_read_support_format_zip_seekable(source.get());
  if (archive_read_open_memory(source.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    throw damaged(where, reason_of(source.get()));
  }
  archive_entry* entry = nullptr;
  for (int count = 0;; ++count) {
    const int status = archive_read_next_header(source.get(), &entry);
    if (status == ARCHIVE_EOF) return;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) throw damaged(where, reason_of(source.get()));
    if (count == max_entries) throw damaged(where, "too many entries");
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) name = archive_entry_pathname(entry);
    if (name == nullptr || archive_entry_filetype(entry) != AE_IFREG || !archive_entry_size_is_set(entry))
      continue;
    const la_int64_t size = archive_entry_size(entry);
    if (size < 0) throw damaged(where, "an entry of negative size");
    if (!visit(ZipEntry(source.get(), name, static_cast<std::uint64_t>(size), where))) return;
  }
}

bool looks_like_zip(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 4 && std::memcmp(bytes.data(), "PK\x03\x04", 4) == 0;
}

}  // namespace kindling::detail
