#pragma once
/// Items, labels, splits, blocks, transforms, batches.
#include <kindling/core.hpp>
#include <kindling/data/datablock.hpp>
#include <kindling/data/datasets.hpp>
#include <kindling/data/image_tensor.hpp>
#include <kindling/data/mask_codes.hpp>
#include <kindling/data/normalize.hpp>
#include <kindling/data/pairs.hpp>
#include <kindling/data/plot.hpp>
#include <kindling/data/points.hpp>
#include <kindling/data/regression.hpp>
#include <kindling/data/table.hpp>
