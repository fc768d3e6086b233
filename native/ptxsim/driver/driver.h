// State behind the CUDA driver API's entry points, and what they share. The API's types are spelled as its ABI has them.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exec/image_cache.h"
#include "exec/launch.h"
#include "exec/memory.h"

#define PTXSIM_API extern "C" __attribute__((visibility("default"))) int

namespace ptxsim {

enum Result : int {
  Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, InvalidDevice = 101, InvalidImage = 200, NoBinaryForGpu = 209,
  InvalidPtx = 218, InvalidHandle = 400, NotFound = 500, NotReady = 600, LaunchOutOfResources = 701, LaunchFailed = 719, NotSupported = 801,
  StreamCaptureUnsupported = 900, StreamCaptureInvalidated = 901,
};

struct Event;
struct Stream;

using Work = std::function<void()>;

// A list of work that cuGraphLaunch runs as one.
struct Graph {
  std::vector<Work> work;
};

// Work of a stream in order. Without the late mode it runs as it comes and the queue stays empty.
struct Stream {
  std::deque<Work> queue;
  uint64_t submitted = 0, completed = 0;
  std::unique_ptr<Graph> capture;  // what cuStreamBeginCapture gathers
};

struct Event {
  Stream* stream = nullptr;
  uint64_t position = 0;  // of the stream when it was recorded
  std::chrono::steady_clock::time_point time{};
};

struct DriverFunction {
  const Kernel* kernel;
  uint32_t maxDynamicShared = 48 * 1024;
};

struct DriverModule {
  std::shared_ptr<const Image> image;
  std::map<std::string, std::unique_ptr<DriverFunction>> functions;
};

// Settings from the environment, read once: see docs/ptxsim.md.
struct Settings {
  int computeCapability;  // PTXSIM_SM, 80
  bool checks;            // PTXSIM_CHECKS, 1
  bool late;              // PTXSIM_LATE, 0: asynchronous work runs at the latest moment
  uint64_t seed;          // PTXSIM_SEED, 1
  int threads;            // PTXSIM_THREADS, 0: all cores
  std::string counters;   // PTXSIM_COUNTERS: a file that gets one JSON object a launch
  std::string dump;       // PTXSIM_DUMP: a folder that gets the text of every module
  bool log;               // PTXSIM_LOG, 0: errors on standard error too
};

class Driver {
 public:
  static Driver& instance();

  const Settings& settings() const { return settings_; }
  DeviceMemory& memory() { return memory_; }
  ImageCache& images() { return images_; }
  std::recursive_mutex& mutex() { return mutex_; }

  // Records a message that cuGetErrorString gives for the result, and returns it.
  int fail(int result, const std::string& message);
  // An error of a kernel stays: every later call returns it, as on a GPU, until the context is destroyed.
  int failForGood(int result, const std::string& message);
  int sticky() const { return sticky_; }
  void forget() { sticky_ = 0, message_.clear(); }
  std::string messageOf(int result) const;

  Stream& streamOf(void* handle) { return handle ? *static_cast<Stream*>(handle) : defaultStream_; }
  void add(Stream* stream) { streams_.push_back(stream); }
  void remove(Stream* stream) { std::erase(streams_, stream); }
  // Runs the work now, or queues it in the late mode, or puts it into the graph that the stream captures.
  void submit(Stream& stream, Work work);
  void drain(Stream& stream, uint64_t upTo = ~uint64_t{0});
  void drainAll();

  int launch(DriverFunction& function, const LaunchShape& shape, std::vector<uint8_t> parameters, Stream& stream);

 private:
  Driver();
  void runKernel(const Kernel& kernel, LaunchShape shape, const std::vector<uint8_t>& parameters);
  void writeCounters(const Kernel& kernel, const LaunchShape& shape, const Counters& counters, double seconds);

  Settings settings_;
  DeviceMemory memory_;
  ImageCache images_;  // after the memory, which images release theirs to
  std::recursive_mutex mutex_;
  Stream defaultStream_;
  std::vector<Stream*> streams_;
  int sticky_ = 0, lastFailure_ = 0;
  std::string message_;
  uint64_t launches_ = 0;
};

// The guard of every entry point: one caller at a time, and a context that a kernel has broken answers with its error.
#define PTXSIM_ENTER                                             \
  auto& driver = ptxsim::Driver::instance();                     \
  std::lock_guard enterLock(driver.mutex());                     \
  if (driver.sticky() != 0) return driver.sticky()

}  // namespace ptxsim
