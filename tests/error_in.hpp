#pragma once
/// What a piece of work throws.

#include <kindling/core/error.hpp>

#include <gtest/gtest.h>

namespace kindling::testing {

template <class F>
Error error_in(F&& work) {
  try {
    work();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, "nothing was thrown");
}

}  // namespace kindling::testing
