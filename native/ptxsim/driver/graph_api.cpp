// Stream capture and graphs (CUDA driver API, "Stream Management", "Graph Management"). A stream captured alone gives a chain of nodes, so
// graphs are chains here: what would fork one is refused.
#include "driver/driver.h"

using namespace ptxsim;

namespace {

enum class UpdateResult : int { Success = 0, Error = 1, TopologyChanged = 2, NodeTypeChanged = 3, FunctionChanged = 4, ParametersChanged = 5 };

// CUgraphExecUpdateResultInfo.
struct UpdateInfo {
  int result;
  void* errorNode;
  void* errorFromNode;
};

Graph* find(const std::set<Graph*>& live, void* handle) {
  auto found = live.find(static_cast<Graph*>(handle));
  return found == live.end() ? nullptr : *found;
}

int refuseHandle(Driver& driver, const char* what) { return driver.fail(InvalidValue, std::string("no such ") + what + ", or it was destroyed"); }

// Whether a node may take another's place. Drivers before 11.2 refuse another function as well; later ones take it, so that whoever
// passes here re-instantiates no more often there.
UpdateResult compare(const Node& now, const Node& next) {
  if (now.kind != next.kind) return UpdateResult::NodeTypeChanged;
  if (now.function != next.function) return UpdateResult::FunctionChanged;
  return now.places == next.places ? UpdateResult::Success : UpdateResult::ParametersChanged;
}

UpdateResult compare(const Graph& now, const Graph& next, const Node*& different) {
  different = nullptr;
  if (now.nodes.size() != next.nodes.size()) return UpdateResult::TopologyChanged;
  for (size_t i = 0; i < now.nodes.size(); i++) {
    auto result = compare(now.nodes[i], next.nodes[i]);
    different = &next.nodes[i];
    if (result != UpdateResult::Success) return result;
  }

  return UpdateResult::Success;
}

const char* nameOf(UpdateResult result) {
  switch (result) {
    case UpdateResult::TopologyChanged: return "the number of nodes";
    case UpdateResult::NodeTypeChanged: return "a node's kind";
    case UpdateResult::FunctionChanged: return "a node's kernel";
    default: return "where a copy's memory lies";
  }
}

}  // namespace

PTXSIM_API cuStreamBeginCapture_v2(void* handle, int mode) {
  PTXSIM_ENTER;
  if (!handle) return driver.fail(StreamCaptureUnsupported, "the default stream cannot be captured");
  if (mode < Capture::Global || mode > Capture::Relaxed) return driver.fail(InvalidValue, "capture mode " + std::to_string(mode));
  auto& stream = driver.streamOf(handle);
  if (stream.capture) return driver.fail(IllegalState, "the stream is capturing already");
  stream.capture = std::make_shared<Capture>();
  stream.capture->mode = static_cast<Capture::Mode>(mode);
  stream.capture->thread = std::this_thread::get_id();
  return Success;
}

// CU_STREAM_CAPTURE_STATUS: 0 none, 1 active, 2 invalidated.
PTXSIM_API cuStreamIsCapturing(void* handle, int* status) {
  PTXSIM_ENTER;
  const auto& capture = driver.streamOf(handle).capture;
  *status = !capture ? 0 : capture->isSpoiled ? 2 : 1;
  return Success;
}

PTXSIM_API cuStreamEndCapture(void* handle, void** graph) {
  PTXSIM_ENTER;
  auto& stream = driver.streamOf(handle);
  *graph = nullptr;
  if (!stream.capture) return driver.fail(IllegalState, "the stream is not capturing");
  if (stream.capture->mode != Capture::Relaxed && stream.capture->thread != std::this_thread::get_id()) {
    stream.capture->isSpoiled = true;
    return driver.fail(StreamCaptureWrongThread, "the capture was begun on another thread");
  }

  auto capture = std::move(stream.capture);
  if (capture->isSpoiled) return driver.fail(StreamCaptureInvalidated, "a call that cannot be captured ended the capture");
  auto* made = new Graph(std::move(capture->graph));
  driver.graphs().insert(made);
  *graph = made;
  return Success;
}

PTXSIM_API cuGraphInstantiateWithFlags(void** executable, void* graph, uint64_t flags) {
  PTXSIM_ENTER;
  *executable = nullptr;
  if (flags != 0) return driver.fail(NotSupported, "flags of an instantiation are not modelled");
  auto* source = find(driver.graphs(), graph);
  if (!source) return refuseHandle(driver, "graph");
  auto* made = new Graph(*source);
  driver.executables().insert(made);
  *executable = made;
  return Success;
}

// What was launched before keeps the nodes that it was launched with.
PTXSIM_API cuGraphExecUpdate_v2(void* executable, void* graph, UpdateInfo* info) {
  PTXSIM_ENTER;
  *info = {static_cast<int>(UpdateResult::Error), nullptr, nullptr};
  auto *target = find(driver.executables(), executable), *source = find(driver.graphs(), graph);
  if (!target || !source) return refuseHandle(driver, target ? "graph" : "executable graph");
  const Node* different;
  auto result = compare(*target, *source, different);
  info->result = static_cast<int>(result);
  if (result != UpdateResult::Success) {
    info->errorNode = const_cast<Node*>(different);
    return driver.fail(GraphExecUpdateFailure, std::string(nameOf(result)) + " has changed");
  }

  target->nodes = source->nodes;
  return Success;
}

PTXSIM_API cuGraphGetNodes(void* graph, void** nodes, size_t* count) {
  PTXSIM_ENTER;
  auto* source = find(driver.graphs(), graph);
  if (!source) return refuseHandle(driver, "graph");
  size_t room = nodes ? *count : 0;
  for (size_t i = 0; i < room; i++) nodes[i] = i < source->nodes.size() ? &source->nodes[i] : nullptr;
  if (!nodes || room > source->nodes.size()) *count = source->nodes.size();
  return Success;
}

PTXSIM_API cuGraphLaunch(void* executable, void* handle) {
  PTXSIM_ENTER;
  auto* found = find(driver.executables(), executable);
  if (!found) return refuseHandle(driver, "executable graph");
  auto& stream = driver.streamOf(handle);
  if (int refused = driver.refuseWaiting(stream, "the launch of a graph, which is not modelled as a node,")) return refused;
  for (const auto& node : found->nodes)
    if (int refused = driver.submit(stream, node)) return refused;
  return driver.sticky();
}

// Of one that was launched, the nodes are in the stream.
PTXSIM_API cuGraphExecDestroy(void* executable) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.count(__func__);
  if (driver.executables().erase(static_cast<Graph*>(executable)) == 0) return refuseHandle(driver, "executable graph");
  delete static_cast<Graph*>(executable);
  return driver.sticky();
}

PTXSIM_API cuGraphDestroy(void* graph) {
  auto& driver = Driver::instance();
  std::lock_guard lock(driver.mutex());
  driver.count(__func__);
  if (driver.graphs().erase(static_cast<Graph*>(graph)) == 0) return refuseHandle(driver, "graph");
  delete static_cast<Graph*>(graph);
  return driver.sticky();
}
