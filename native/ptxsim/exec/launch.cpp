#include "exec/launch.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "exec/cluster_scheduler.h"

namespace ptxsim {
namespace {

constexpr uint32_t MaxSharedBytes = 232448;  // 227 KB, sm_90
constexpr size_t MaxResident = 128;           // blocks that run at once where they may wait for each other: 32 on each of 4 multiprocessors
constexpr uint64_t MaxShuffled = uint64_t{1} << 22;

// Another block has faulted.
struct Stopped {};

}  // namespace

std::array<uint32_t, 3> clusterOf(const Kernel& kernel, const LaunchShape& shape) {
  std::array<uint32_t, 3> size;
  for (size_t i = 0; i < 3; i++) size[i] = std::max(1u, shape.cluster[0] != 0 ? shape.cluster[i] : static_cast<uint32_t>(kernel.requiredCluster[i]));
  return size;
}

void check(const Kernel& kernel, const LaunchShape& shape) {
  uint64_t threads = uint64_t{shape.block[0]} * shape.block[1] * shape.block[2];
  auto refuse = [&](const std::string& problem) { throw std::invalid_argument("kernel '" + kernel.name + "': " + problem); };
  if (threads == 0 || threads > 1024) refuse("a block of " + std::to_string(threads) + " threads; 1 to 1024 are possible");
  if (shape.grid[0] == 0 || shape.grid[1] == 0 || shape.grid[2] == 0) refuse("a grid without blocks");
  if (shape.grid[1] > 65535 || shape.grid[2] > 65535) refuse("a grid larger than 65535 in y or z");
  if (kernel.sharedBytes + uint64_t{shape.dynamicShared} > MaxSharedBytes)
    refuse(std::to_string(kernel.sharedBytes + uint64_t{shape.dynamicShared}) + " bytes of shared memory; there are " + std::to_string(MaxSharedBytes));
  uint64_t bound = uint64_t(kernel.maxThreads[0]) * uint64_t(kernel.maxThreads[1]) * uint64_t(kernel.maxThreads[2]);
  if (bound != 0 && threads > bound) refuse("a block of " + std::to_string(threads) + " threads, above its .maxntid of " + std::to_string(bound));
  if (kernel.requiredThreads[0] != 0)
    for (int i = 0; i < 3; i++)
      if (shape.block[i] != static_cast<uint32_t>(kernel.requiredThreads[i])) refuse("its .reqntid is another block size");
  auto cluster = clusterOf(kernel, shape);
  uint64_t size = uint64_t{cluster[0]} * cluster[1] * cluster[2];
  bool isGiven = shape.cluster[0] != 0;
  if (kernel.needsCluster && kernel.requiredCluster[0] == 0 && !isGiven) refuse("its .explicitcluster asks for a launch with a cluster size");
  if (size > static_cast<uint64_t>(kernel.maxCluster))
    refuse("clusters of " + std::to_string(size) + " blocks; " + std::to_string(kernel.maxCluster) + " are the most");
  for (size_t i = 0; i < 3; i++) {
    if (isGiven && kernel.requiredCluster[0] != 0 && cluster[i] != static_cast<uint32_t>(kernel.requiredCluster[i]))
      refuse("its .reqnctapercluster is another cluster size");
    if (shape.grid[i] % cluster[i] != 0)
      refuse("a grid of " + std::to_string(shape.grid[i]) + " blocks along axis " + std::to_string(i) + " in clusters of " + std::to_string(cluster[i]));
  }
}

Counters launch(const Kernel& kernel, const LaunchShape& shape, DeviceMemory& memory, const ExecutorOptions& options) {
  check(kernel, shape);
  uint64_t blocks = uint64_t{shape.grid[0]} * shape.grid[1] * shape.grid[2];
  uint32_t firstToken = memory.beginLaunch(blocks);
  auto cluster = clusterOf(kernel, shape);
  uint64_t clusters = blocks / (uint64_t{cluster[0]} * cluster[1] * cluster[2]);
  std::vector<uint32_t> order;
  if (options.seed != 0 && clusters <= MaxShuffled) {
    order.resize(clusters);
    std::iota(order.begin(), order.end(), 0u);
    std::mt19937_64 random(options.seed);
    std::shuffle(order.begin(), order.end(), random);
  }

  std::atomic<uint64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  std::atomic<bool> isStopped{false};
  Counters total;
  auto grid = kernel.hasDeviceFences ? std::make_unique<GridOrder>(blocks) : nullptr;
  std::vector<std::thread> helpers;
  std::function<void()> work;
  // A block may wait for one that has not begun: whoever runs for long makes room for one more.
  auto makeRoom = [&] {
    if (isStopped) throw Stopped();
    if (!kernel.mayWaitForBlocks) return;
    {
      std::lock_guard lock(mutex);
      if (next < clusters && helpers.size() < MaxResident) helpers.emplace_back(work);
    }
    std::this_thread::yield();
  };
  work = [&] {
    try {
      ClusterScheduler scheduler(kernel, shape, memory, options, firstToken, grid.get(), makeRoom);
      for (uint64_t i; (i = next.fetch_add(1)) < clusters;) scheduler.run(order.empty() ? i : order[i]);
      std::lock_guard lock(mutex);
      total.merge(scheduler.counters());
    } catch (const Stopped&) {
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = clusters;
      isStopped = true;
    }
  };
  unsigned wanted = options.threads > 0 ? static_cast<unsigned>(options.threads) : std::max(1u, std::thread::hardware_concurrency());
  {
    std::lock_guard lock(mutex);
    for (uint64_t i = 1; i < std::min<uint64_t>(wanted, clusters); i++) helpers.emplace_back(work);
  }
  work();
  // Their number grows while some of them run, and no longer once the last is joined.
  for (size_t i = 0;; i++) {
    std::thread helper;
    {
      std::lock_guard lock(mutex);
      if (i == helpers.size()) break;
      helper = std::move(helpers[i]);
    }
    helper.join();
  }
  if (failure) std::rethrow_exception(failure);
  return total;
}

}  // namespace ptxsim
