#include "nn/pickle.hpp"

#include <kindling/core/error.hpp>

#include "nn/pickle_globals.hpp"

#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace kindling::detail {

namespace {

constexpr std::size_t max_values = std::size_t{1} << 24;
// References copied between containers; a few bytes of pickle can ask for many.
constexpr std::size_t max_references = std::size_t{1} << 25;
constexpr int max_protocol = 5;

class PickleMachine {
 public:
  PickleMachine(std::span<const std::uint8_t> bytes, std::size_t begin, PickleHeap& heap,
                const std::string& where)
      : bytes_(bytes), at_(begin), heap_(heap), where_(where) {}

  PickleId run() {
    for (;;) {
      opcode_at_ = at_;
      const auto opcode = byte();
      if (opcode == '.') return finish();
      if (!number_or_text(opcode) && !container(opcode) && !stack_or_memo(opcode) && !object(opcode)) {
        throw Error(
            ErrorCode::unsupported,
            fmt::format("the pickle uses opcode 0x{:02x}, which files of tensors do not need", opcode),
            facts(), state_dict_hint);
      }
    }
  }
  std::size_t position() const { return at_; }

 private:
  // ---- bytes

  std::vector<Fact> facts() const { return {{"path", where_}, {"offset", opcode_at_}}; }
  [[noreturn]] void bad(const std::string& reason) const {
    throw Error(ErrorCode::bad_weights, "the pickle is damaged: " + reason, facts(),
                "get the file again; it may be cut short");
  }
  std::span<const std::uint8_t> take(std::uint64_t n) {
    if (n > bytes_.size() - at_) bad("it ends early");
    const auto out = bytes_.subspan(at_, static_cast<std::size_t>(n));
    at_ += static_cast<std::size_t>(n);
    return out;
  }
  std::uint8_t byte() { return take(1)[0]; }
  std::uint64_t little_endian(int n) {
    std::uint64_t value = 0;
    const auto raw = take(static_cast<std::uint64_t>(n));
    for (int i = 0; i < n; ++i) value |= std::uint64_t{raw[i]} << (8 * i);
    return value;
  }
  std::string text(std::uint64_t n) {
    const auto raw = take(n);
    return {reinterpret_cast<const char*>(raw.data()), raw.size()};
  }
  std::string line() {
    const auto rest = bytes_.subspan(at_);
    const void* end = std::memchr(rest.data(), '\n', rest.size());
    if (end == nullptr) bad("it ends early");
    std::string out = text(static_cast<const std::uint8_t*>(end) - rest.data());
    ++at_;
    return out;
  }

  // ---- stack, marks, memo

  void push_id(PickleId id) {
    if (stack_.size() >= max_values) bad("too many values");
    stack_.push_back(id);
  }
  // Not an overload: a bool or a number would convert to an id.
  void push(PickleValue value) { push_id(make(std::move(value))); }
  PickleId make(PickleValue value) {
    if (heap_.size() >= max_values) bad("too many values");
    return heap_.add(std::move(value));
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleId pop() {
    if (stack_.size() <= floor()) bad("it takes a value from an empty stack");
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }
  PickleId top() const {
    if (stack_.size() <= floor()) bad("it uses a value of an empty stack");
    return stack_.back();
  }
  std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) bad("a mark is missing");
    std::vector<PickleId> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  std::vector<PickleId> pop_many(std::size_t n) {
    std::vector<PickleId> items(n);
    while (n > 0) items[--n] = pop();
    return items;
  }
  void charge(std::size_t references) {
    references_ += references;
    if (references_ > max_references) bad("too many references");
  }
  void remember(std::uint64_t key) { memo_[key] = top(); }
  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) bad("it refers to a value that it did not store");
    push_id(found->second);
  }
  PickleId finish() {
    const PickleId result = pop();
    if (!stack_.empty() || !marks_.empty()) bad("values are left over");
    return result;
  }

  // ---- opcodes; each group returns false for an opcode that it does not know

  bool number_or_text(std::uint8_t opcode) {
    switch (opcode) {
      case 'N':
        push(PickleNone{});
        return true;
      case 0x88:
        push(true);
        return true;
      case 0x89:
        push(false);
        return true;
      case 'J':
        push(std::int64_t{static_cast<std::int32_t>(little_endian(4))});
        return true;
      case 'K':
        push(std::int64_t{byte()});
        return true;
      case 'M':
        push(static_cast<std::int64_t>(little_endian(2)));
        return true;
      case 0x8a:
        long_integer(byte());
        return true;
      case 0x8b:
        long_integer(little_endian(4));
        return true;
      case 'G':
        push(std::bit_cast<double>(__builtin_bswap64(little_endian(8))));
        return true;
      case 'X':
        push(text(little_endian(4)));
        return true;
      case 0x8c:
        push(text(byte()));
        return true;
      case 0x8d:
        push(text(little_endian(8)));
        return true;
      // Python 2's str, which is text in old files.
      case 'U':
        push(text(byte()));
        return true;
      case 'T':
        push(text(little_endian(4)));
        return true;
      case 'C':
        push(PickleBytes{text(byte())});
        return true;
      case 'B':
        push(PickleBytes{text(little_endian(4))});
        return true;
      case 0x8e:
      case 0x96:
        push(PickleBytes{text(little_endian(8))});
        return true;
      default:
        return false;
    }
  }

  void long_integer(std::uint64_t size) {
    const auto raw = take(size);
    if (size > 8) return push(PickleBigInt{{reinterpret_cast<const char*>(raw.data()), raw.size()}});
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{raw[i]} << (8 * i);
    if (size > 0 && size < 8 && (raw[size - 1] & 0x80) != 0) value |= ~std::uint64_t{0} << (8 * size);
    push(static_cast<std::int64_t>(value));
  }

  bool container(std::uint8_t opcode) {
    switch (opcode) {
      case ']':
        push(PickleList{});
        return true;
      case '}':
        push(PickleDict{});
        return true;
      case ')':
        push(PickleTuple{});
        return true;
      case 't':
        push(PickleTuple{pop_to_mark()});
        return true;
      case 'l':
        push(PickleList{pop_to_mark()});
        return true;
      case 0x85:
        push(PickleTuple{pop_many(1)});
        return true;
      case 0x86:
        push(PickleTuple{pop_many(2)});
        return true;
      case 0x87:
        push(PickleTuple{pop_many(3)});
        return true;
      case 'a':
        append(pop_many(1));
        return true;
      case 'e':
        append(pop_to_mark());
        return true;
      case 's':
        set_items(pop_many(2));
        return true;
      case 'u':
        set_items(pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  void append(const std::vector<PickleId>& items) {
    auto& target = heap_[top()];
    if (std::holds_alternative<PickleOpaque>(target)) return;
    auto* list = std::get_if<PickleList>(&target);
    if (list == nullptr) bad("it appends to something that is not a list");
    list->items.insert(list->items.end(), items.begin(), items.end());
  }

  void set_items(const std::vector<PickleId>& items) {
    if (items.size() % 2 != 0) bad("a key has no value");
    auto& target = heap_[top()];
    if (std::holds_alternative<PickleOpaque>(target)) return;
    auto* dict = std::get_if<PickleDict>(&target);
    if (dict == nullptr) bad("it sets a key of something that is not a dict");
    for (std::size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }

  bool stack_or_memo(std::uint8_t opcode) {
    switch (opcode) {
      case 0x80:
        if (byte() > max_protocol) bad("its protocol is unknown");
        return true;
      case 0x95:
        (void)little_endian(8);
        return true;  // a frame says only how much to read ahead
      case '(':
        if (marks_.size() >= max_values) bad("too many marks");
        marks_.push_back(stack_.size());
        return true;
      case '0':
        (void)pop();
        return true;
      case '1':
        (void)pop_to_mark();
        return true;
      case '2':
        push_id(top());
        return true;
      case 'q':
        remember(byte());
        return true;
      case 'r':
        remember(little_endian(4));
        return true;
      case 0x94:
        remember(memo_.size());
        return true;
      case 'h':
        recall(byte());
        return true;
      case 'j':
        recall(little_endian(4));
        return true;
      default:
        return false;
    }
  }

  bool object(std::uint8_t opcode) {
    switch (opcode) {
      case 'c': {
        std::string module = line();
        push(permitted(module + "." + line()));
        return true;
      }
      case 'i': {  // names a class and makes one; only to say which
        std::string module = line();
        (void)permitted(module + "." + line());
        return false;
      }
      case 0x93: {
        const auto parts = pop_many(2);
        const auto* module = heap_.get_if<std::string>(parts[0]);
        const auto* name = heap_.get_if<std::string>(parts[1]);
        if (module == nullptr || name == nullptr) bad("the name of a class is not text");
        push(permitted(*module + "." + *name));
        return true;
      }
      case 'R':
      case 0x81:
        call();
        return true;
      case 'b':
        build();
        return true;
      case 'Q':
        push(persistent());
        return true;
      default:
        return false;
    }
  }

  PickleValue permitted(std::string name) const {
    if (is_opaque_global(name)) return PickleOpaque{};
    if (is_permitted_global(name)) return PickleGlobal{std::move(name)};
    throw Error(
        ErrorCode::unsupported,
        fmt::format(
            "this file holds a Python object of class {}; kindling reads tensors, dicts, lists, numbers "
            "and strings only",
            display_name(name)),
        facts(), state_dict_hint);
  }

  void call() {
    const PickleId argument = pop();
    const PickleId callee = pop();
    const auto* args = heap_.get_if<PickleTuple>(argument);
    if (args == nullptr) bad("a call has no argument tuple");
    if (heap_.get_if<PickleOpaque>(callee) != nullptr) return push(PickleOpaque{});
    const auto* global = heap_.get_if<PickleGlobal>(callee);
    if (global == nullptr) bad("it calls something that is not a function");
    CallResult result = call_global(global->name, args->items, heap_);
    if (!result.problem.empty()) bad(global->name + ": " + result.problem);
    charge(result.references);
    if (result.same) return push_id(*result.same);
    push(std::move(result.value));
  }

  /// The state of an OrderedDict (`_metadata`), of a parameter, or of an opaque value: nothing that is a
  /// weight.
  void build() {
    (void)pop();
    const auto& target = heap_[top()];
    if (!std::holds_alternative<PickleDict>(target) && !std::holds_alternative<PickleOpaque>(target) &&
        !std::holds_alternative<PickleTensor>(target)) {
      bad("it sets the state of something that has none");
    }
  }

  PickleValue persistent() {
    const PickleId id = pop();
    const auto* parts = heap_.get_if<PickleTuple>(id);
    if (parts == nullptr) bad("a persistent id is not a tuple");
    StorageResult result = storage_of(parts->items, heap_);
    if (!result.problem.empty()) bad("a storage's id: " + result.problem);
    return std::move(result.storage);
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_;
  std::size_t opcode_at_ = 0;
  PickleHeap& heap_;
  const std::string& where_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleId> memo_;
  std::size_t references_ = 0;
};

}  // namespace

PickleId PickleHeap::add(PickleValue value) {
  values_.push_back(std::move(value));
  return static_cast<PickleId>(values_.size() - 1);
}

PickleId run_pickle(std::span<const std::uint8_t> bytes, std::size_t begin, std::size_t& end,
                    PickleHeap& heap, const std::string& where) {
  PickleMachine machine(bytes, begin, heap, where);
  const PickleId result = machine.run();
  end = machine.position();
  return result;
}

}  // namespace kindling::detail
