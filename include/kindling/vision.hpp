#pragma once
/// Everything for pictures: one include for a program like the course's.
#include <kindling/data.hpp>
#include <kindling/train.hpp>
#include <kindling/vision/affine.hpp>
#include <kindling/vision/aug_transforms.hpp>
#include <kindling/vision/auto_augment.hpp>
#include <kindling/vision/codec.hpp>
#include <kindling/vision/collect.hpp>
#include <kindling/vision/crop.hpp>
#include <kindling/vision/crop_gpu.hpp>
#include <kindling/vision/cut.hpp>
#include <kindling/vision/data_loaders.hpp>
#include <kindling/vision/doctor.hpp>
#include <kindling/vision/erasing.hpp>
#include <kindling/vision/flip.hpp>
#include <kindling/vision/image_block.hpp>
#include <kindling/vision/learner.hpp>
#include <kindling/vision/lighting.hpp>
#include <kindling/vision/mask_block.hpp>
#include <kindling/vision/resize.hpp>
#include <kindling/vision/resize_images.hpp>
#include <kindling/vision/verify.hpp>

namespace kindling::detail {
inline const bool vision_registered = register_vision();
}
