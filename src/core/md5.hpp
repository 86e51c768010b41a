#pragma once
/// MD5, as fastai's table of data sets has it: of a file's first MiB. It finds wrong and stale files, and is no
/// protection against forged ones.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace kindling::detail {

inline constexpr std::size_t md5_start_bytes = std::size_t{1} << 20;

/// Lower-case hex.
std::string md5_of(std::span<const std::uint8_t> bytes);
/// Of a file's first `md5_start_bytes`.
std::string md5_of_start(const std::filesystem::path& path);

}  // namespace kindling::detail
