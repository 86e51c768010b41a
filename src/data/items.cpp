#include <kindling/core/error.hpp>
#include <kindling/data/items.hpp>

#include <algorithm>
#include <cctype>

namespace kindling {

namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// The text after the last dot counts as extension even where nothing precedes it: fastai takes a file named
/// "jpg" too.
std::string extension_of(const std::string& name) {
  return "." + lower(name.substr(name.rfind('.') + 1));
}

bool hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

struct Walk {
  const std::set<std::string>& extensions;
  const FileOptions& options;
  Paths found;
  std::set<fs::path>
      open_folders;  // the folders that enclose the current one: a link back to one of them is a loop

  void visit(const fs::path& folder, bool is_root) {
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    if (error || !open_folders.insert(real).second) return;
    for (const auto& entry : fs::directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
      if (entry.is_directory(error)) {
        if (options.recurse && wanted_folder(entry.path(), is_root)) visit(entry.path(), false);
      } else if (entry.is_regular_file(error) && wanted_file(entry.path(), is_root)) {
        found.push_back(entry.path());
      }
    }
    open_folders.erase(real);
  }

  bool wanted_folder(const fs::path& path, bool is_root) const {
    if (!is_root || options.folders.empty()) return !hidden(path);
    return std::find(options.folders.begin(), options.folders.end(), path.filename().string()) !=
           options.folders.end();
  }

  bool wanted_file(const fs::path& path, bool is_root) const {
    if (hidden(path)) return false;
    if (is_root && options.recurse && !options.folders.empty() &&
        std::find(options.folders.begin(), options.folders.end(), ".") == options.folders.end()) {
      return false;
    }
    return extensions.empty() || extensions.count(extension_of(path.filename().string())) != 0;
  }
};

}  // namespace

Paths get_files(const fs::path& path, const std::set<std::string>& extensions, const FileOptions& options) {
  if (!fs::exists(path)) {
    throw Error(ErrorCode::not_found, "this folder does not exist", {{"path", path}},
                "check the path for a typing error");
  }
  if (!fs::is_directory(path)) {
    throw Error(ErrorCode::usage, "a folder is expected, and this is a file", {{"path", path}});
  }
  std::set<std::string> wanted;
  for (const std::string& e : extensions) wanted.insert(lower(e));
  Walk walk{wanted, options, {}, {}};
  walk.visit(path, true);
  std::sort(walk.found.begin(), walk.found.end());
  return std::move(walk.found);
}

const std::set<std::string>& image_extensions() {
  static const std::set<std::string> extensions = {
      ".avif", ".bmp", ".gif",  ".heic", ".heif", ".ico", ".ief", ".jfif", ".jpe",
      ".jpeg", ".jpg", ".pbm",  ".pgm",  ".png",  ".pnm", ".ppm", ".ras",  ".rgb",
      ".svg",  ".tif", ".tiff", ".webp", ".xbm",  ".xpm", ".xwd"};
  return extensions;
}

Items to_items(const Paths& paths) {
  return Items(paths.begin(), paths.end());
}

Value tuple_of(std::vector<Value> values) {
  return UserValue{std::move(values)};
}

const std::vector<Value>* values_in(const Value& item) {
  const auto* user = std::get_if<UserValue>(&item);
  return user ? std::any_cast<std::vector<Value>>(&user->value) : nullptr;
}

Items zip_columns(const std::vector<Items>& columns) {
  Items items;
  for (std::size_t c = 1; c < columns.size(); ++c) {
    if (columns[c].size() == columns[0].size()) continue;
    throw Error(ErrorCode::usage, "columns side by side are of one length",
                {{"column 0", columns[0].size()}, {"column " + std::to_string(c), columns[c].size()}});
  }
  for (std::size_t i = 0; !columns.empty() && i < columns[0].size(); ++i) {
    std::vector<Value> values;
    for (const Items& column : columns) values.push_back(column[i]);
    items.push_back(tuple_of(std::move(values)));
  }
  return items;
}

}  // namespace kindling
