#pragma once
/// The Philox 4x32-10 block function (Salmon, Moraes, Dror and Shaw: "Parallel random numbers: as easy as 1,
/// 2, 3", SC 2011).

#include <array>
#include <cstdint>

namespace kindling::detail {

using PhiloxBlock = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

/// A bijection of the counter for every key.
PhiloxBlock philox4x32_10(PhiloxBlock counter, PhiloxKey key);

}  // namespace kindling::detail
