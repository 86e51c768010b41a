#pragma once
/// Everything for pictures: one include for a program like the course's.
#include <kindling/train.hpp>
#include <kindling/vision/codec.hpp>
#include <kindling/vision/data_loaders.hpp>
#include <kindling/vision/image_block.hpp>
#include <kindling/vision/learner.hpp>
#include <kindling/vision/resize.hpp>
#include <kindling/vision/verify.hpp>

namespace kindling::detail {
inline const bool vision_registered = register_vision();
}
