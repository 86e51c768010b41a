#pragma once
/// Pictures of any size to one size: fastai's `Resize` and `RatioResize`.

#include <kindling/vision/cut.hpp>

#include <string_view>

namespace kindling {

enum class ResizeMethod { crop, pad, squish };

std::string_view name_of(ResizeMethod method);
/// "crop", "pad", "squish". Throws `usage` for others.
ResizeMethod resize_method_from(std::string_view name);

struct ResizeOptions {
  ResizeMethod method = ResizeMethod::crop;
  PadMode pad_mode = PadMode::reflection;
  Resample resample = Resample::bilinear;  ///< of pictures; masks take the nearest pixel always
};

/// Every picture to one size, on train and valid. crop cuts the long side, at random in training and in the
/// middle otherwise; pad adds to the short side, placed likewise; squish changes the aspect. (fastai
/// `Resize`.)
class Resize {
 public:
  static constexpr const char* name = "Resize";
  static constexpr int order = 1;
  /// A square of `side` pixels.
  explicit Resize(int side, ResizeOptions options = {}) : Resize({side, side}, options) {}
  explicit Resize(Size size, ResizeOptions options = {});

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    return cut(picture_size(member, context), context).apply(member);
  }
  /// Where a training crop or pad lies is drawn anew each time.
  bool deterministic(Split split) const {
    return split == Split::valid || options_.method == ResizeMethod::squish;
  }
  /// The same with the draws given: where the cut (or the padded picture) lies, 0 left or top, 1 right or bottom.
  template <MovesWithPicture Kind>
  Kind apply(const Kind& member, double px, double py, Size picture = {}) const {
    return cut(picture_size(member, {.image_size = picture}), px, py).apply(member);
  }
  /// What is done to a picture of that size.
  Cut cut(Size source, double px, double py) const;
  Cut cut(Size source, const ItemContext& context) const;
  /// 1, 2, 4 or 8: a JPEG of this size, reduced so, is at least twice as large as what is made of it.
  int reduction(Size source) const;
  Size size() const { return size_; }
  const ResizeOptions& options() const { return options_; }
  Json to_json() const;
  static Resize from_json(const Json& json);

 private:
  Size size_;
  ResizeOptions options_;
};

struct RatioResizeOptions {
  Resample resample = Resample::bilinear;
};

/// The longer side to `max_size`, the other in proportion. (fastai `RatioResize`.)
class RatioResize {
 public:
  static constexpr const char* name = "RatioResize";
  static constexpr int order = 1;
  explicit RatioResize(int max_size, RatioResizeOptions options = {});

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    const Size source = picture_size(member, context);
    return resize_of(source).cut(source, context).apply(member);
  }
  /// The size that a picture of that size gets.
  Size size_for(Size source) const;
  int reduction(Size source) const;
  bool deterministic(Split split) const { return split == Split::valid; }
  Json to_json() const;
  static RatioResize from_json(const Json& json);

 private:
  Resize resize_of(Size source) const;
  int max_size_;
  RatioResizeOptions options_;
};

}  // namespace kindling
