#pragma once

namespace kindling::detail {

/// Makes the transforms of crop, flip, affine, lighting, erasing and auto_augment known to `transform_from_json`.
void register_augmentation();

}  // namespace kindling::detail
