#include <kindling/core/error.hpp>
#include <kindling/vision/aug_transforms.hpp>

#include <optional>

namespace kindling {

namespace {

/// The object in a handle, where it is of one of these classes, seen as their base.
template <class Base, class... Classes>
const Base* as(const Transform& transform) {
  const Base* found = transform.get<Base>();
  ((found = found ? found : transform.get<Classes>()), ...);
  return found;
}

template <class Merged>
void merge(std::optional<Merged>& all, const Merged& one) {
  if (all)
    all->compose(one);
  else
    all = one;
}

/// What the options ask for, one by one.
Transforms each_of(const AugTransformsOptions& o) {
  const AffineOptions affine{.size = o.min_scale == 1 ? o.size : std::nullopt,
                             .mode = o.mode,
                             .pad_mode = o.pad_mode,
                             .align_corners = o.align_corners};
  const double warp = o.max_warp * o.mult, degrees = o.max_rotate * o.mult, light = o.max_lighting * o.mult;
  Transforms tfms;
  if (o.do_flip && o.flip_vert) tfms.push_back(Dihedral({.p = 0.5, .batch = o.batch}, affine));
  if (o.do_flip && !o.flip_vert) tfms.push_back(Flip({.p = 0.5, .batch = o.batch}, affine));
  if (warp != 0) tfms.push_back(Warp({.magnitude = warp, .p = o.p_affine, .batch = o.batch}, affine));
  if (degrees != 0) tfms.push_back(Rotate({.max_deg = degrees, .p = o.p_affine, .batch = o.batch}, affine));
  if (o.min_zoom < 1 || o.max_zoom > 1) {
    tfms.push_back(
        Zoom({.min_zoom = o.min_zoom, .max_zoom = o.max_zoom, .p = o.p_affine, .batch = o.batch}, affine));
  }
  if (light != 0) {
    tfms.push_back(Brightness({.max_lighting = light, .p = o.p_lighting, .batch = o.batch}));
    tfms.push_back(Contrast({.max_lighting = light, .p = o.p_lighting, .batch = o.batch}));
  }
  return tfms;
}

}  // namespace

Transforms setup_aug_tfms(const Transforms& tfms) {
  std::optional<AffineCoordTfm> affine;
  std::optional<LightingTfm> light;
  Transforms others;
  for (const Transform& t : tfms) {
    if (const auto* moves = as<AffineCoordTfm, Flip, Dihedral, Rotate, Zoom, Warp>(t))
      merge(affine, *moves);
    else if (const auto* lights = as<LightingTfm, Brightness, Contrast, Saturation>(t))
      merge(light, *lights);
    else
      others.push_back(t);
  }
  Transforms merged;
  if (affine) merged.push_back(*affine);
  if (light) merged.push_back(*light);
  merged.insert(merged.end(), others.begin(), others.end());
  return merged;
}

Transforms aug_transforms(const AugTransformsOptions& o) {
  Transforms tfms = each_of(o);
  if (o.min_scale != 1) {
    if (!o.size) {
      throw Error(ErrorCode::usage, "min_scale of aug_transforms needs a size", {},
                  "say .size as well: what the crops are brought to");
    }
    tfms.push_back(RandomResizedCropGPU(*o.size, {.min_scale = o.min_scale, .ratio = {1, 1}}));
  }
  tfms.insert(tfms.end(), o.xtra_tfms.begin(), o.xtra_tfms.end());
  return setup_aug_tfms(tfms);
}

}  // namespace kindling
