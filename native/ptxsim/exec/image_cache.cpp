#include "exec/image_cache.h"

namespace ptxsim {

std::shared_ptr<const Image> ImageCache::load(std::string_view text, DeviceMemory& memory) {
  std::string key(text);
  if (auto found = images_.find(key); found != images_.end()) return found->second;
  decoded_++;
  std::shared_ptr<const Image> image = ptxsim::load(text, memory);
  if (!image->allocations.empty() || text.size() > MaxTextBytes) return image;
  textBytes_ += text.size();
  order_.push_back(key);
  images_.emplace(std::move(key), image);
  for (; textBytes_ > MaxTextBytes; order_.pop_front()) {
    textBytes_ -= order_.front().size();
    images_.erase(order_.front());
  }

  return image;
}

}  // namespace ptxsim
