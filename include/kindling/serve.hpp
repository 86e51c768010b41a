#pragma once
/// Answering with a trained model.
#include <kindling/serve/predictor.hpp>
#include <kindling/vision.hpp>
