#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>

#include "nn/weights_bytes.hpp"
#include "nn/zip_archive.hpp"

#include <fmt/format.h>

namespace kindling {

Weights::Weights(Named tensors, std::map<std::string, std::string> metadata)
    : tensors_(std::move(tensors)), metadata_(std::move(metadata)) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!index_.emplace(tensors_[i].first, i).second) {
      throw Error(ErrorCode::bad_weights, "two tensors have the same name", {{"tensor", tensors_[i].first}});
    }
  }
}

Weights Weights::open(const fs::path& path) {
  const auto file = std::make_shared<MappedFile>(path);
  return detail::read_weights(file->bytes(), file, path.string());
}

Weights detail::read_weights(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> keep,
                             const std::string& where) {
  // A safetensors file begins with eight bytes of length and '{'. No `.pth` file has a '{' there.
  constexpr std::size_t brace_at = 8;
  if (!looks_like_zip(bytes) && bytes.size() > brace_at && bytes[brace_at] == '{') {
    return read_safetensors(bytes, std::move(keep), where);
  }
  return read_pth(bytes, where);
}

const torch::Tensor& Weights::at(const std::string& name) const {
  const auto found = index_.find(name);
  if (found != index_.end()) return tensors_[found->second].second;
  std::vector<std::string> names;
  for (const auto& [known, tensor] : tensors_) names.push_back(known);
  throw Error(ErrorCode::not_found,
              fmt::format("there is no tensor '{}' in the weights{}", name, did_you_mean(name, names)));
}

Weights Weights::renamed(const std::function<std::string(const std::string&)>& rename) const {
  Named out;
  for (const auto& [name, tensor] : tensors_) {
    std::string fresh = rename(name);
    if (!fresh.empty()) out.emplace_back(std::move(fresh), tensor);
  }
  return Weights(std::move(out), metadata_);
}

}  // namespace kindling
