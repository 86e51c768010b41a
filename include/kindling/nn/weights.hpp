#pragma once
/// Named tensors in files, read without executing anything: `.safetensors` and PyTorch's `.pth`, and into
/// modules.
///
///   auto weights = Weights::open("resnet18-f37072fd.pth");
///   auto report = load_state_dict(*model, weights);               // throws when a key is missing
///   save_safetensors("copy.safetensors", weights.tensors());

#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace torch::nn {
class Module;
}

namespace kindling {

/// A state dict in file order. Tensors from a safetensors file are views of the mapped file: clone before
/// writing to one.
class Weights {
 public:
  using Named = std::vector<std::pair<std::string, torch::Tensor>>;
  Weights() = default;
  explicit Weights(Named tensors, std::map<std::string, std::string> metadata = {});

  /// Opens by content: safetensors, zip `.pth`, pre-zip `.pth`. A nested dict is looked into for the one that
  /// holds tensors ("model", "state_dict", …). Throws `bad_weights` naming path and byte offset,
  /// `unsupported` naming a pickle global that is not a tensor, dict, list, number or string.
  static Weights open(const fs::path& path);

  const Named& tensors() const { return tensors_; }
  std::size_t size() const { return tensors_.size(); }
  bool contains(const std::string& name) const { return index_.count(name) != 0; }
  /// Throws `not_found` with the closest name as hint.
  const torch::Tensor& at(const std::string& name) const;
  /// safetensors' `__metadata__`; empty for other formats.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The same tensors under `rename(name)`; an empty result drops the tensor.
  Weights renamed(const std::function<std::string(const std::string&)>& rename) const;

 private:
  Named tensors_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, std::string> metadata_;
};

/// Reads a safetensors file from memory (the fuzzers' door). `keep` keeps the bytes alive for the tensors.
Weights read_safetensors(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> keep,
                         const std::string& where);
/// Reads either `.pth` format from memory. All tensors are copies.
Weights read_pth(std::span<const std::uint8_t> bytes, const std::string& where);

struct SaveOptions {
  /// Adds the file's own SHA-256 to the metadata (kindling/nn/seal.hpp).
  bool sealed = false;
};

/// Writes atomically; tensors are made contiguous and moved to the CPU. Metadata values are strings by the
/// format's rule. The data section is aligned to 64 bytes.
void save_safetensors(const fs::path& path, const Weights::Named& tensors,
                      const std::map<std::string, std::string>& metadata = {}, const SaveOptions& options = {});

struct LoadOptions {
  /// true: any missing, unexpected or misshapen key is an error. false: what fits is loaded, the rest
  /// reported.
  bool strict = true;
};

struct LoadReport {
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     ///< in the module, not in the file
  std::vector<std::string> unexpected;  ///< in the file, not in the module
  std::vector<std::string> misshapen;   ///< "name: expected [64, 3, 7, 7], got [64, 1, 7, 7]"
  bool complete() const { return missing.empty() && unexpected.empty() && misshapen.empty(); }
  /// A few lines for a person.
  std::string to_string() const;
};

/// Copies weights into the parameters and buffers of a module by name; dtype is converted, device kept.
/// `num_batches_tracked` may be missing. Nothing is changed when strict loading fails.
LoadReport load_state_dict(torch::nn::Module& module, const Weights& weights,
                           const LoadOptions& options = {});

/// Parameters and buffers of a module under PyTorch's names.
Weights::Named state_dict(const torch::nn::Module& module);

}  // namespace kindling
