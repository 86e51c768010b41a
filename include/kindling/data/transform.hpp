#pragma once
/// One step of a pipeline: a map of values, by kind, that may act on one split only and may be undone for
/// showing.
///
/// Any type becomes a `Transform`, by the members it has; none but one `encodes` is needed:
///
///   struct Invert {
///     static constexpr const char* name = "Invert";                  // for exports and messages
///     static constexpr int order = 0;                                 // ascending; fastai's numbers
///     static constexpr Split only_on = Split::train;                  // left out: every split
///     Image encodes(const Image& image, const ItemContext& context) const;   // context may be left out
///     Image decodes(const Image& image) const;                        // for showing; may take the context too
///     Json to_json() const;                                           // settings, for exports
///     bool deterministic(Split split) const;                          // equal in every epoch, so worth keeping;
///   };                                                                // left out: no `encodes` takes the context
///
/// A kind without an `encodes` passes unchanged. A plain function `Image f(const Image&)` is a transform too.

#include <kindling/core/error.hpp>
#include <kindling/core/json.hpp>
#include <kindling/core/random.hpp>
#include <kindling/data/value.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <vector>

namespace kindling {

enum class Split { train, valid };

/// What a transform may know of the item (or batch) at hand. It is the same for all members of an item, and
/// so are the draws made from `rng()`: a photo and its mask are cropped alike.
struct ItemContext {
  Split split = Split::valid;
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
  std::int64_t item = 0;  ///< index in the data set; of a batch: its number
  int transform = 0;      ///< place in the pipeline
  Size image_size;        ///< of the item's first picture when the transform began; 0 x 0 without one
  /// By how much (1, 2, 4, 8) a JPEG of that size may be reduced while it is decoded; empty: not at all.
  std::function<int(Size)> reduction;

  /// A fresh generator for this item and transform: equal on every call.
  CounterRng rng() const { return CounterRng(seed, epoch, item, transform); }
};

namespace detail {

template <class T, class Kind>
concept EncodesWithContext = requires(const T& t, const Kind& k, const ItemContext& c) { t.encodes(k, c); };
template <class T, class Kind>
concept EncodesAlone = requires(const T& t, const Kind& k) { t.encodes(k); };
template <class T, class Kind>
concept CallsWithContext = requires(const T& t, const Kind& k, const ItemContext& c) { t(k, c); };
template <class T, class Kind>
concept CallsAlone = requires(const T& t, const Kind& k) { t(k); };
template <class T, class Kind>
concept DecodesWithContext = requires(const T& t, const Kind& k, const ItemContext& c) { t.decodes(k, c); };
template <class T, class Kind>
concept Decodes = requires(const T& t, const Kind& k) { t.decodes(k); };

/// Whether some kind of value is encoded with the context in hand, and so with random draws for all one knows.
template <class T, class Variant>
struct MayDraw;
template <class T, class... Kinds>
struct MayDraw<T, std::variant<Kinds...>> {
  static constexpr bool value = ((EncodesWithContext<T, Kinds> || CallsWithContext<T, Kinds>) || ...);
};

template <class T, class Kind>
Value encode_kind(const T& t, const Kind& kind, const Value& value, const ItemContext& context) {
  if constexpr (EncodesWithContext<T, Kind>)
    return Value(t.encodes(kind, context));
  else if constexpr (EncodesAlone<T, Kind>)
    return Value(t.encodes(kind));
  else if constexpr (CallsWithContext<T, Kind>)
    return Value(t(kind, context));
  else if constexpr (CallsAlone<T, Kind>)
    return Value(t(kind));
  else
    return value;
}

template <class T, class Kind>
Value decode_kind(const T& t, const Kind& kind, const Value& value, const ItemContext& context) {
  if constexpr (DecodesWithContext<T, Kind>)
    return Value(t.decodes(kind, context));
  else if constexpr (Decodes<T, Kind>)
    return Value(t.decodes(kind));
  else
    return value;
}

template <class T>
Value encode_with(const T& t, const Value& value, const ItemContext& context) {
  return std::visit([&](const auto& kind) { return encode_kind(t, kind, value, context); }, value);
}

template <class T>
Value decode_with(const T& t, const Value& value, const ItemContext& context) {
  return std::visit([&](const auto& kind) { return decode_kind(t, kind, value, context); }, value);
}

}  // namespace detail

/// Handle of any transform; copies share the object, which is not changed but by `setup`.
class Transform {
 public:
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, Transform>)
  Transform(T t) : self_(std::make_shared<Holder<T>>(std::move(t))) {}

  /// Does nothing on the split it is not for.
  Value encode(const Value& value, const ItemContext& context) const {
    if (only_on() && *only_on() != context.split) return value;
    return self_->encode(value, context);
  }
  /// Undone, for showing. Of an item, `context.image_size` is that of its first picture; of a batch it is empty.
  Value decode(const Value& value, const ItemContext& context = {}) const {
    return self_->decode(value, context);
  }
  int order() const { return self_->order(); }
  std::optional<Split> only_on() const { return self_->only_on(); }
  std::string name() const { return self_->name(); }
  /// {"name": …, its settings}. Throws `usage` for a transform without a name.
  Json to_json() const;
  /// Whether it must see the training items before it works.
  bool needs_setup() const { return self_->needs_setup(); }
  /// A copy that has learnt from the training items.
  Transform with_setup(const std::vector<Value>& train_items) const {
    return Transform(self_->with_setup(train_items));
  }
  /// The class names it knows, if it is one that makes classes.
  std::optional<std::vector<std::string>> vocab() const { return self_->vocab(); }
  /// How many outputs a model needs for this target, if it is the transform that knows (fastai `get_c`).
  std::optional<int> c() const { return self_->c(); }
  /// Whether it makes the same of an item in every epoch of that split.
  bool deterministic(Split split) const {
    return (only_on() && *only_on() != split) || self_->deterministic(split);
  }
  /// How much a JPEG of this size may be reduced before this transform; 1 for transforms that do not say.
  int reduction(Size size) const { return self_->reduction(size); }
  /// The class it is of: in a list of transforms the last of a class wins.
  std::type_index type() const { return self_->type(); }
  /// The object itself, or nullptr when it is of another type.
  template <class T>
  const T* get() const {
    auto* holder = dynamic_cast<const Holder<T>*>(self_.get());
    return holder ? &holder->value : nullptr;
  }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual Value encode(const Value&, const ItemContext&) const = 0;
    virtual Value decode(const Value&, const ItemContext&) const = 0;
    virtual int order() const = 0;
    virtual std::optional<Split> only_on() const = 0;
    virtual std::string name() const = 0;
    virtual Json settings() const = 0;
    virtual bool needs_setup() const = 0;
    virtual std::shared_ptr<const Concept> with_setup(const std::vector<Value>&) const = 0;
    virtual std::optional<std::vector<std::string>> vocab() const = 0;
    virtual std::optional<int> c() const = 0;
    virtual bool deterministic(Split) const = 0;
    virtual int reduction(Size) const = 0;
    virtual std::type_index type() const = 0;
  };

  template <class T>
  struct Holder final : Concept {
    explicit Holder(T t) : value(std::move(t)) {}
    Value encode(const Value& v, const ItemContext& c) const override {
      return detail::encode_with(value, v, c);
    }
    Value decode(const Value& v, const ItemContext& c) const override {
      return detail::decode_with(value, v, c);
    }
    int order() const override {
      if constexpr (requires { T::order; })
        return value.order;
      else
        return 0;
    }
    std::optional<Split> only_on() const override {
      if constexpr (requires { value.only_on; })
        return value.only_on;
      else
        return std::nullopt;
    }
    std::string name() const override {
      if constexpr (requires { T::name; })
        return T::name;
      else
        return "";
    }
    Json settings() const override {
      if constexpr (requires { value.to_json(); })
        return value.to_json();
      else
        return Json::object();
    }
    bool needs_setup() const override {
      return requires(T t, const std::vector<Value>& items) { t.setup(items); };
    }
    std::shared_ptr<const Concept> with_setup(const std::vector<Value>& items) const override {
      auto copy = std::make_shared<Holder>(value);
      if constexpr (requires(T t) { t.setup(items); }) copy->value.setup(items);
      return copy;
    }
    std::optional<std::vector<std::string>> vocab() const override {
      if constexpr (requires { value.vocab(); })
        return value.vocab();
      else
        return std::nullopt;
    }
    std::optional<int> c() const override {
      if constexpr (requires { value.c(); })
        return value.c();
      else if constexpr (requires { value.vocab(); })
        return static_cast<int>(value.vocab().size());
      else
        return std::nullopt;
    }
    bool deterministic(Split split) const override {
      if constexpr (requires { value.deterministic(split); })
        return value.deterministic(split);
      else
        return !detail::MayDraw<T, Value>::value;
    }
    int reduction(Size size) const override {
      if constexpr (requires { value.reduction(size); })
        return value.reduction(size);
      else
        return 1;
    }
    std::type_index type() const override { return typeid(T); }
    T value;
  };

  explicit Transform(std::shared_ptr<const Concept> self) : self_(std::move(self)) {}
  std::shared_ptr<const Concept> self_;
};

using Transforms = std::vector<Transform>;

/// Stable by `order`, and of each class only the last, at the place of the first (fastai's merge of block and
/// user lists).
Transforms merge_transforms(const Transforms& first, const Transforms& second);

/// Makes a transform of that name known to `transform_from_json`, so that exports that hold it can be loaded.
void register_transform(const std::string& name, std::function<Transform(const Json&)> make);
/// Throws `not_found` naming the transform and how to register it.
Transform transform_from_json(const Json& json);

}  // namespace kindling
