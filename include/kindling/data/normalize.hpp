#pragma once
/// Bytes to floats, and floats to the statistics that the weights were trained with.

#include <kindling/data/transform.hpp>

namespace kindling {

/// Mean and standard deviation of each channel on [0, 1].
struct ImageStats {
  std::vector<float> mean;
  std::vector<float> std;
};

inline const ImageStats imagenet_stats{{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
inline const ImageStats cifar_stats{{0.491f, 0.482f, 0.447f}, {0.247f, 0.243f, 0.261f}};
inline const ImageStats mnist_stats{{0.131f}, {0.308f}};

/// uint8 TensorImage to float32 in [0, 1], TensorMask to int64. Undone: clamped to [0, 1], times 255, rounded to uint8
/// (fastai rounds down, which shows some pixels one too dark); masks to uint8.
struct IntToFloatTensor {
  static constexpr const char* name = "IntToFloatTensor";
  static constexpr int order = 10;
  TensorImage encodes(const TensorImage& image) const;
  TensorImage decodes(const TensorImage& image) const;
  TensorMask encodes(const TensorMask& mask) const;
  TensorMask decodes(const TensorMask& mask) const;
};

/// (x - mean) / std a channel of pictures. Without statistics it is for a table's `procs`, which learn them.
class Normalize {
 public:
  static constexpr const char* name = "Normalize";
  static constexpr int order = 99;
  Normalize() = default;
  explicit Normalize(ImageStats stats);
  static Normalize from_stats(ImageStats stats) { return Normalize(std::move(stats)); }

  TensorImage encodes(const TensorImage& image) const;
  TensorImage decodes(const TensorImage& image) const;
  Json to_json() const;
  static Normalize from_json(const Json& json);

 private:
  ImageStats stats_;
};

}  // namespace kindling
