#include <kindling/core/error.hpp>
#include <kindling/tabular/data.hpp>

#include "tabular/unique_cells.hpp"

#include <algorithm>

#include <torch/types.h>

namespace kindling {

namespace {

constexpr std::pair<TargetKind, const char*> target_names[] = {
    {TargetKind::none, "none"}, {TargetKind::category, "category"}, {TargetKind::number, "number"}};

/// One row out of a JSON object.
Table row_of_json(const Bytes& bytes) {
  const Json json = parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "the row");
  if (!json.is_object()) {
    throw Error(ErrorCode::bad_data, "a row is a JSON object: the columns' names with their values", {},
                R"(for example {"age": 49, "workclass": "Private"})");
  }
  Table::Columns columns;
  for (const auto& [name, value] : json.items()) {
    if (value.is_number_integer())
      columns.emplace_back(name, std::vector<std::int64_t>{value.get<std::int64_t>()});
    else if (value.is_number())
      columns.emplace_back(name, std::vector<double>{value.get<double>()});
    else if (value.is_boolean())
      columns.emplace_back(name, std::vector<bool>{value.get<bool>()});
    else if (value.is_string())
      columns.emplace_back(name, std::vector<std::string>{value.get<std::string>()});
    else
      columns.emplace_back(name, Table::Texts{std::nullopt});
  }
  return Table(columns);
}

/// Rows of one table as a table.
Table rows_of_one(const std::shared_ptr<const Table>& table, const std::vector<std::int64_t>& rows) {
  bool all = static_cast<std::int64_t>(rows.size()) == table->n_rows();
  for (std::size_t i = 0; all && i < rows.size(); ++i) all = rows[i] == static_cast<std::int64_t>(i);
  return all ? *table : table->take(rows);
}

/// The items as tables, neighbours of one table together.
std::vector<Table> tables_of(const std::vector<Value>& items) {
  std::vector<Table> tables;
  for (std::size_t i = 0; i < items.size();) {
    if (const auto* bytes = std::get_if<Bytes>(&items[i])) {
      tables.push_back(row_of_json(*bytes));
      ++i;
      continue;
    }
    const auto* first = std::get_if<Row>(&items[i]);
    if (!first || !first->table) {
      throw Error(ErrorCode::usage, "a model of tables takes rows, or JSON objects", {{"got", describe(items[i])}},
                  "give rows_of(read_table(FILE)), or test_dl(dls, table)");
    }
    std::vector<std::int64_t> rows;
    for (; i < items.size(); ++i) {
      const auto* row = std::get_if<Row>(&items[i]);
      if (!row || row->table != first->table) break;
      rows.push_back(row->index);
    }
    tables.push_back(rows_of_one(first->table, rows));
  }
  return tables;
}

Json cell_to_json(const Table& table, std::int64_t row, const std::string& name) {
  if (table.is_null(row, name)) return nullptr;
  switch (table.type(name)) {
    case ColumnType::integer:
      // Whole, whatever a double can hold.
      return parse_json(table.text(row, name), "a cell");
    case ColumnType::number:
      return table.number(row, name);
    case ColumnType::boolean:
      return table.truth(row, name);
    default:
      return table.text(row, name);
  }
}

[[noreturn]] void fail_missing_number(const TabularFrame& frame, const std::string& name, const torch::Tensor& column) {
  const auto missing = torch::isnan(column);
  throw Error(ErrorCode::bad_data, "a column of numbers has missing ones",
              {{"column", name},
               {"missing", missing.sum().item<std::int64_t>()},
               {"first", frame.table.where(missing.nonzero()[0].item<std::int64_t>())}},
              "put FillMissing() into procs, or leave those rows out");
}

}  // namespace

std::vector<std::string> TabularEncoder::input_names() const {
  std::vector<std::string> names = table_cats_;
  names.insert(names.end(), cont_names_.begin(), cont_names_.end());
  return names;
}

const CategoryMap& TabularEncoder::classes(const std::string& column) const {
  if (const auto* categorify = proc<Categorify>()) return (*categorify)[column];
  throw Error(ErrorCode::not_found, "there are no columns of classes: procs has no Categorify", {{"column", column}});
}

Values TabularEncoder::assemble(TabularFrame& frame, const torch::Tensor& rows) const {
  const std::int64_t n = rows.defined() ? rows.size(0) : frame.n_rows;
  const auto chosen = [&](const torch::Tensor& column) { return rows.defined() ? column.index_select(0, rows) : column; };
  auto type = torch::kUInt8;
  for (const auto& [name, codes] : frame.codes) type = torch::promote_types(type, codes.scalar_type());
  auto cats = torch::empty({n, static_cast<std::int64_t>(cat_names_.size())}, type);
  for (std::size_t c = 0; c < cat_names_.size(); ++c) {
    const auto codes = frame.codes.find(cat_names_[c]);
    if (codes == frame.codes.end()) {
      throw Error(ErrorCode::usage, "columns of classes need codes", {{"column", cat_names_[c]}},
                  "put Categorify() into procs");
    }
    cats.select(1, static_cast<std::int64_t>(c)).copy_(chosen(codes->second));
    frame.codes.erase(codes);
  }
  auto conts = torch::empty({n, static_cast<std::int64_t>(cont_names_.size())});
  for (std::size_t c = 0; c < cont_names_.size(); ++c) {
    const auto& column = frame.cont(cont_names_[c]);
    if (torch::isnan(column).any().item<bool>()) fail_missing_number(frame, cont_names_[c], column);
    conts.select(1, static_cast<std::int64_t>(c)).copy_(chosen(column));
    frame.conts.erase(cont_names_[c]);
  }
  return {cats, conts};
}

torch::Tensor TabularEncoder::class_targets(const Table& table) const {
  const std::string& name = y_names_.front();
  const auto unique = detail::unique_cells(table, name);
  std::vector<std::int64_t> code_of;
  for (const TableCell& cell : unique.cells) code_of.push_back(y_classes_.code(cell));
  auto targets = torch::empty({table.n_rows()}, torch::kInt64);
  const auto* place = unique.places.const_data_ptr<std::int32_t>();
  auto* out = targets.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < targets.numel(); ++i) {
    if (place[i] < 0) {
      throw Error(ErrorCode::bad_data, "the target is missing",
                  {{"column", name},
                   {"rows", std::count(place, place + targets.numel(), -1)},
                   {"first", table.where(i)}},
                  "fill it in, or leave those rows out");
    }
    out[i] = code_of[static_cast<std::size_t>(place[i])];
    if (out[i] >= 0) continue;
    throw Error(ErrorCode::bad_data, "the target has a class that no training row has",
                {{"column", name}, {"class", text_of(unique.cells[static_cast<std::size_t>(place[i])])},
                 {"row", table.where(i)}},
                "leave rows of such rare classes out, or split so that each class has training rows");
  }
  return targets;
}

torch::Tensor TabularEncoder::number_targets(const Table& table) const {
  std::vector<torch::Tensor> columns;
  for (const std::string& name : y_names_) {
    columns.push_back(detail::number_column(table, name).to(torch::kFloat32));
    const auto missing = torch::isnan(columns.back());
    const auto n = missing.sum().item<std::int64_t>();
    if (n == 0) continue;
    throw Error(ErrorCode::bad_data, "the target is missing",
                {{"column", name}, {"rows", n}, {"first", table.where(missing.nonzero()[0].item<std::int64_t>())}},
                "fill it in, or leave those rows out");
  }
  return columns.size() == 1 ? columns.front() : torch::stack(columns, 1);
}

torch::Tensor TabularEncoder::targets(const Table& table) const {
  return target_ == TargetKind::category ? class_targets(table) : number_targets(table);
}

Values TabularEncoder::encode(const Table& table, bool with_targets) const {
  TabularFrame frame(table, table_cats_, cont_names_);
  for (const std::string& name : input_names()) table.column(name);
  for (const TabularProc& p : procs_) p.encodes(frame);
  Values members = assemble(frame, {});
  members.front() = tensor_of(members.front()).to(torch::kInt64);
  if (with_targets && target_ != TargetKind::none) members.emplace_back(targets(table));
  return members;
}

Values TabularEncoder::encode(const std::vector<Value>& items, bool with_targets) const {
  std::vector<std::vector<torch::Tensor>> parts;
  for (const Table& table : tables_of(items)) {
    const Values members = encode(table, with_targets);
    parts.resize(members.size());
    for (std::size_t m = 0; m < members.size(); ++m) parts[m].push_back(tensor_of(members[m]));
  }
  if (parts.empty()) throw Error(ErrorCode::usage, "there are no rows");
  Values members;
  for (const auto& part : parts) members.emplace_back(part.size() == 1 ? part.front() : torch::cat(part));
  return members;
}

std::vector<std::string> TabularEncoder::names() const {
  std::vector<std::string> names = cat_names_;
  names.insert(names.end(), cont_names_.begin(), cont_names_.end());
  names.insert(names.end(), y_names_.begin(), y_names_.end());
  return names;
}

std::vector<Values> TabularEncoder::decode(const Values& batch) const {
  TabularFrame frame;
  frame.cat_names = cat_names_;
  frame.cont_names = cont_names_;
  const auto cats = tensor_of(batch.at(0)).cpu(), conts = tensor_of(batch.at(1)).cpu();
  frame.n_rows = cats.size(0);
  for (std::size_t c = 0; c < cat_names_.size(); ++c)
    frame.codes[cat_names_[c]] = cats.select(1, static_cast<std::int64_t>(c));
  for (std::size_t c = 0; c < cont_names_.size(); ++c)
    frame.conts[cont_names_[c]] = conts.select(1, static_cast<std::int64_t>(c));
  for (auto p = procs_.rbegin(); p != procs_.rend(); ++p) p->decodes(frame);
  std::vector<Values> rows(static_cast<std::size_t>(frame.n_rows));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const std::string& name : cat_names_) rows[i].emplace_back(Category{frame.texts[name].at(i)});
    for (const std::string& name : cont_names_)
      rows[i].emplace_back(Number{frame.conts[name][static_cast<std::int64_t>(i)].item<double>()});
    if (batch.size() < 3) continue;
    const auto y = tensor_of(batch[2]).cpu()[static_cast<std::int64_t>(i)].flatten();
    for (std::int64_t k = 0; k < y.numel(); ++k) {
      if (target_ != TargetKind::category)
        rows[i].emplace_back(Number{y[k].item<double>()});
      else
        rows[i].emplace_back(Category{y_classes_.items().at(static_cast<std::size_t>(y[k].item<std::int64_t>()))});
    }
  }
  return rows;
}

std::vector<std::string> TabularEncoder::vocab() const {
  return target_ == TargetKind::category ? y_classes_.items() : std::vector<std::string>();
}

int TabularEncoder::c() const {
  return static_cast<int>(target_ == TargetKind::category ? y_classes_.size()
                                                          : static_cast<std::int64_t>(y_names_.size()));
}

Bytes TabularEncoder::to_bytes(const Value& item) const {
  const auto* row = std::get_if<Row>(&item);
  if (!row || !row->table) return {};
  Json json = Json::object();
  for (const std::string& name : input_names()) json[name] = cell_to_json(*row->table, row->index, name);
  const std::string text = json.dump();
  return {text.begin(), text.end()};
}

Json TabularEncoder::to_json() const {
  std::string target;
  for (const auto& [kind, name] : target_names) {
    if (kind == target_) target = name;
  }
  Json procs = Json::array();
  for (const TabularProc& p : procs_) procs.push_back(p.to_json());
  return {{"table_cats", table_cats_}, {"cat_names", cat_names_}, {"cont_names", cont_names_}, {"y_names", y_names_},
          {"target", target},          {"y_classes", y_classes_.to_json()},                    {"procs", procs}};
}

std::shared_ptr<const TabularEncoder> TabularEncoder::from_json(const Json& json) {
  auto encoder = std::make_shared<TabularEncoder>();
  const auto names = [&](const char* key) { return json.at(key).get<std::vector<std::string>>(); };
  encoder->table_cats_ = names("table_cats");
  encoder->cat_names_ = names("cat_names");
  encoder->cont_names_ = names("cont_names");
  encoder->y_names_ = names("y_names");
  encoder->y_classes_ = CategoryMap::from_json(json.at("y_classes"));
  for (const auto& [kind, name] : target_names) {
    if (json.at("target").get<std::string>() == name) encoder->target_ = kind;
  }
  for (const Json& p : json.at("procs")) encoder->procs_.push_back(tabular_proc_from_json(p));
  return encoder;
}

const TabularEncoder& tabular_encoder(const Pipeline& pipeline) {
  if (const auto* encoder = dynamic_cast<const TabularEncoder*>(pipeline.encoder.get())) return *encoder;
  throw Error(ErrorCode::usage, "these loaders do not give rows of a table", {},
              "make them with TabularDataLoaders or TabularData");
}

}  // namespace kindling
