// State behind the CUDA driver API's entry points, and what they share. The API's types are spelled as its ABI has them.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "exec/image_cache.h"
#include "exec/launch.h"
#include "exec/memory.h"

#define PTXSIM_API extern "C" __attribute__((visibility("default"))) int

namespace ptxsim {

enum Result : int {
  Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, InvalidDevice = 101, InvalidImage = 200, NoBinaryForGpu = 209,
  InvalidPtx = 218, InvalidHandle = 400, IllegalState = 401, NotFound = 500, NotReady = 600, IllegalAddress = 700, LaunchOutOfResources = 701,
  LaunchFailed = 719, NotSupported = 801, StreamCaptureUnsupported = 900, StreamCaptureInvalidated = 901, StreamCaptureIsolation = 905,
  StreamCaptureImplicit = 906, CapturedEvent = 907, StreamCaptureWrongThread = 908, GraphExecUpdateFailure = 910,
};

struct Capture;
struct Event;

using Work = std::function<void()>;

enum class NodeKind { Kernel, Copy, Fill, Wait };

// What a stream is given. A kernel's parameters are copies, a copy's bytes are read when it runs.
struct Node {
  NodeKind kind;
  const void* function;  // a kernel's, else null
  int places;            // of a copy: bit 0 of its target and bit 1 of its source say "device memory"
  Work work;
};

// A chain of nodes: a stream's work in its order.
struct Graph {
  std::vector<Node> nodes;
};

// Work of a stream in order. Without the late mode it runs as it comes and the queue stays empty.
struct Stream {
  bool isBlocking = true;  // the default stream and it wait for each other
  std::deque<Work> queue;
  uint64_t submitted = 0, completed = 0;
  std::shared_ptr<Capture> capture;  // what cuStreamBeginCapture gathers
};

struct Event {
  Stream* stream = nullptr;
  uint64_t position = 0;  // of the stream when it was recorded
  bool isCaptured = false;
  std::chrono::steady_clock::time_point time{};
};

struct DriverFunction {
  std::shared_ptr<const Kernel> kernel;  // keeps its image: a graph may outlive the module
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
  std::string calls;      // PTXSIM_CALLS: a file that gets the number of calls of each entry point when the process ends
  bool log;               // PTXSIM_LOG, 0: errors on standard error too
};

// From cuStreamBeginCapture to cuStreamEndCapture.
struct Capture {
  enum Mode : int { Global = 0, ThreadLocal = 1, Relaxed = 2 };
  Mode mode;
  std::thread::id thread;
  Graph graph;
  bool isSpoiled = false;  // by a call that cannot be captured: only cuStreamEndCapture ends that
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
  void forget() {
    sticky_ = 0, message_.clear();
    for (Stream* stream : streams_) stream->capture.reset();
  }
  std::string messageOf(int result) const;

  Stream& streamOf(void* handle) { return handle ? *static_cast<Stream*>(handle) : defaultStream_; }
  void add(Stream* stream) { streams_.push_back(stream); }
  void remove(Stream* stream) { std::erase(streams_, stream); }
  // Runs the work now, or queues it in the late mode, or puts it into the graph that the stream captures. An error where the capture
  // has failed or must fail for it.
  int submit(Stream& stream, Node node);
  void drain(Stream& stream, uint64_t upTo = ~uint64_t{0});
  void drainAll();

  // Refuses, and spoils the captures that it could disturb: a call that no capturing thread may make (driver API,
  // cuThreadExchangeStreamCaptureMode); one that waits for the stream; one that waits for all.
  int refuseUnsafe(const char* call);
  int refuseWaiting(Stream& stream, const char* call);
  int refuseWaitingForAll(const char* call);

  // Graphs and executable graphs by their handles; null for a handle that is none, or that was destroyed.
  std::set<Graph*>& graphs() { return graphs_; }
  std::set<Graph*>& executables() { return executables_; }

  // Called by every entry point; see PTXSIM_CALLS.
  void count(const char* call) {
    if (!settings_.calls.empty()) calls_[call]++;
  }

  int launch(DriverFunction& function, const LaunchShape& shape, std::vector<uint8_t> parameters, Stream& stream);

 private:
  Driver();
  void runKernel(const Kernel& kernel, LaunchShape shape, const std::vector<uint8_t>& parameters);
  void writeCalls() const;
  int spoil(Capture& capture, int result, const std::string& message);
  void writeCounters(const Kernel& kernel, const LaunchShape& shape, const Counters& counters, double seconds);

  Settings settings_;
  DeviceMemory memory_;
  ImageCache images_;  // after the memory, which images release theirs to
  std::recursive_mutex mutex_;
  Stream defaultStream_;
  std::vector<Stream*> streams_;
  std::set<Graph*> graphs_, executables_;
  std::map<std::string, uint64_t> calls_;
  int sticky_ = 0, lastFailure_ = 0;
  std::string message_;
  uint64_t launches_ = 0;
};

// The guard of every entry point: one caller at a time, and a context that a kernel has broken answers with its error.
#define PTXSIM_ENTER                                             \
  auto& driver = ptxsim::Driver::instance();                     \
  std::lock_guard enterLock(driver.mutex());                     \
  driver.count(__func__);                                        \
  if (driver.sticky() != 0) return driver.sticky()

}  // namespace ptxsim
