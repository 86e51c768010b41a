// A user's program against an installed kindling: it links, and a transform and a model do their work.
#include <kindling/vision.hpp>

#include <cstdio>

int main() {
  using namespace kindling;
  Image image({64, 48}, 3);
  std::fill_n(image.data(), image.bytes(), std::uint8_t{7});
  const Image small = Resize(32).encodes(image, {});
  auto model = create_vision_model("squeezenet1_1", 2);
  model.module().eval();
  const auto out = model.forward({torch::zeros({1, 3, 64, 64})});
  const bool right =
      small.size() == Size{32, 32} && small.data()[0] == 7 && out.sizes() == std::vector<std::int64_t>{1, 2};
  std::puts(right ? "find_package(kindling): 1 passed, 0 failed"
                  : "find_package(kindling): 0 passed, 1 failed");
  return right ? 0 : 1;
}
