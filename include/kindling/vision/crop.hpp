#pragma once
/// Crops of pictures with all that belongs to them: fastai's `RandomResizedCrop`, `RandomCrop` and `CropPad`.

#include <kindling/vision/cut.hpp>

#include <array>
#include <functional>

namespace kindling {

/// Where a crop's random numbers come from. Goldens and tests give Python's own.
struct CropDraws {
  /// Uniform in [low, high).
  std::function<double(double low, double high)> uniform;
  /// Uniform integer in [low, high].
  std::function<std::int64_t(std::int64_t low, std::int64_t high)> integer;
};

struct RandomResizedCropOptions {
  double min_scale = 0.08;                        ///< of the picture's area
  double max_scale = 1;                           ///< of the picture's area
  std::array<double, 2> ratio{3. / 4., 4. / 3.};  ///< width over height, least and most
  double val_xtra = 0.14;                         ///< on valid: by how much the squished picture is larger than the crop
  Resample resample = Resample::bilinear;
};

/// Training: a part of random area, aspect and place becomes the whole. Valid: the picture squished to a little more
/// than the size, its middle. (fastai `RandomResizedCrop`.)
class RandomResizedCrop {
 public:
  static constexpr const char* name = "RandomResizedCrop";
  static constexpr int order = 1;
  explicit RandomResizedCrop(int side, RandomResizedCropOptions options = {})
      : RandomResizedCrop(Size{side, side}, options) {}
  explicit RandomResizedCrop(Size size, RandomResizedCropOptions options = {});

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    const Size source = picture_size(member, context);
    if (context.split == Split::train) return train_cut(source, context).apply(member);
    const Cut squish = valid_squish(source);
    return middle(squish.to).apply(squish.apply(member));
  }
  /// The part that training takes of a picture of that size.
  Cut train_cut(Size source, const CropDraws& draws) const;
  Cut train_cut(Size source, const ItemContext& context) const;
  /// The two steps of validation.
  Cut valid_squish(Size source) const;
  Cut middle(Size squished) const;
  /// A JPEG may be reduced as far as the smallest possible crop stays at least twice as large as the result.
  int reduction(Size source) const;
  bool deterministic(Split split) const { return split == Split::valid; }
  Size size() const { return size_; }
  const RandomResizedCropOptions& options() const { return options_; }
  Json to_json() const;
  static RandomResizedCrop from_json(const Json& json);

 private:
  Size size_;
  RandomResizedCropOptions options_;
};

/// A crop of fixed size: at random in training, in the middle otherwise; smaller pictures are padded with zeros.
/// (fastai `RandomCrop`.)
class RandomCrop {
 public:
  static constexpr const char* name = "RandomCrop";
  static constexpr int order = 1;
  explicit RandomCrop(int side) : RandomCrop(Size{side, side}) {}
  explicit RandomCrop(Size size);

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    return cut(picture_size(member, context), context).apply(member);
  }
  Cut train_cut(Size source, const CropDraws& draws) const;
  Cut cut(Size source, const ItemContext& context) const;
  bool deterministic(Split split) const { return split == Split::valid; }
  Json to_json() const;
  static RandomCrop from_json(const Json& json);

 private:
  Size size_;
};

/// The middle of a picture, or the picture in the middle of padding. (fastai `CropPad`.)
class CropPad {
 public:
  static constexpr const char* name = "CropPad";
  static constexpr int order = 0;
  explicit CropPad(int side, PadMode pad_mode = PadMode::zeros) : CropPad(Size{side, side}, pad_mode) {}
  explicit CropPad(Size size, PadMode pad_mode = PadMode::zeros);

  template <MovesWithPicture Kind>
  Kind encodes(const Kind& member, const ItemContext& context) const {
    return cut(picture_size(member, context)).apply(member);
  }
  Cut cut(Size source) const;
  bool deterministic(Split) const { return true; }
  Json to_json() const;
  static CropPad from_json(const Json& json);

 private:
  Size size_;
  PadMode pad_mode_;
};

}  // namespace kindling
