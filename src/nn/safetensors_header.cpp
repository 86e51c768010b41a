#include "nn/safetensors_header.hpp"

#include <kindling/core/error.hpp>
#include <kindling/core/json.hpp>

#include "nn/pickle_globals.hpp"

#include <unordered_set>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

constexpr std::size_t max_dims = 64;
constexpr const char* metadata_key = "__metadata__";

/// Takes the parser's events; the format has so little structure that no tree of values is needed, and a
/// header of 100 MB costs no more memory than what it says.
class HeaderEvents : public nlohmann::json_sax<Json> {
 public:
  HeaderEvents(SafetensorsHeader& header, std::uint64_t at, const std::string& where)
      : header_(header), at_(at), where_(where) {}

  bool start_object(std::size_t) override {
    switch (state_) {
      case State::begin:
        state_ = State::names;
        return true;
      case State::tensor_value:
        state_ = State::fields;
        return true;
      case State::metadata_value:
        state_ = State::metadata;
        return true;
      default:
        refuse("an object where none belongs");
    }
  }

  bool end_object() override {
    if (state_ == State::fields) {
      if (fields_ != all_fields) refuse("dtype, shape or data_offsets is missing");
      state_ = State::names;
    } else if (state_ == State::metadata) {
      current_.clear();
      state_ = State::names;
    } else {
      state_ = State::end;
    }
    return true;
  }

  bool key(string_t& name) override {
    if (state_ == State::names) return name_key(name);
    if (state_ == State::metadata) {
      if (header_.metadata.contains(name))
        refuse(fmt::format("the key '{}' stands twice", display_name(name)));
      metadata_name_ = name;
      state_ = State::metadata_text;
      return true;
    }
    return field_key(name);
  }

  bool string(string_t& text) override {
    if (state_ == State::dtype_value) {
      header_.entries.back().dtype = text;
      state_ = State::fields;
    } else if (state_ == State::metadata_text) {
      header_.metadata[metadata_name_] = text;
      state_ = State::metadata;
    } else {
      refuse("a string where none belongs");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ == State::shape_value) {
      state_ = State::shape;
    } else if (state_ == State::offsets_value) {
      state_ = State::offsets;
      offsets_ = 0;
    } else {
      refuse("an array where none belongs");
    }
    return true;
  }

  bool end_array() override {
    if (state_ == State::offsets && offsets_ != 2) refuse("data_offsets is not a pair");
    state_ = State::fields;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::shape) {
      auto& shape = header_.entries.back().shape;
      if (value > static_cast<std::uint64_t>(INT64_MAX)) refuse("a shape overflows");
      if (shape.size() == max_dims) refuse(fmt::format("a shape has more than {} dimensions", max_dims));
      shape.push_back(static_cast<std::int64_t>(value));
    } else if (state_ == State::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? header_.entries.back().begin : header_.entries.back().end) = value;
    } else {
      refuse("a number where none belongs");
    }
    return true;
  }

  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { refuse("a number that is not whole"); }
  bool null() override { refuse("null where none belongs"); }
  bool boolean(bool) override { refuse("true or false where none belongs"); }
  bool binary(binary_t&) override { refuse("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const Json::exception& e) override {
    const std::string_view text(e.what());
    const std::size_t reason = text.rfind(": ");
    position_ = position;
    refuse(
        fmt::format("not valid JSON: {}", reason == std::string_view::npos ? text : text.substr(reason + 2)));
  }

 private:
  enum class State {
    begin,
    names,
    tensor_value,
    fields,
    dtype_value,
    shape_value,
    shape,
    offsets_value,
    offsets,
    metadata_value,
    metadata,
    metadata_text,
    end
  };
  static constexpr unsigned dtype_field = 1, shape_field = 2, offsets_field = 4, all_fields = 7;

  bool name_key(const std::string& name) {
    if (!names_.insert(name).second) refuse(fmt::format("the key '{}' stands twice", display_name(name)));
    current_ = name;
    if (name == metadata_key) {
      state_ = State::metadata_value;
      return true;
    }
    header_.entries.push_back({name, {}, {}, 0, 0});
    fields_ = 0;
    state_ = State::tensor_value;
    return true;
  }

  bool field_key(const std::string& name) {
    const unsigned field = name == "dtype"          ? dtype_field
                           : name == "shape"        ? shape_field
                           : name == "data_offsets" ? offsets_field
                                                    : 0;
    if (field == 0) refuse(fmt::format("an unknown field '{}'", display_name(name)));
    if ((fields_ & field) != 0) refuse(fmt::format("the key '{}' stands twice", name));
    fields_ |= field;
    state_ = field == dtype_field   ? State::dtype_value
             : field == shape_field ? State::shape_value
                                    : State::offsets_value;
    return true;
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    Error error(ErrorCode::bad_weights, "the safetensors header is damaged: " + reason, {{"path", where_}},
                "get the file again");
    if (!current_.empty()) error.with({"key", display_name(current_)});
    throw error.with({"offset", at_ + position_});
  }

  SafetensorsHeader& header_;
  std::uint64_t at_;
  const std::string& where_;
  State state_ = State::begin;
  std::unordered_set<std::string> names_;
  std::string current_;
  std::string metadata_name_;
  unsigned fields_ = 0;
  int offsets_ = 0;
  std::size_t position_ = 0;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t at,
                                           const std::string& where) {
  SafetensorsHeader header;
  HeaderEvents events(header, at, where);
  Json::sax_parse(json, &events);
  return header;
}

}  // namespace kindling::detail
