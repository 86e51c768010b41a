#pragma once
/// Errors, files, JSON, random numbers, threads, progress.
#include <kindling/core/archive.hpp>
#include <kindling/core/download.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/fetch.hpp>
#include <kindling/core/figure.hpp>
#include <kindling/core/files.hpp>
#include <kindling/core/html.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/core/json.hpp>
#include <kindling/core/listener.hpp>
#include <kindling/core/numpy_random.hpp>
#include <kindling/core/random.hpp>
#include <kindling/core/thread_pool.hpp>
