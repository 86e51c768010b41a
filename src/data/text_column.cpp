#include "data/text_column.hpp"

#include <array>
#include <limits>
#include <unordered_set>

#include <arrow/array/concatenate.h>
#include <arrow/compute/cast.h>

namespace kindling::detail {

namespace {

using arrow::DictionaryArray, arrow::Int32Array, arrow::StringArray;

/// Texts that stand for a missing value. Most cells are told from them by their first byte.
class Missing {
 public:
  explicit Missing(const std::vector<std::string>& texts) : texts_(texts.begin(), texts.end()) {
    for (const std::string& text : texts) {
      if (!text.empty()) first_[static_cast<unsigned char>(text.front())] = true;
      longest_ = std::max(longest_, text.size());
    }
  }
  bool contains(std::string_view text) const {
    if (text.size() > longest_ || (!text.empty() && !first_[static_cast<unsigned char>(text.front())])) return false;
    return texts_.contains(std::string(text));
  }

 private:
  std::unordered_set<std::string> texts_;
  std::array<bool, 256> first_{};
  std::size_t longest_ = 0;
};

std::string_view without_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

bool begins_with_blank(const StringArray& texts) {
  for (std::int64_t i = 0; i < texts.length(); ++i) {
    if (texts.value_length(i) > 0 && texts.GetView(i).front() == ' ') return true;
  }
  return false;
}

arrow::Result<std::shared_ptr<arrow::Array>> trimmed(const StringArray& texts, const Missing& missing) {
  arrow::StringBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(texts.length()));
  ARROW_RETURN_NOT_OK(builder.ReserveData(texts.total_values_length()));
  for (std::int64_t i = 0; i < texts.length(); ++i) {
    const auto text = texts.IsNull(i) ? std::string_view() : without_blanks(texts.GetView(i));
    ARROW_RETURN_NOT_OK(texts.IsNull(i) || missing.contains(text) ? builder.AppendNull() : builder.Append(text));
  }
  return builder.Finish();
}

/// The same places in other texts; a place whose text is missing is missing.
arrow::Result<std::shared_ptr<arrow::Array>> with_dictionary(const DictionaryArray& column,
                                                             const std::shared_ptr<StringArray>& texts) {
  if (texts->null_count() == 0) return std::make_shared<DictionaryArray>(column.type(), column.indices(), texts);
  const auto& places = static_cast<const Int32Array&>(*column.indices());
  arrow::Int32Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(places.length()));
  for (std::int64_t i = 0; i < places.length(); ++i) {
    if (places.IsNull(i) || texts->IsNull(places.Value(i)))
      builder.UnsafeAppendNull();
    else
      builder.UnsafeAppend(places.Value(i));
  }
  ARROW_ASSIGN_OR_RAISE(auto kept, builder.Finish());
  // The texts themselves without a missing one, which a table's dictionary does not hold: nothing stands at its place now.
  const auto all = std::make_shared<StringArray>(texts->length(), texts->value_offsets(), texts->value_data());
  return std::make_shared<DictionaryArray>(column.type(), kept, all);
}

}  // namespace

std::shared_ptr<arrow::DataType> text_dictionary() {
  static const auto type = arrow::dictionary(arrow::int32(), arrow::utf8());
  return type;
}

bool is_text(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING ||
         (type.id() == arrow::Type::DICTIONARY &&
          static_cast<const arrow::DictionaryType&>(type).value_type()->id() == arrow::Type::STRING);
}

std::string_view text_at(const arrow::Array& array, std::int64_t at) {
  if (array.type_id() == arrow::Type::STRING) return static_cast<const StringArray&>(array).GetView(at);
  const auto& column = static_cast<const DictionaryArray&>(array);
  return static_cast<const StringArray&>(*column.dictionary()).GetView(column.GetValueIndex(at));
}

arrow::Result<std::shared_ptr<arrow::ChunkedArray>> without_leading_blanks(
    const std::shared_ptr<arrow::ChunkedArray>& column, const std::vector<std::string>& missing) {
  if (!is_text(*column->type())) return column;
  const Missing known(missing);
  arrow::ArrayVector chunks;
  for (const auto& chunk : column->chunks()) {
    const auto* coded = chunk->type_id() == arrow::Type::DICTIONARY ? static_cast<const DictionaryArray*>(chunk.get()) : nullptr;
    const auto& texts = static_cast<const StringArray&>(coded ? *coded->dictionary() : *chunk);
    if (!begins_with_blank(texts)) {
      chunks.push_back(chunk);
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(auto kept, trimmed(texts, known));
    if (coded) {
      ARROW_ASSIGN_OR_RAISE(kept, with_dictionary(*coded, std::static_pointer_cast<StringArray>(kept)));
    }
    chunks.push_back(std::move(kept));
  }
  return std::make_shared<arrow::ChunkedArray>(chunks, column->type());
}

arrow::Result<std::shared_ptr<arrow::ChunkedArray>> with_small_places(const std::shared_ptr<arrow::ChunkedArray>& column) {
  if (column->type()->id() != arrow::Type::DICTIONARY || column->num_chunks() != 1) return column;
  const auto& chunk = static_cast<const DictionaryArray&>(*column->chunk(0));
  const std::int64_t n = chunk.dictionary()->length();
  if (n > std::numeric_limits<std::int16_t>::max()) return column;
  const auto small = n > std::numeric_limits<std::int8_t>::max() ? arrow::int16() : arrow::int8();
  ARROW_ASSIGN_OR_RAISE(const auto places, arrow::compute::Cast(*chunk.indices(), small));
  return std::make_shared<arrow::ChunkedArray>(
      std::make_shared<DictionaryArray>(arrow::dictionary(small, arrow::utf8()), places, chunk.dictionary()));
}

arrow::Result<std::shared_ptr<arrow::ChunkedArray>> one_chunk(arrow::ArrayVector chunks) {
  const auto type = chunks.front()->type();
  if (chunks.size() > 1) {
    auto joined = arrow::Concatenate(chunks, arrow::system_memory_pool());
    if (joined.ok()) chunks = {*joined};
  }
  return std::make_shared<arrow::ChunkedArray>(chunks, type);
}

}  // namespace kindling::detail
