#pragma once
/// Pictures of any size to one size: fastai's `Resize`, and the crop and padding under it.

#include <kindling/data/transform.hpp>
#include <kindling/vision/resample.hpp>

#include <string_view>

namespace kindling {

enum class ResizeMethod { crop, pad, squish };
enum class PadMode { zeros, border, reflection };

std::string_view name_of(ResizeMethod method);
std::string_view name_of(PadMode mode);
/// "crop", "pad", "squish"; "zeros", "border", "reflection". Throw `usage` for others.
ResizeMethod resize_method_from(std::string_view name);
PadMode pad_mode_from(std::string_view name);

/// Cuts `size` pixels from `left`, `top`, which may lie outside: what is missing there is padded. (fastai
/// `crop_pad`.)
Image crop_pad(const Image& image, Size size, int left, int top, PadMode mode);

struct ResizeOptions {
  ResizeMethod method = ResizeMethod::crop;
  PadMode pad_mode = PadMode::reflection;
  Resample resample = Resample::bilinear;
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

  Image encodes(const Image& image, const ItemContext& context) const;
  /// The same with the draws given: where the cut (or the padded picture) lies, 0 left or top, 1 right or bottom.
  Image apply(const Image& image, double px, double py) const;
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

}  // namespace kindling
