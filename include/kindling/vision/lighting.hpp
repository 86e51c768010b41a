#pragma once
/// The light of batches, on the device where they are, in training only: brightness, contrast and saturation on the
/// logits of the values, so that nothing is clipped; hue in HSV. Formulas are fastai's (vision/augment.py).

#include <kindling/vision/affine.hpp>

#include <variant>
#include <vector>

namespace kindling {

/// sigmoid(logit(x) + logit(c)), c uniform in (1 -+ max_lighting) / 2.
struct BrightnessOptions {
  double max_lighting = 0.2;
  double p = 0.75;
  GivenDraws draw = {};  ///< of c
  bool batch = false;    ///< one draw for the whole batch
};

/// sigmoid(c · logit(x)), log c uniform in -+log(1 - max_lighting).
struct ContrastOptions {
  double max_lighting = 0.2;
  double p = 0.75;
  GivenDraws draw = {};
  bool batch = false;
};

/// sigmoid(c · logit(x) + (1 - c) · grey), c drawn as for contrast, grey of the three logits.
struct SaturationOptions {
  double max_lighting = 0.2;
  double p = 0.75;
  GivenDraws draw = {};
  bool batch = false;
};

using LightingStep = std::variant<BrightnessOptions, ContrastOptions, SaturationOptions>;

/// What was drawn: for each step a value an image.
using LightingDraws = std::vector<std::vector<double>>;

/// Several changes of light as one logit and sigmoid. (fastai `LightingTfm`.)
class LightingTfm {
 public:
  static constexpr const char* name = "LightingTfm";
  static constexpr int order = 40;
  static constexpr Split only_on = Split::train;
  explicit LightingTfm(std::vector<LightingStep> steps);

  /// Pictures are float32 in [0, 1]; saturation needs three channels.
  TensorImage encodes(const TensorImage& images, const ItemContext& context) const;
  LightingDraws draw(std::int64_t n, const ItemContext& context) const;
  TensorImage apply(const TensorImage& images, const LightingDraws& draws) const;

  /// Takes over another's steps. (fastai `compose`.)
  void compose(const LightingTfm& other);
  const std::vector<LightingStep>& steps() const { return steps_; }
  Json to_json() const;
  static LightingTfm from_json(const Json& json);

 private:
  std::vector<LightingStep> steps_;
};

// Each is a class of its own, so that a list may hold one of each.

struct Brightness : LightingTfm {
  static constexpr const char* name = "Brightness";
  explicit Brightness(BrightnessOptions options = {}) : LightingTfm(std::vector<LightingStep>{std::move(options)}) {}
  explicit Brightness(LightingTfm steps) : LightingTfm(std::move(steps)) {}
};

struct Contrast : LightingTfm {
  static constexpr const char* name = "Contrast";
  explicit Contrast(ContrastOptions options = {}) : LightingTfm(std::vector<LightingStep>{std::move(options)}) {}
  explicit Contrast(LightingTfm steps) : LightingTfm(std::move(steps)) {}
};

struct Saturation : LightingTfm {
  static constexpr const char* name = "Saturation";
  explicit Saturation(SaturationOptions options = {}) : LightingTfm(std::vector<LightingStep>{std::move(options)}) {}
  explicit Saturation(LightingTfm steps) : LightingTfm(std::move(steps)) {}
};

struct HueOptions {
  double max_hue = 0.1;
  double p = 0.75;
  GivenDraws draw = {};
  bool batch = false;
};

/// The hue moved round the circle by c, log c uniform in -+log(1 - max_hue). (fastai adds the factor, so that hues move
/// by about one whole turn, a little more or less.)
class Hue {
 public:
  static constexpr const char* name = "Hue";
  static constexpr int order = 40;
  static constexpr Split only_on = Split::train;
  explicit Hue(HueOptions options = {});

  /// Pictures are float32 in [0, 1] with three channels.
  TensorImage encodes(const TensorImage& images, const ItemContext& context) const;
  std::vector<double> draw(std::int64_t n, const ItemContext& context) const;
  TensorImage apply(const TensorImage& images, const std::vector<double>& draws) const;
  Json to_json() const;
  static Hue from_json(const Json& json);

 private:
  HueOptions options_;
};

}  // namespace kindling
