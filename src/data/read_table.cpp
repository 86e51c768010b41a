#include <kindling/core/error.hpp>
#include <kindling/data/table.hpp>

#include "data/arrow_table.hpp"
#include "data/read_csv.hpp"

#include <arrow/io/compressed.h>
#include <arrow/io/memory.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/reader.h>

namespace kindling {

namespace {

/// A file's bytes, mapped, for Arrow.
class MappedBuffer final : public arrow::Buffer {
 public:
  explicit MappedBuffer(MappedFile file)
      : arrow::Buffer(file.bytes().data(), static_cast<std::int64_t>(file.bytes().size())), file_(std::move(file)) {}

 private:
  MappedFile file_;
};

std::string_view text_of(const arrow::Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(buffer.size())};
}

std::shared_ptr<arrow::Buffer> unpacked(const std::shared_ptr<arrow::Buffer>& packed, const fs::path& path,
                                        const TableOptions& options) {
  auto codec = detail::value_of(arrow::util::Codec::Create(arrow::Compression::GZIP), path);
  auto stream = detail::value_of(
      arrow::io::CompressedInputStream::Make(codec.get(), std::make_shared<arrow::io::BufferReader>(packed)), path);
  std::string text;
  while (true) {
    constexpr std::int64_t block = 1 << 20;
    auto part = stream->Read(block);
    if (!part.ok()) {
      throw Error(ErrorCode::bad_data, "the gzip file is damaged or ends early", {{"path", path}},
                  "copy it again from where it came");
    }
    if ((*part)->size() == 0) return arrow::Buffer::FromString(std::move(text));
    text += text_of(**part);
    if (text.size() > options.max_bytes) {
      throw Error(ErrorCode::limit, "the table is larger than allowed when unpacked",
                  {{"path", path}, {"most", human_bytes(options.max_bytes)}}, "raise .max_bytes");
    }
  }
}

Table read_parquet(const std::shared_ptr<arrow::Buffer>& bytes, const fs::path& path) {
  // Parquet's own checks throw.
  try {
    auto reader = detail::value_of(parquet::arrow::OpenFile(std::make_shared<arrow::io::BufferReader>(bytes),
                                                            arrow::default_memory_pool()),
                                   path);
    return Table(std::make_shared<detail::TableData>(detail::value_of(reader->ReadTable(), path), path));
  } catch (const parquet::ParquetException& e) {
    throw Error(ErrorCode::bad_data, std::string("the Parquet file is damaged: ") + e.what(), {{"path", path}},
                "copy it again from where it came");
  }
}

std::string from_latin1(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

/// Throws for what is no text in UTF-8, as far as its beginning tells.
void check_beginning(std::string_view text, const fs::path& path) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw Error(ErrorCode::bad_data, "the table is not UTF-8 text: it looks like UTF-16", {{"path", path}},
                "save it as CSV in UTF-8");
  }
  if (const std::size_t at = text.substr(0, 4096).find('\0'); at != std::string_view::npos) {
    throw Error(ErrorCode::bad_data, "the file is no table of text: it holds bytes that are none", {{"path", path}},
                "give a CSV, TSV or Parquet file");
  }
}

}  // namespace

Table read_table(const fs::path& path, const TableOptions& options) {
  if (options.encoding != "utf-8" && options.encoding != "latin1") {
    throw Error(ErrorCode::usage, "this encoding is not known", {{"encoding", options.encoding}},
                "use \"utf-8\" or \"latin1\"" + did_you_mean(options.encoding, {"utf-8", "latin1"}));
  }
  const MappedFile file(path);
  std::shared_ptr<arrow::Buffer> bytes = std::make_shared<MappedBuffer>(file);
  if (static_cast<std::uint64_t>(bytes->size()) > options.max_bytes) {
    throw Error(ErrorCode::limit, "the table is larger than allowed",
                {{"path", path}, {"most", human_bytes(options.max_bytes)}}, "raise .max_bytes");
  }
  if (text_of(*bytes).starts_with("\x1F\x8B")) bytes = unpacked(bytes, path, options);
  if (text_of(*bytes).starts_with("PAR1")) {
    const Table table = read_parquet(bytes, path);
    return options.columns.empty() ? table : table.select(options.columns);
  }
  if (options.encoding == "latin1") bytes = arrow::Buffer::FromString(from_latin1(text_of(*bytes)));
  check_beginning(text_of(*bytes), path);
  // Pages that were read count as this process' memory until they are let go.
  const bool mapped = bytes->data() == file.bytes().data();
  return detail::read_csv(text_of(*bytes), path, options, [&](std::string_view part) {
    if (mapped) file.release(part);
  });
}

}  // namespace kindling
