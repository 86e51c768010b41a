#include <kindling/core/error.hpp>

namespace kindling {
}
