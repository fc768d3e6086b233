// Stream capture and graphs, through the driver API's entry points; run with PTXSIM_LATE=1 too.
#include <thread>

#include "driver_api.h"

using check::DriverApi;

namespace {

constexpr int InvalidValue = 1, IllegalState = 401, IllegalAddress = 700, NotSupported = 801, Unsupported = 900, Invalidated = 901, Isolation = 905,
              Implicit = 906, CapturedEvent = 907, WrongThread = 908, UpdateFailure = 910;
constexpr int Global = 0, ThreadLocal = 1, Relaxed = 2;
constexpr int TopologyChanged = 2, NodeTypeChanged = 3, FunctionChanged = 4, ParametersChanged = 5;

struct UpdateInfo {
  int result;
  void *errorNode, *errorFromNode;
};

// Memory of 32 words that kernels add to, and a stream to capture.
struct Machine {
  DriverApi api;
  void *stream = api.stream(), *out = api.memory(128), *module = api.load(check::entry(add("%r2"))),
       *kernel = api.function(module), *minus = api.function(api.load(check::entry("neg.s32 %r2, %r2;\n" + add("%r2"))));
  uint32_t* pinned = nullptr;

  Machine() {
    void* place = nullptr;
    api.good(api.call("cuMemAllocHost_v2", &place, size_t{128}), "cuMemAllocHost");
    pinned = static_cast<uint32_t*>(place);
    clear();
  }
  ~Machine() {
    api.renew();  // ends what is captured, and forgets errors
    api.call("cuMemFreeHost", static_cast<void*>(pinned));
  }

  // out[i] += the second parameter, which is a number here.
  static std::string add(const std::string& what) {
    return "cvt.u32.u64 " + what + ", %rd2;\nld.global.u32 %r1, [%rd4];\nadd.u32 %r1, %r1, " + what + ";\nst.global.u32 [%rd4], %r1;";
  }

  void clear() { api.good(api.call("cuMemsetD32Async", out, 0u, size_t{32}, stream), "clear"); }

  int launch(uint64_t number) { return launch(kernel, number); }
  int launch(void* function, uint64_t number) {
    void* parameters[] = {&out, &number};
    return api.launch(function, 1, 32, stream, parameters);
  }

  void begin(int mode = ThreadLocal) { api.good(api.call("cuStreamBeginCapture_v2", stream, mode), "cuStreamBeginCapture"); }

  int end(void** graph) { return api.call("cuStreamEndCapture", stream, graph); }

  void* end() {
    void* graph = nullptr;
    api.good(end(&graph), "cuStreamEndCapture");
    return graph;
  }

  // A graph of launches that add these numbers.
  void* capture(const std::vector<uint64_t>& numbers) {
    begin();
    for (uint64_t number : numbers) api.good(launch(number), "captured launch");
    return end();
  }

  void* instantiate(void* graph) {
    void* executable = nullptr;
    api.good(api.call("cuGraphInstantiateWithFlags", &executable, graph, uint64_t{0}), "cuGraphInstantiateWithFlags");
    return executable;
  }

  int run(void* executable) { return api.call("cuGraphLaunch", executable, stream); }

  int update(void* executable, void* graph, int& result) {
    UpdateInfo info{-1, nullptr, nullptr};
    int status = api.call("cuGraphExecUpdate_v2", executable, graph, &info);
    result = info.result;
    return status;
  }

  uint32_t value() {
    uint32_t found[32];
    api.good(api.call("cuStreamSynchronize", stream), "cuStreamSynchronize");
    api.good(api.call("cuMemcpyDtoH_v2", static_cast<void*>(found), out, sizeof found), "download");
    return found[31];
  }

  int status() {
    int found = -1;
    api.good(api.call("cuStreamIsCapturing", stream, &found), "cuStreamIsCapturing");
    return found;
  }

  // What a call that cannot be captured does: the capture is spoiled, later work is refused, and its end says so.
  void spoiled(int result, int expected, const std::string& what) {
    check::equal(result, expected, what);
    check::equal(status(), 2, what + ": the capture's status");
    check::equal(launch(1), Invalidated, what + ": a launch after it");
    void* graph = &api;
    check::equal(end(&graph), Invalidated, what + ": the capture's end");
    check::that(graph == nullptr, what + ": a graph was returned");
    check::equal(status(), 0, what + ": status after the end");
  }
};

}  // namespace

CASE(a_graph_runs_what_its_stream_captured) {
  Machine m;
  void* executable = m.instantiate(m.capture({1, 10}));
  check::equal(m.value(), 0u, "captured launches have not run");
  for (int i = 0; i < 3; i++) m.api.good(m.run(executable), "cuGraphLaunch");
  check::equal(m.value(), 33u, "three runs");
}

CASE(copies_and_fills_are_captured_and_copies_read_what_is_there_when_they_run) {
  Machine m;
  m.begin();
  m.api.good(m.api.call("cuMemsetD32Async", m.out, 5u, size_t{32}, m.stream), "fill");
  m.api.good(m.launch(1), "launch");
  m.api.good(m.api.call("cuMemcpyDtoHAsync_v2", static_cast<void*>(m.pinned), m.out, size_t{128}, m.stream), "download");
  m.api.good(m.api.call("cuMemcpyHtoDAsync_v2", m.out, static_cast<const void*>(m.pinned + 31), size_t{4}, m.stream), "upload");
  m.pinned[31] = 0;
  void* graph = m.end();
  size_t nodes = 0;
  m.api.good(m.api.call("cuGraphGetNodes", graph, static_cast<void**>(nullptr), &nodes), "cuGraphGetNodes");
  check::equal(nodes, size_t{4}, "nodes");
  m.api.good(m.run(m.instantiate(graph)), "cuGraphLaunch");
  check::equal(m.value(), 6u, "fill and launch");
  check::equal(m.pinned[31], 6u, "the download");
}

CASE(a_graph_stands_in_its_streams_order) {
  Machine m;
  void* executable = m.instantiate(m.capture({3}));
  m.api.good(m.api.call("cuMemsetD32Async", m.out, 100u, size_t{32}, m.stream), "before");
  m.api.good(m.run(executable), "cuGraphLaunch");
  m.api.good(m.api.call("cuMemcpyDtoHAsync_v2", static_cast<void*>(m.pinned), m.out, size_t{128}, m.stream), "after");
  m.clear();
  m.api.good(m.api.call("cuStreamSynchronize", m.stream), "cuStreamSynchronize");
  check::equal(m.pinned[31], 103u, "between two others");
}

CASE(an_update_takes_new_parameters_and_leaves_launched_work_alone) {
  Machine m;
  void *first = m.capture({1, 10}), *executable = m.instantiate(first);
  m.api.good(m.run(executable), "first launch");
  int result = -1;
  m.api.good(m.update(executable, m.capture({2, 20}), result), "cuGraphExecUpdate");
  check::equal(result, 0, "CU_GRAPH_EXEC_UPDATE_SUCCESS");
  m.api.good(m.run(executable), "second launch");
  check::equal(m.value(), 33u, "11 and 22");
}

CASE(an_update_refuses_what_is_no_change_of_parameters_and_changes_nothing) {
  Machine m;
  void* executable = m.instantiate(m.capture({1, 10}));
  int result = -1;
  check::equal(m.update(executable, m.capture({1, 10, 100}), result), UpdateFailure, "another number of nodes");
  check::equal(result, TopologyChanged, "its reason");
  check::contains(m.api.messageOf(UpdateFailure), "number of nodes");
  m.begin();
  m.api.good(m.launch(1), "launch");
  m.api.good(m.launch(m.minus, 10), "launch of another kernel");
  check::equal(m.update(executable, m.end(), result), UpdateFailure, "another kernel");
  check::equal(result, FunctionChanged, "its reason");
  m.begin();
  m.api.good(m.launch(1), "launch");
  m.clear();
  check::equal(m.update(executable, m.end(), result), UpdateFailure, "another kind of node");
  check::equal(result, NodeTypeChanged, "its reason");
  m.api.good(m.run(executable), "cuGraphLaunch");
  check::equal(m.value(), 11u, "what was there before");
}

CASE(an_update_cannot_move_a_copy_to_another_kind_of_memory) {
  Machine m;
  void* other = m.api.memory(128);
  void* graphs[2];
  for (int i = 0; i < 2; i++) {
    m.begin();
    m.api.good(m.api.call("cuMemcpyAsync", m.out, static_cast<const void*>(i == 0 ? m.pinned : other), size_t{128}, m.stream), "copy");
    graphs[i] = m.end();
  }

  int result = -1;
  check::equal(m.update(m.instantiate(graphs[0]), graphs[1], result), UpdateFailure, "from the device, not the host");
  check::equal(result, ParametersChanged, "its reason");
}

CASE(waiting_cannot_be_captured) {
  Machine m;
  void* event = nullptr;
  m.api.good(m.api.call("cuEventCreate", &event, 0u), "cuEventCreate");
  for (const char* call : {"cuStreamSynchronize", "cuStreamQuery"}) {
    m.begin();
    m.spoiled(m.api.call(call, m.stream), Unsupported, call);
  }

  m.begin();
  m.spoiled(m.api.call("cuCtxSynchronize"), Unsupported, "cuCtxSynchronize");
  for (const char* call : {"cuEventSynchronize", "cuEventQuery"}) {
    m.begin();
    m.api.good(m.api.call("cuEventRecord", event, m.stream), "cuEventRecord");
    m.spoiled(m.api.call(call, event), CapturedEvent, call);
  }

  void* other = m.api.stream();
  m.begin();
  m.api.good(m.api.call("cuStreamSynchronize", other), "another stream's wait");
  m.end();
}

CASE(pageable_and_synchronous_copies_cannot_be_captured) {
  Machine m;
  uint32_t pageable[32] = {};
  m.begin();
  m.spoiled(m.api.call("cuMemcpyHtoDAsync_v2", m.out, static_cast<const void*>(pageable), sizeof pageable, m.stream), Unsupported, "from pageable memory");
  m.begin();
  m.spoiled(m.api.call("cuMemcpyDtoHAsync_v2", static_cast<void*>(pageable), m.out, sizeof pageable, m.stream), Unsupported, "to pageable memory");
  m.begin();
  m.spoiled(m.api.call("cuMemcpyDtoH_v2", static_cast<void*>(pageable), m.out, sizeof pageable), Unsupported, "a synchronous copy");
}

CASE(memory_and_modules_cannot_change_hands_while_capturing) {
  Machine m;
  void *more = m.api.memory(64), *place = nullptr;
  std::string text = check::countingKernel();
  m.begin();
  m.spoiled(m.api.call("cuMemAlloc_v2", &place, size_t{64}), Unsupported, "cuMemAlloc");
  m.begin();
  m.spoiled(m.api.call("cuMemFree_v2", more), Unsupported, "cuMemFree");
  m.begin();
  m.spoiled(m.api.call("cuMemAllocHost_v2", &place, size_t{64}), Unsupported, "cuMemAllocHost");
  m.begin();
  m.spoiled(m.api.call("cuMemFreeHost", static_cast<void*>(m.pinned)), Unsupported, "cuMemFreeHost");
  m.begin();
  m.spoiled(m.api.call("cuModuleLoadData", &place, text.c_str()), Unsupported, "cuModuleLoadData");
  m.begin();
  m.spoiled(m.api.call("cuModuleUnload", m.module), Unsupported, "cuModuleUnload");
}

CASE(the_mode_says_whose_calls_spoil_a_capture) {
  Machine m;
  auto elsewhere = [&m] {
    int result = -1;
    std::thread([&] {
      void* place = nullptr;
      result = m.api.call("cuMemAlloc_v2", &place, size_t{64});
    }).join();
    return result;
  };
  m.begin(Global);
  m.spoiled(elsewhere(), Unsupported, "another thread, global mode");
  m.begin(ThreadLocal);
  m.api.good(elsewhere(), "another thread, thread-local mode");
  m.end();
  m.begin(Relaxed);
  void* place = nullptr;
  m.api.good(m.api.call("cuMemAlloc_v2", &place, size_t{64}), "the same thread, relaxed mode");
  m.end();
}

CASE(a_capture_ends_on_its_own_thread_and_once) {
  Machine m;
  void* graph = nullptr;
  check::equal(m.end(&graph), IllegalState, "an end without a beginning");
  m.begin();
  check::equal(m.api.call("cuStreamBeginCapture_v2", m.stream, ThreadLocal), IllegalState, "a second beginning");
  int result = -1;
  std::thread([&] { result = m.end(&graph); }).join();
  m.spoiled(result, WrongThread, "an end on another thread");
  check::equal(m.api.call("cuStreamBeginCapture_v2", static_cast<void*>(nullptr), ThreadLocal), Unsupported, "the default stream");
  check::equal(m.api.call("cuStreamBeginCapture_v2", m.stream, 3), InvalidValue, "an unknown mode");
}

CASE(other_streams_stay_apart_from_a_capture) {
  Machine m;
  void *event = nullptr, *other = m.api.stream(), *blocking = nullptr;
  m.api.good(m.api.call("cuEventCreate", &event, 0u), "cuEventCreate");
  m.api.good(m.api.call("cuEventRecord", event, other), "cuEventRecord");
  m.begin();
  m.spoiled(m.api.call("cuStreamWaitEvent", m.stream, event, 0u), Isolation, "a wait for uncaptured work");
  m.begin();
  m.api.good(m.api.call("cuEventRecord", event, m.stream), "captured cuEventRecord");
  m.api.good(m.api.call("cuStreamWaitEvent", m.stream, event, 0u), "a wait within the capture");
  m.spoiled(m.api.call("cuStreamWaitEvent", other, event, 0u), CapturedEvent, "another stream that would join");
  m.api.good(m.api.call("cuStreamCreate", &blocking, 0u), "cuStreamCreate");
  std::swap(m.stream, blocking);
  m.begin();
  m.spoiled(m.api.call("cuMemsetD32Async", m.out, 1u, size_t{32}, static_cast<void*>(nullptr)), Implicit, "the default stream beside a blocking one");
  std::swap(m.stream, blocking);
  m.begin();
  m.api.good(m.api.call("cuMemsetD32Async", m.out, 1u, size_t{32}, static_cast<void*>(nullptr)), "the default stream beside one that does not block");
  m.end();
}

CASE(handles_end_with_destruction) {
  Machine m;
  void *graph = m.capture({1}), *executable = m.instantiate(graph), *made = nullptr;
  m.api.good(m.api.call("cuGraphDestroy", graph), "cuGraphDestroy");
  m.api.good(m.run(executable), "an executable outlives its graph");
  m.api.good(m.api.call("cuGraphExecDestroy", executable), "cuGraphExecDestroy");
  check::equal(m.value(), 1u, "what was launched runs");
  int result = -1;
  check::equal(m.run(executable), InvalidValue, "a destroyed executable");
  check::equal(m.update(executable, m.capture({1}), result), InvalidValue, "its update");
  check::equal(m.api.call("cuGraphExecDestroy", executable), InvalidValue, "its second end");
  check::equal(m.api.call("cuGraphDestroy", graph), InvalidValue, "the graph's second end");
  check::equal(m.api.call("cuGraphInstantiateWithFlags", &made, graph, uint64_t{0}), InvalidValue, "its instantiation");
  check::equal(m.api.call("cuGraphInstantiateWithFlags", &made, m.capture({1}), uint64_t{8}), NotSupported, "flags");
}

CASE(a_graph_outlives_its_module_and_not_its_memory) {
  Machine m;
  void* executable = m.instantiate(m.capture({7}));
  m.api.good(m.api.call("cuModuleUnload", m.module), "cuModuleUnload");
  m.api.good(m.run(executable), "cuGraphLaunch");
  check::equal(m.value(), 7u, "a kernel of an unloaded module");
  void* gone = m.api.memory(128);
  m.begin();
  m.api.good(m.api.call("cuMemcpyAsync", gone, static_cast<const void*>(m.out), size_t{128}, m.stream), "copy");
  executable = m.instantiate(m.end());
  m.api.good(m.api.call("cuMemFree_v2", gone), "cuMemFree");
  m.run(executable);
  check::equal(m.api.call("cuStreamSynchronize", m.stream), IllegalAddress, "a copy to freed memory");
  check::contains(m.api.messageOf(IllegalAddress), "has been freed");
}

CASE(a_fault_of_a_graphs_kernel_is_reported_as_a_launchs) {
  Machine m;
  void* bad = m.api.function(m.api.load(check::entry("st.global.u32 [%rd4+4096], %r0;")));
  m.begin();
  m.api.good(m.launch(bad, 0), "captured launch");
  void* executable = m.instantiate(m.end());
  m.run(executable);
  check::equal(m.api.call("cuStreamSynchronize", m.stream), IllegalAddress, "the fault");
  check::contains(m.api.messageOf(IllegalAddress), "kernel 'k'");
}

int main(int argc, char** argv) { return check::run(argc, argv); }
