#pragma once
/// Batches moved as a whole, on the device where they are: mirrored, turned, zoomed, warped. Each image of a batch has
/// draws of its own; all movements of one transform are composed, so that pixels are interpolated once.
///
///   batch_tfms = {Rotate({.max_deg = 20}), Zoom({.max_zoom = 1.5})}     two interpolations
///   batch_tfms = setup_aug_tfms({Rotate({.max_deg = 20}), Zoom({.max_zoom = 1.5})})     one (aug_transforms.hpp)
///
/// Pictures are sampled as `mode` says, masks by the nearest pixel; points and boxes take the inverse way. A batch of
/// validation is not moved, only brought to `size` where one is given. Formulas are fastai's (vision/augment.py).

#include <kindling/vision/cut.hpp>

#include <array>
#include <optional>
#include <variant>
#include <vector>

namespace kindling {

enum class Interpolation { bilinear, nearest, bicubic };

/// Values given instead of drawn: none, one for all images, or one for each image of a batch. `p` applies to them too.
using GivenDraws = std::vector<double>;

/// Mirrored left to right.
struct FlipOptions {
  double p = 0.5;
  GivenDraws draw = {};  ///< 1 mirrors, 0 does not
  bool batch = false;    ///< one draw for the whole batch
};

/// One of the eight ways to lay a picture on its square, as `dihedral` numbers them.
struct DihedralOptions {
  double p = 0.5;
  GivenDraws draw = {};  ///< 0 to 7
  bool batch = false;
};

/// Turned by an angle in degrees, uniform in [-max_deg, max_deg].
struct RotateOptions {
  double max_deg = 10;
  double p = 0.5;
  GivenDraws draw = {};
  bool batch = false;
};

/// Enlarged by a factor, uniform in [min_zoom, max_zoom], about a point that is uniform on the picture.
struct ZoomOptions {
  double min_zoom = 1;
  double max_zoom = 1.1;
  double p = 0.5;
  GivenDraws draw = {};
  GivenDraws draw_x = {};  ///< of the point that stays, 0 left to 1 right
  GivenDraws draw_y = {};  ///< 0 top to 1 bottom
  bool batch = false;
};

/// Seen from another side: both tilts uniform in [-magnitude, magnitude].
struct WarpOptions {
  double magnitude = 0.2;
  double p = 0.5;
  GivenDraws draw_x = {};
  GivenDraws draw_y = {};
  bool batch = false;
};

using AffineStep = std::variant<FlipOptions, DihedralOptions, RotateOptions, ZoomOptions, WarpOptions>;

/// How pixels are taken.
struct AffineOptions {
  std::optional<Size> size = std::nullopt;  ///< of the result; none: as it was
  Interpolation mode = Interpolation::bilinear;
  PadMode pad_mode = PadMode::reflection;
  bool align_corners = true;
};

/// What one step drew, a value an image: mirrored or not, the number of the eight, degrees, zoom with its point, tilts.
struct StepDraws {
  std::vector<double> value;  ///< empty for a warp
  std::vector<double> x, y;   ///< of zoom and warp
};
/// One entry a step.
using AffineDraws = std::vector<StepDraws>;

/// Several movements as one interpolation. (fastai `AffineCoordTfm`.)
class AffineCoordTfm {
 public:
  static constexpr const char* name = "AffineCoordTfm";
  static constexpr int order = 30;
  explicit AffineCoordTfm(std::vector<AffineStep> steps, AffineOptions options = {});

  TensorImage encodes(const TensorImage& images, const ItemContext& context) const;
  TensorMask encodes(const TensorMask& masks, const ItemContext& context) const;
  TensorPoint encodes(const TensorPoint& points, const ItemContext& context) const;
  TensorBBox encodes(const TensorBBox& boxes, const ItemContext& context) const;

  /// The draws of a training batch of `n` images.
  AffineDraws draw(std::int64_t n, const ItemContext& context) const;
  /// The same movements with the draws given. `picture` is the size of the batch's pictures; points and boxes need it
  /// where pictures are not square.
  TensorImage apply(const TensorImage& images, const AffineDraws& draws) const;
  TensorMask apply(const TensorMask& masks, const AffineDraws& draws) const;
  TensorPoint apply(const TensorPoint& points, const AffineDraws& draws, Size picture = {1, 1}) const;
  TensorBBox apply(const TensorBBox& boxes, const AffineDraws& draws, Size picture = {1, 1}) const;

  /// Takes over another's steps; its options are left. (fastai `compose`.)
  void compose(const AffineCoordTfm& other);
  const std::vector<AffineStep>& steps() const { return steps_; }
  const AffineOptions& options() const { return options_; }
  Json to_json() const;
  static AffineCoordTfm from_json(const Json& json);

 private:
  std::vector<AffineStep> steps_;
  AffineOptions options_;
};

// Each is a class of its own, so that a list may hold one of each.

struct Flip : AffineCoordTfm {
  static constexpr const char* name = "Flip";
  explicit Flip(FlipOptions flip = {}, AffineOptions options = {}) : AffineCoordTfm(std::vector<AffineStep>{std::move(flip)}, options) {}
  explicit Flip(AffineCoordTfm steps) : AffineCoordTfm(std::move(steps)) {}
};

struct Dihedral : AffineCoordTfm {
  static constexpr const char* name = "Dihedral";
  explicit Dihedral(DihedralOptions dihedral = {}, AffineOptions options = {})
      : AffineCoordTfm(std::vector<AffineStep>{std::move(dihedral)}, options) {}
  explicit Dihedral(AffineCoordTfm steps) : AffineCoordTfm(std::move(steps)) {}
};

struct Rotate : AffineCoordTfm {
  static constexpr const char* name = "Rotate";
  explicit Rotate(RotateOptions rotate = {}, AffineOptions options = {})
      : AffineCoordTfm(std::vector<AffineStep>{std::move(rotate)}, options) {}
  explicit Rotate(AffineCoordTfm steps) : AffineCoordTfm(std::move(steps)) {}
};

struct Zoom : AffineCoordTfm {
  static constexpr const char* name = "Zoom";
  explicit Zoom(ZoomOptions zoom = {}, AffineOptions options = {}) : AffineCoordTfm(std::vector<AffineStep>{std::move(zoom)}, options) {}
  explicit Zoom(AffineCoordTfm steps) : AffineCoordTfm(std::move(steps)) {}
};

struct Warp : AffineCoordTfm {
  static constexpr const char* name = "Warp";
  explicit Warp(WarpOptions warp = {}, AffineOptions options = {}) : AffineCoordTfm(std::vector<AffineStep>{std::move(warp)}, options) {}
  explicit Warp(AffineCoordTfm steps) : AffineCoordTfm(std::move(steps)) {}
};

}  // namespace kindling
