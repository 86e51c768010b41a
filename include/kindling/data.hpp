#pragma once
/// Items, labels, splits, blocks, transforms, batches.
#include <kindling/core.hpp>
#include <kindling/data/datablock.hpp>
#include <kindling/data/normalize.hpp>
